import { basename } from "node:path";
import { readYaml } from "../../../kit/config/yaml-source.ts";
import type { Problem } from "../../../kit/config/problem.ts";
import { exitCode } from "../../../kit/exit-code.ts";
import { convertText } from "../convert.ts";
import { isBinary } from "../formats/options.ts";
import type { Mapping } from "../mapping/mapping.ts";
import { readNode } from "../mapping/node-reader.ts";
import { readMapping } from "../mapping/read-mapping.ts";
import { withReport } from "./open-report.ts";
import { standardInput } from "./standard-input.ts";
import { CommandFault, formatOfName, given, guarded, inputOfSettings, ReportFault, tellError, type Print } from "./command-line.ts";
import { different } from "./diff.ts";
import { draftMapping, draftText, todosOf, type Draft, type Sample } from "./infer/draft.ts";
import { settingsOf, type FormatSettings } from "./infer/settings.ts";
import { isTyped, readAdapted, readRecords, type ReadRecord } from "./read-records.ts";
import { diffDefaults, DiffFault, diffReports } from "./report-diff.ts";

export const inferUsage = `usage: format-adapter infer OLD NEW [--old-format FORMAT] [--new-format FORMAT]
Drafts a configuration that adapts reports like NEW to what OLD is like, from a
sample of each that holds the same records, in any order. The draft passes lint
and test; what was not found in it is marked TODO, what to look at "check".

  format-adapter infer old.csv new.json > adapter.yaml
  format-adapter test --config adapter.yaml
  format-adapter diff old.csv new.json --config adapter.yaml

Formats are told by the names' endings (csv, tsv, ndjson, json, xml, yaml …).
Exit code 0: the adapted sample equals the old one; 1: something was not found;
64: the samples could not be read.
`;

const sampleRecordsMax = 5_000;
const startBytes = 262_144;
const exampleRecordsMax = 5;
const exampleBytesMax = 8_192;

/** `infer`: drafts a mapping. The draft alone is printed; what is wrong goes to `complain`. */
export async function infer(argv: readonly string[], print: Print, complain = tellError): Promise<number> {
  return await guarded(async () => {
    const args = given(argv, print, inferUsage, { "old-format": { type: "string" }, "new-format": { type: "string" } }, complain);
    if (typeof args === "number") return args;
    const [oldPath, newPath, ...more] = args.positionals;
    if (oldPath === undefined || newPath === undefined || more.length > 0) {
      complain(`infer takes two samples, got ${args.positionals.length}\n${inferUsage}`);
      return exitCode.usage;
    }
    if (oldPath === standardInput || newPath === standardInput) throw new CommandFault("samples are read more than once; put what comes by standard input into a file");
    const [old, recent] = [await readSample(oldPath, args.values["old-format"]), await readSample(newPath, args.values["new-format"])];
    const draft = draftMapping(old.sample, recent.sample, Intl.supportedValuesOf("timeZone"));
    const ending = /(\.[^.]+)(?:\.(?:gz|zst))?$/;
    const options = { match: `*${ending.exec(basename(newPath))?.[0] ?? ""}`, output: { ...old.settings.output, file: `/legacy/{name}${ending.exec(basename(oldPath))?.[1] ?? ""}` } };
    const mapping = mappingOf(draftText(draft, { ...options, examples: [] }));
    const examples = exampleOf(mapping, recent).flatMap((input) => {
      const made = convertText(mapping, input);
      return made.kind === "converted" ? [{ input, output: made.text }] : [];
    });
    const verdict = await check(mapping, draft, { oldPath, newPath, old });
    const todos = todosOf(draft);
    const counts = `${old.sample.records.length} old and ${recent.sample.records.length} new records, paired ${draft.pairing.by === "order" ? "in their order" : `by ${draft.pairing.by.old} = ${draft.pairing.by.new}`}`;
    const comments = [`Drafted from ${counts}.`, ...verdict.lines, ...(todos.length === 0 ? [] : [`Not found (${todos.length}):`, ...todos.map((todo) => `  ${todo}`)]), ...(examples.length === 0 ? ["No example: the beginning of the sample could not be cut out or adapted; write one by hand."] : [])];
    print(`${comments.map((comment) => `# ${comment}\n`).join("")}${draftText(draft, { ...options, examples })}`);
    return verdict.isEqual && todos.length === 0 ? exitCode.ok : different;
  }, complain);
}

type Opened = { readonly sample: Sample; readonly settings: FormatSettings; /** As it begins, unpacked. */ readonly start: string; readonly isWhole: boolean; readonly lines: readonly number[] };

async function readSample(path: string, format: unknown): Promise<Opened> {
  const { text: start, isWhole } = await startOf(path);
  const settings = settingsOf(typeof format === "string" ? format : formatOfName(path), start);
  if (settings === undefined) throw new CommandFault(`cannot tell the format of ${path}; name it by --old-format or --new-format`);
  const input = inputOfSettings(settings.input, path, "--old-format or --new-format");
  const records = await firstRecords(readRecords(path, input, isTyped(input) ? "json" : "text"));
  return { sample: { settings: settings.input, records: records.map(({ values }) => values), isTyped: isTyped(input) }, settings, start, isWhole, lines: records.map(({ line }) => line) };
}

async function startOf(path: string): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  return await withReport(path, async (source) => {
    const bytes = Buffer.alloc(startBytes);
    let length = 0;
    for (let count = 1; count > 0 && length < bytes.length; length += count) count = await source.read(bytes.subarray(length));
    return { text: bytes.subarray(0, length).toString("utf8"), isWhole: length < bytes.length };
  });
}

