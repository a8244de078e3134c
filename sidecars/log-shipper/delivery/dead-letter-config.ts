// pure
import { object, sizeBytes, string } from "../../../kit/config/schema.ts";
import { absolutePath } from "../absolute-path.ts";

export const deadLetterSpec = object(
  {
    path: string({ doc: "file for records that a destination will never take; dead-letters.ndjson in the state directory without it", optional: true, check: absolutePath }),
    maxBytes: sizeBytes({ doc: "largest size; at it delivery waits until the file is moved away, since nothing is dropped", default: 104_857_600, min: 65_536 }),
  },
  { doc: "records that a destination refused" },
);
