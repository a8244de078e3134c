// pure
import { choice, durationMs, integer, list, object, sizeBytes, string, type ConfigOf } from "../../../kit/config/schema.ts";
import { multiLineFault } from "../encode/multi-line.ts";
import { presetNames } from "../encode/multi-line-presets.ts";
import { patternFault } from "../parse/pattern.ts";
import { regexpSpec } from "../parse/regexp.ts";
import { optional } from "../shape/settings.ts";

/** Settings of `multiline`: which lines are one record. */
const multiLineSpec = object(
  {
    start: string({ doc: "a regular expression; a line that matches begins a record, all others go on with the one before", optional: true, check: patternFault }),
    continue: string({ doc: "a regular expression; a line that matches goes on with the record before", optional: true, check: patternFault }),
    presets: list(choice(presetNames, { doc: "a language" }), { doc: "stack traces of these languages are one record each; several at once are fine", default: [] }),
    maxLines: integer({ doc: "most lines of a record; it ends there, flagged log_partial, and the rest is further records", default: 1_000, min: 2 }),
    maxBytes: sizeBytes({ doc: "a record that has reached this size ends, flagged log_partial", default: 131_072, min: 16, max: 16_777_216 }),
    flushMs: durationMs({ doc: "how long a record that may go on is held back while nothing comes", default: 1_000, min: 1 }),
  },
  {
    doc: "several lines as one record",
    check({ start, continue: continuing, presets }) {
      const fault = multiLineFault({ start, continue: continuing, presets });
      return fault === undefined ? [] : [{ path: [start !== undefined && presets.length > 0 ? "presets" : "start"], message: fault }];
    },
  },
);

/** What becomes of a source's bytes before they are records: shared by the sources that read bytes. */
export const lineSettings = {
  format: choice(["raw", "json", "logfmt", "regexp"], { doc: "how a line becomes a record; a line that does not parse is shipped raw", default: "raw" }),
  regexp: optional(regexpSpec),
  encoding: choice(["auto", "utf-8", "utf-16le", "utf-16be", "latin1"], { doc: "encoding of the bytes; records are UTF-8. auto goes by the byte order mark, and is UTF-8 without one", default: "auto" }),
  container: choice(["none", "cri", "docker", "auto"], { doc: "format of a container runtime around the lines: cri (containerd, CRI-O), docker (json-file); gives the record's time and stream, and joins lines that it has divided. auto tells the two apart line by line", default: "none" }),
  streamField: string({ doc: "name of the record field that gets the container's stream, stdout or stderr; empty for none", default: "stream" }),
  multiline: optional(multiLineSpec),
} as const;

export type LineConfig = {
  readonly format: ConfigOf<typeof lineSettings.format>;
  readonly regexp: ConfigOf<typeof lineSettings.regexp>;
  readonly encoding: ConfigOf<typeof lineSettings.encoding>;
  readonly container: ConfigOf<typeof lineSettings.container>;
  readonly streamField: string;
  readonly multiline: ConfigOf<typeof lineSettings.multiline>;
};

/** Contradictions between the settings of one source. */
export function lineFaults({ format, regexp, encoding, container }: Pick<LineConfig, "format" | "regexp" | "encoding" | "container">): readonly { readonly path: readonly string[]; readonly message: string }[] {
  const faults: { readonly path: readonly string[]; readonly message: string }[] = [];
  if (format === "regexp" && regexp === undefined) faults.push({ path: ["format"], message: "regexp needs the pattern: add regexp: { pattern: ... }" });
  if (format !== "regexp" && regexp !== undefined) faults.push({ path: ["regexp"], message: `is not used with format ${format}; did you mean format: regexp?` });
  if (container !== "none" && encoding.startsWith("utf-16")) faults.push({ path: ["encoding"], message: `container runtimes do not write ${encoding}; leave encoding or container out` });
  return faults;
}

/** How long lines that may go on are held back while nothing comes; undefined when none are. */
export function holdMsOf({ container, multiline }: Pick<LineConfig, "container" | "multiline">): number | undefined {
  return multiline?.flushMs ?? (container === "none" ? undefined : containerHoldMs);
}

/** Lines of one stream behind an unfinished one of the other. */
const containerHoldMs = 5_000;
