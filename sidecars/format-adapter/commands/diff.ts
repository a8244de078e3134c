import { basename } from "node:path";
import { parseSizeBytes } from "../../../kit/config/units.ts";
import { exitCode } from "../../../kit/exit-code.ts";
import type { CommandContext } from "../../../kit/process.ts";
import type { Config } from "../config.ts";
import { ConversionError } from "../conversion-error.ts";
import { detectMapping } from "../detect/detect-mapping.ts";
import { isBinary, type InputOptions } from "../formats/options.ts";
import type { Mapping } from "../mapping/mapping.ts";
import { withReport } from "./open-report.ts";
import { standardInput } from "./standard-input.ts";
import { CommandFault, formatOfName, given, guarded, inputOfSettings, listOf, ReportFault, tellError, type Print } from "./command-line.ts";
import type { ValueForm } from "./compare-values.ts";
import { diffDefaults, DiffFault, diffReports, type DiffOptions } from "./report-diff.ts";
import { inputOfOutput, isTyped, readAdapted, readRecords, type RecordSource } from "./read-records.ts";

export const diffUsage = `usage: format-adapter diff OLD NEW [options]
Compares two reports, record by record. With --mapping or --config the second
one is a report in the new format: it is adapted first, so that diff tells
whether the adapted report equals what the old version wrote. One of them may be
-, standard input.

  --key COLUMN[,COLUMN]  compare records with the same values there, whatever
                         their order (without: first with first, and so on)
  --ignore COLUMN        pass over a column; may be given several times
  --numeric              numbers of one value are equal: 1.10 and 1.1
  --any-column-order     the columns of CSV may stand in another order
  --mapping NAME         adapt NEW by this mapping of the configuration
  --config FILE          adapt NEW by the mapping that detect picks
  --format FORMAT        of both reports (--old-format, --new-format: of one);
                         else told by the names' endings
  --show N               show the first N that differ (${diffDefaults.shownMax})
  --memory SIZE          for records that wait for the one of their key (128MiB)

Exit code 0: equal; 1: different; 64: they could not be compared.
`;

/** Reports that are different, as diff(1) has it. */
export const different = 1;

const options = {
  key: { type: "string", multiple: true }, ignore: { type: "string", multiple: true }, numeric: { type: "boolean" }, "any-column-order": { type: "boolean" }, mapping: { type: "string" },
  format: { type: "string" }, "old-format": { type: "string" }, "new-format": { type: "string" }, show: { type: "string" }, memory: { type: "string" },
} as const;

/** `diff`, of two reports in one form. */
export async function diffPlain(argv: readonly string[], print: Print): Promise<number> {
  return await guarded(async () => await diff(argv, print, undefined));
}

/** `diff`, with the second report adapted by a mapping of the configuration. */
export async function diffAdapted({ config, argv, print }: CommandContext<Config>): Promise<number> {
  return await guarded(async () => await diff(argv, print, config));
}

async function diff(argv: readonly string[], print: Print, config: Config | undefined): Promise<number> {
  const args = given(argv, print, diffUsage, options);
  if (typeof args === "number") return args;
  const [first, second, ...more] = args.positionals;
  if (first === undefined || second === undefined || more.length > 0) {
    tellError(`diff takes two reports, got ${args.positionals.length}\n${diffUsage}`);
    return exitCode.usage;
  }
  if (first === standardInput && second === standardInput) throw new CommandFault("one report can come by standard input, not both");
  const reports = config === undefined ? plainReports(first, second, args.values) : await adaptedReports(first, second, config, args.values);
  try {
    const outcome = await diffReports(reports.first, reports.second, diffOptions(args.values));
    for (const line of outcome.lines) print(`${line}\n`);
    if (outcome.different === 0 && reports.sameFormat) print(reports.first.bytes() === reports.second.bytes() ? "The bytes are equal too\n" : "The bytes are not: order, line ends, quoting, spacing or a byte order mark differ\n");
    return outcome.different === 0 ? exitCode.ok : different;
  } catch (error) {
    if (error instanceof DiffFault) throw new CommandFault(`cannot compare the reports: ${error.message}`);
    throw error;
  }
}

