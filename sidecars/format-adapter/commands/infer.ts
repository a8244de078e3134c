import { exitCode } from "../../../kit/exit-code.ts";
import { formatOfName, given, guarded, inputOfSettings, type Print } from "./command-line.ts";
import { different } from "./diff.ts";
import { inferMapping } from "./infer-mapping.ts";
import { readRecords, type ReadRecord } from "./read-records.ts";

const usage = "usage: format-adapter infer OLD NEW [--old-format FORMAT] [--new-format FORMAT]\nDrafts a mapping from the new report to the old one, from a sample of each with the same records in the same order. Formats are told by the names' endings (csv, tsv, ndjson, json, xml, yaml …).\n";

const sampleRecordsMax = 5_000;

/** `infer`: drafts a mapping. */
export async function infer(argv: readonly string[], print: Print): Promise<number> {
  return await guarded(async () => {
    const args = given(argv, print, usage, { "old-format": { type: "string" }, "new-format": { type: "string" } });
    if (typeof args === "number") return args;
    const [oldPath = "", newPath = ""] = args.positionals;
    if (args.positionals.length !== 2) {
      print(usage);
      return exitCode.usage;
    }
    const [oldInput, newInput] = [inputOfSettings({ format: args.values["old-format"] ?? formatOfName(oldPath) }, oldPath), inputOfSettings({ format: args.values["new-format"] ?? formatOfName(newPath) }, newPath)];
    const [old, recent] = [await firstRecords(readRecords(oldPath, oldInput)), await firstRecords(readRecords(newPath, newInput))];
    const { yaml, unknown } = inferMapping(old.map(({ values }) => values), recent.map(({ values }) => values), { oldFormat: oldInput.format, newFormat: newInput.format });
    print(`# Drafted from ${Math.min(old.length, recent.length)} records${old.length === recent.length ? "" : `; the samples have ${old.length} and ${recent.length} records, are they the same ones?`}\n${yaml}`);
    return unknown.length === 0 ? exitCode.ok : different;
  }, print);
}

async function firstRecords(records: AsyncIterable<ReadRecord>): Promise<readonly ReadRecord[]> {
  const found: ReadRecord[] = [];
  for await (const record of records) {
    found.push(record);
    if (found.length >= sampleRecordsMax) break;
  }
  return found;
}
