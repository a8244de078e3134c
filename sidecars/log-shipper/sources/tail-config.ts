// pure
import { boolean, choice, durationMs, list, object, sizeBytes, string, type ConfigOf } from "../../../kit/config/schema.ts";
import { absolutePath } from "../absolute-path.ts";
import { lineFaults, lineSettings } from "./line-config.ts";

export const tailSpec = object(
  {
    paths: list(string({ doc: "an absolute glob, such as /var/log/app/*.log; ** reaches 8 directories down", check: absolutePath }), { doc: "which files to follow", minItems: 1 }),
    exclude: list(string({ doc: "an absolute glob", check: absolutePath }), { doc: "which of them to leave out", default: [] }),
    tag: string({ doc: "tag of the records; {file} is the file's name without directories", default: "app" }),
    ...lineSettings,
    start: choice(["beginning", "end"], { doc: "where to start in files present at the very first start", default: "beginning" }),
    gzip: object(
      {
        read: boolean({ doc: "read names that end in .gz, each once: those that match, and rotated forms of matching names whose content was not read before they were compressed; otherwise leave them alone", default: true }),
        maxBytes: sizeBytes({ doc: "longest content that is unpacked, one file at a time, in the state directory", default: 1_073_741_824, min: 1 }),
      },
      { doc: "files compressed by gzip" },
    ),
    deleteAfterMs: durationMs({ doc: "delete a file once it is delivered to its end and has not grown for so long; for files that are written once and closed. Never without it", optional: true, min: 1 }),
    pathField: string({ doc: "name of a record field that holds the file's path; none without it", optional: true }),
    enrich: boolean({ doc: "add the Pod's metadata to each record", default: true }),
  },
  { doc: "files in a shared directory", check: (tail) => lineFaults(tail) },
);

export type TailSourceConfig = ConfigOf<typeof tailSpec>;
