// pure
import { boolean, choice, list, object, string, type ConfigOf } from "../../../kit/config/schema.ts";
import { absolutePath } from "../absolute-path.ts";
import { lineFaults, lineSettings } from "./line-config.ts";

export const tailSpec = object(
  {
    paths: list(string({ doc: "an absolute glob, such as /var/log/app/*.log; ** reaches 8 directories down", check: absolutePath }), { doc: "which files to follow", minItems: 1 }),
    exclude: list(string({ doc: "an absolute glob", check: absolutePath }), { doc: "which of them to leave out", default: [] }),
    tag: string({ doc: "tag of the records; {file} is the file's name without directories", default: "app" }),
    ...lineSettings,
    start: choice(["beginning", "end"], { doc: "where to start in files present at the very first start", default: "beginning" }),
    pathField: string({ doc: "name of a record field that holds the file's path; none without it", optional: true }),
    enrich: boolean({ doc: "add the Pod's metadata to each record", default: true }),
  },
  { doc: "files in a shared directory", check: (tail) => lineFaults(tail) },
);

export type TailSourceConfig = ConfigOf<typeof tailSpec>;