function diffOptions(values: Readonly<Record<string, unknown>>): DiffOptions {
  const [show, memory] = ["show", "memory"].map((key) => (typeof values[key] === "string" ? values[key] : undefined));
  const shownMax = show === undefined ? diffDefaults.shownMax : Number(show);
  if (!Number.isSafeInteger(shownMax) || shownMax < 0) throw new CommandFault(`--show takes a number, got "${show}"`);
  const waitingBytesMax = memory === undefined ? diffDefaults.waitingBytesMax : parseSizeBytes(memory);
  if (waitingBytesMax === undefined) throw new CommandFault(`--memory takes a size such as 512MiB, got "${memory}"`);
  return { keys: listOf(values["key"]), ignored: new Set(listOf(values["ignore"])), numeric: values["numeric"] === true, inColumnOrder: values["any-column-order"] !== true, waitingBytesMax, shownMax };
}

type Reports = { readonly first: RecordSource; readonly second: RecordSource; readonly sameFormat: boolean };

function plainReports(first: string, second: string, values: Readonly<Record<string, unknown>>): Reports {
  const inputOf = (path: string, own: unknown): InputOptions => {
    const format = own ?? values["format"] ?? formatOfName(path);
    if (format === "") throw new CommandFault(`cannot tell the format of ${path} by its name; name it by --format`);
    return inputOfSettings({ format }, path);
  };
  const [one, other] = [inputOf(first, values["old-format"]), inputOf(second, values["new-format"])];
  const form = formOf(one, other);
  return { first: readRecords(first, one, form), second: readRecords(second, other, form), sameFormat: one.format === other.format && !isBinary(one) };
}

/** Where both formats tell numbers from texts they are told apart. */
function formOf(one: InputOptions, other: InputOptions): ValueForm {
  return isTyped(one) && isTyped(other) ? "json" : "text";
}

async function adaptedReports(first: string, second: string, config: Config, values: Readonly<Record<string, unknown>>): Promise<Reports> {
  for (const key of ["format", "old-format", "new-format"]) if (values[key] !== undefined) throw new CommandFault(`--${key} does not go with a mapping, which tells both formats`);
  const mapping = await mappingFor(second, config, values["mapping"]);
  const input = inputOfOutput(mapping);
  const form = formOf(input, input);
  return { first: readRecords(first, input, form), second: readAdapted(second, mapping, form), sameFormat: !isBinary(input) };
}

async function mappingFor(path: string, config: Config, wanted: unknown): Promise<Mapping> {
  const all = config.adapters.flatMap((adapter) => adapter.mappings);
  const names = all.map(({ name }) => name);
  if (typeof wanted === "string") {
    const [found, another] = all.filter(({ name }) => name === wanted);
    if (found === undefined) throw new CommandFault(`no mapping has the name "${wanted}"; there are ${names.join(", ")}`);
    if (another !== undefined) throw new CommandFault(`several adapters have a mapping "${wanted}"; give them names of their own`);
    return found;
  }
  const [adapter, second] = config.adapters;
  if (adapter === undefined || second !== undefined) throw new CommandFault(`there are ${config.adapters.length} adapters; say by --mapping how to adapt ${path}, by one of ${names.join(", ")}`);
  const [only, another] = adapter.mappings;
  if (only !== undefined && another === undefined && adapter.detect.length === 0) return only;
  if (path === standardInput) throw new CommandFault(`standard input is read once; say by --mapping how to adapt it, by one of ${names.join(", ")}`);
  try {
    return await withReport(path, async (source) => (await detectMapping(adapter, basename(path), source)).mapping);
  } catch (error) {
    throw error instanceof ConversionError ? new ReportFault(path, error) : error;
  }
}
