// pure
import { boolean, object, string, type ConfigOf } from "../../../kit/config/schema.ts";
import { lineFaults, lineSettings } from "./line-config.ts";

export const stdinSpec = object(
  {
    tag: string({ doc: "tag of the records", default: "app" }),
    ...lineSettings,
    enrich: boolean({ doc: "add the Pod's metadata to each record", default: true }),
  },
  { doc: "standard input, for `application | log-shipper`; what was read of it and not delivered is lost when the process is killed, since it cannot be read again", check: (stdin) => lineFaults(stdin) },
);

export type StdinSourceConfig = ConfigOf<typeof stdinSpec>;
