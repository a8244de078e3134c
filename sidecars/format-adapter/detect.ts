// pure
import { posix } from "node:path";
import { ConversionError } from "./conversion-error.ts";
import { blockBytes, blocks } from "./blocks.ts";
import { createSniffer } from "./formats/create-reader.ts";
import type { InputOptions } from "./formats/options.ts";
import { isEmpty } from "./mapping/cells.ts";
import type { Mapping } from "./mapping/mapping.ts";
import type { NodeReader } from "./mapping/node-reader.ts";
import { parsePath, withPaths } from "./mapping/path.ts";

/**
 * Which mapping a report is for. A rule holds when everything it names does: these columns are there, the first record has one of
 * these values in a column, the file's name matches. The first rule that holds decides.
 */
export type DetectRule = { readonly header: readonly string[]; readonly value: { readonly column: string; readonly values: readonly string[] } | undefined; readonly name: string | undefined; readonly use: string };
type Detecting = { readonly detect: readonly DetectRule[]; readonly mappings: readonly Mapping[] };

/** Reads `detect:`. */
export function readDetect(node: NodeReader | undefined, names: readonly string[]): readonly DetectRule[] {
  return (node?.list() ?? []).flatMap((item) => {
    const parts = item.map(["when", "use"]);
    const use = parts?.get("use")?.oneOf(names);
    const when = parts?.get("when")?.map(["header", "value", "name"]);
    if (parts !== undefined && (!parts.has("use") || when === undefined || when.size === 0)) item.problem('needs "use: mapping" and "when:" with header: [columns], value: {column: version, is: [values]} or name: a glob');
    const header = when?.get("header")?.list()?.map((column) => column.text("a column"));
    const value = readValue(when?.get("value"));
    const name = when?.get("name")?.text("a glob on the file's name");
    if (name?.includes("/") === true) when?.get("name")?.problem(`expected a glob on the file's name, got "${name}"`);
    return use === undefined || when === undefined || header?.includes(undefined) === true ? [] : [{ header: header?.filter((column) => column !== undefined) ?? [], value, name, use }];
  });
}

function readValue(node: NodeReader | undefined): DetectRule["value"] {
  const parts = node?.map(["column", "is"]);
  const [column, is] = [parts?.get("column")?.text("a column"), parts?.get("is")];
  if (parts !== undefined && (column === undefined || is === undefined)) node?.problem('needs "column" and "is": a value, or a list of such');
  const values = is === undefined ? undefined : is.raw.kind === "list" ? is.list()?.map((each) => each.text("a value")) : [is.text("a value")];
  if (column === undefined || values === undefined || values.includes(undefined)) return undefined;
  return { column, values: values.filter((value) => value !== undefined) };
}

export type Choice = { readonly kind: "chosen"; readonly mapping: Mapping } | { readonly kind: "undecided"; readonly atEnd: Mapping | ConversionError };

/**
 * The mapping for a report of this name that begins with these bytes, or is made of them alone (`isAll`). Undecided when they are too few to tell. A report that is not
 * in the format of a rule's mapping does not fit that rule. Throws VERSION when no rule holds, with what was seen; ENCODING when that
 * is why.
 */
export function chooseMapping(adapter: Detecting, name: string, bytes: Uint8Array, isAll: boolean): Choice {
  const [only] = adapter.mappings;
  if (adapter.detect.length === 0 && only !== undefined) return { kind: "chosen", mapping: only };
  const seen: string[] = [];
  let fault: ConversionError | undefined;
  let undecided = false;
  for (const rule of adapter.detect) {
    const mapping = adapter.mappings.find((candidate) => candidate.name === rule.use);
    if (mapping === undefined || (rule.name !== undefined && !posix.matchesGlob(name, rule.name))) continue;
    const sniffed = rule.header.length === 0 && rule.value === undefined ? undefined : sniff(mapping.input, bytes, rule.value?.column, isAll);
    if (sniffed === undefined) return { kind: "chosen", mapping };
    if (sniffed.kind === "fault") {
      fault ??= sniffed.error;
      continue;
    }
    if (sniffed.columns !== undefined && !rule.header.every((column) => sniffed.columns?.includes(column) === true)) {
      seen.push(`the columns ${sniffed.columns.join(", ")}`);
      continue;
    }
    if (sniffed.kind === "more") undecided = true;
    else if (rule.value === undefined || (sniffed.value !== undefined && rule.value.values.includes(sniffed.value))) return { kind: "chosen", mapping };
    else seen.push(sniffed.value === undefined ? `no value in ${rule.value.column}` : `${rule.value.column} ${JSON.stringify(sniffed.value.slice(0, 40))}`);
  }
  const noRule = unknownVersion(name, seen, undecided ? undefined : fault, undecided);
  if (!undecided) throw noRule;
  const isWhole = bytes.some((byte) => byte > space) && adapter.mappings.some((mapping) => readsWhole(mapping.input, bytes));
  if (!isWhole) return { kind: "undecided", atEnd: new ConversionError("INCOMPLETE", "its columns are not there yet", { line: 1 }) };
  return { kind: "undecided", atEnd: adapter.mappings.length === 1 && only !== undefined ? only : noRule };
}

