// pure
import { integer, object, sizeBytes, string } from "../../../kit/config/schema.ts";
import { absolutePath } from "../absolute-path.ts";
import { required } from "./common-config.ts";

export const fileSinkSpec = object(
  {
    name: string({ doc: "name in logs and metrics", default: "file" }),
    path: string({ doc: "file to append JSON lines to", check: absolutePath }),
    rotateBytes: sizeBytes({ doc: "size at which the file is renamed to path.1 and a new one begun; 0 is never, for logrotate", default: 0, min: 0 }),
    keep: integer({ doc: "how many renamed files are kept; older ones are deleted", default: 5, min: 1, max: 1_000 }),
    required,
  },
  { doc: "JSON lines in a file" },
);