async function firstRecords(records: AsyncIterable<ReadRecord>): Promise<readonly ReadRecord[]> {
  const found: ReadRecord[] = [];
  for await (const record of records) {
    found.push(record);
    if (found.length >= sampleRecordsMax) break;
  }
  return found;
}

function mappingOf(text: string): Mapping {
  const problems: Problem[] = [];
  const { node } = readYaml("draft", text);
  const mapping = node === undefined ? undefined : readNode(node, "", problems).map()?.get("mappings")?.map()?.get("new-to-old");
  const read = mapping === undefined ? undefined : readMapping("new-to-old", mapping);
  if (read === undefined || problems.length > 0) throw new CommandFault(`no mapping could be drafted: ${problems.map(({ path, message }) => `${path}: ${message}`).join("; ")}`);
  return read;
}

/** The first records of the sample, where they can be cut out of it. */
function exampleOf(mapping: Mapping, { start, isWhole, lines }: Opened): readonly string[] {
  const isSmall = isWhole && Buffer.byteLength(start) <= exampleBytesMax && lines.length <= 4 * exampleRecordsMax;
  const next = lines[exampleRecordsMax];
  if (isBinary(mapping.input)) return [];
  if (isSmall || next === undefined) return isSmall ? [start] : [];
  if (mapping.input.format !== "csv" && mapping.input.format !== "ndjson") return [];
  const cut = (start.match(/[^\r\n]*(?:\r\n|\n|\r)/g) ?? []).slice(0, next - 1).join("");
  return Buffer.byteLength(cut) <= exampleBytesMax ? [cut] : [];
}

/** Adapts the new sample and compares it with the old one, but for what was not found. */
async function check(mapping: Mapping, { pairing, fields }: Draft, { oldPath, newPath, old }: { readonly oldPath: string; readonly newPath: string; readonly old: Opened }): Promise<{ readonly isEqual: boolean; readonly lines: readonly string[] }> {
  const input = inputOfSettings(old.settings.input, oldPath);
  const form = old.sample.isTyped ? "json" : "text";
  const ignored = new Set(fields.flatMap(({ name, guessed }) => ("reason" in guessed ? [old.sample.isTyped ? (name.split(/(?<!\\)\./)[0] ?? name) : name] : [])));
  const keys = pairing.by === "order" || ignored.has(pairing.by.old) ? [] : [pairing.by.old];
  try {
    const outcome = await diffReports(readRecords(oldPath, input, form), readAdapted(newPath, mapping, form), { ...diffDefaults, ignored, keys, shownMax: 3 });
    const but = ignored.size === 0 ? "" : `, but for ${[...ignored].join(", ")}`;
    return outcome.different === 0 ? { isEqual: true, lines: [`Checked: the adapted sample equals the old one, record by record${but}.`] } : { isEqual: false, lines: [`Checked: the adapted sample differs from the old one${but}:`, ...outcome.lines.flatMap((line) => line.split("\n")).filter((line) => line !== "").map((line) => `  ${line}`)] };
  } catch (error) {
    if (!(error instanceof ReportFault) && !(error instanceof DiffFault)) throw error;
    return { isEqual: false, lines: [`Checked: the sample cannot be adapted: ${error.message}`] };
  }
}