function unknownVersion(name: string, seen: readonly string[], fault: ConversionError | undefined, undecided: boolean): ConversionError {
  if (seen.length > 0) return new ConversionError("VERSION", `no rule of detect fits a report with ${[...new Set(seen)].join(" and ")}`, { line: 1 });
  if (fault?.code === "ENCODING") return fault;
  if (fault !== undefined) return new ConversionError("VERSION", `no rule of detect fits a report in none of their formats: ${fault.message}`, { line: fault.line, column: fault.column, sample: fault.sample });
  return new ConversionError("VERSION", undecided ? "the report has no record that would tell its version" : `no rule of detect fits a report of the name ${name}`, { line: 1 });
}

const space = 32;

type Sniffed =
  | { readonly kind: "seen"; readonly columns: readonly string[]; readonly value: string | undefined }
  /** The bytes do not hold the first record yet; perhaps its columns. */
  | { readonly kind: "more"; readonly columns: readonly string[] | undefined }
  /** They are not in this format. */
  | { readonly kind: "fault"; readonly error: ConversionError };

/** The columns that a report begins with, and the value that its first record has in one of them. Some formats tell them at the end only. */
function sniff(input: InputOptions, bytes: Uint8Array, column: string | undefined, isAll: boolean): Sniffed {
  let columns: readonly string[] | undefined;
  let value: string | undefined;
  const stop = new Error("seen");
  const reader = createSniffer(input, {
    onColumns(names) {
      columns ??= names;
      if (column === undefined) throw stop;
    },
    onRow(row) {
      const path = column === undefined ? undefined : parsePath(column);
      const seen = path === undefined || column === undefined ? row : withPaths(row, new Map([[column, path]]));
      if (column !== undefined && seen.kind(column) !== undefined && !isEmpty(seen, column)) value = seen.text(column);
      throw stop;
    },
  });
  try {
    reader.push(bytes);
    if (isAll) reader.end({ takeUnfinished: false });
  } catch (error) {
    if (error instanceof ConversionError) return error.code === "INCOMPLETE" && isAll ? { kind: "more", columns } : { kind: "fault", error };
    if (error !== stop) throw error;
    return { kind: "seen", columns: columns ?? [], value };
  }
  return { kind: "more", columns };
}

/** Whether the bytes are a whole report of this format. */
function readsWhole(input: InputOptions, bytes: Uint8Array): boolean {
  let isRead = false;
  try {
    const reader = createSniffer(input, { onColumns: () => undefined, onRow: () => undefined });
    reader.push(bytes);
    isRead = true;
    reader.end({ takeUnfinished: false });
    return true;
  } catch (error) {
    // That the place of the records is missing is told of whole reports alone.
    if (error instanceof ConversionError) return isRead && error.code === "COLUMN";
    throw error;
  }
}

/** What is held to tell a version: as much as a record may be. */
const heldBytesMax = 16_777_216;

/** As chooseMapping, from a source that is read until it is known; gives what was read too. Throws LIMIT when much of it tells nothing. */
export async function detectMapping(adapter: Detecting, name: string, source: { read(room: Buffer): Promise<number> }): Promise<{ readonly bytes: Buffer; readonly mapping: Mapping }> {
  let bytes = Buffer.alloc(0);
  const [only] = adapter.mappings;
  if (adapter.detect.length === 0 && only !== undefined) return { bytes, mapping: only };
  let wanted = blockBytes;
  for (;;) {
    const block = wanted === blockBytes ? blocks.take() : Buffer.allocUnsafe(wanted);
    let count = await source.read(block.subarray(0, wanted));
    // Packed reports come in small pieces, each of which would have all be looked at again.
    for (let more = bytes.length === 0 ? 0 : count; more > 0 && count < wanted; count += more) more = await source.read(block.subarray(count, wanted));
    bytes = Buffer.concat([bytes, block.subarray(0, count)]);
    if (wanted === blockBytes) blocks.give(block);
    const choice = chooseMapping(adapter, name, bytes, count === 0);
    if (choice.kind === "chosen") return { bytes, mapping: choice.mapping };
    if (count > 0) {
      if (bytes.length >= heldBytesMax) throw new ConversionError("LIMIT", `the first ${heldBytesMax} bytes of the report do not tell its version; let the first record come earlier, or tell versions by name:`, { line: 1 });
      // Twice as much each time, so that a long first record is not read over and over.
      wanted = bytes.length;
      continue;
    }
    if (choice.atEnd instanceof ConversionError) throw choice.atEnd;
    return { bytes, mapping: choice.atEnd };
  }
}
