import { open } from "node:fs/promises";
import { unpack, type ByteSource } from "../formats/compression.ts";
import { createByteReader } from "../formats/create-reader.ts";
import type { InputOptions } from "../formats/options.ts";
import type { Row } from "../formats/row.ts";
import { ReportInput } from "../report-input.ts";

/** A record as it was read: its line and its values by column, each with its kind. */
export type ReadRecord = { readonly line: number; readonly values: ReadonlyMap<string, string> };

const blockBytes = 262_144;

/** The records of a report, in its order, a block of the file in memory at a time. Throws ConversionError and what the system refuses. */
export async function* readRecords(path: string, input: InputOptions): AsyncGenerator<ReadRecord> {
  const file = await open(path);
  const packed = new ReportInput(file);
  const source = await unpack(packed);
  try {
    yield* recordsOf(source, input);
  } finally {
    source.close();
    packed.close();
    await file.close();
  }
}

async function* recordsOf(source: ByteSource, input: InputOptions): AsyncGenerator<ReadRecord> {
  const columns: string[] = [];
  let records: ReadRecord[] = [];
  const reader = createByteReader(input, {
    onColumns: (names) => void columns.push(...names),
    onRow: (row) => void records.push({ line: row.line, values: valuesOf(row, columns) }),
  });
  const block = Buffer.allocUnsafe(blockBytes);
  for (let count = await source.read(block); count > 0; count = await source.read(block)) {
    reader.push(block.subarray(0, count));
    yield* records;
    records = [];
  }
  reader.end({ takeUnfinished: true });
  yield* records;
}

function valuesOf(row: Row, columns: readonly string[]): ReadonlyMap<string, string> {
  return new Map(columns.flatMap((column) => {
    const [kind, text] = [row.kind(column), row.text(column)];
    return kind === undefined || text === undefined ? [] : [[column, kind === "null" ? "" : text] as const];
  }));
}

export type DiffOutcome = { readonly records: number; readonly different: number; readonly lines: readonly string[] };

const shownMax = 20;

/**
 * Compares two reports record by record, in their order, by the text of every value: what was changed, what is in one of them alone.
 * `ignored` columns are passed over. Memory does not grow with the reports.
 */
export async function diffReports(first: AsyncIterable<ReadRecord>, second: AsyncIterable<ReadRecord>, ignored: ReadonlySet<string>): Promise<DiffOutcome> {
  const lines: string[] = [];
  let [records, different] = [0, 0];
  const [left, right] = [first[Symbol.asyncIterator](), second[Symbol.asyncIterator]()];
  try {
    for (;;) {
      const [one, other] = [await left.next(), await right.next()];
      if (one.done === true && other.done === true) break;
      records++;
      const found = one.done === true ? [`only in the second, line ${(other.value as ReadRecord).line}`] : other.done === true ? [`only in the first, line ${one.value.line}`] : differences(one.value, other.value, ignored);
      if (found.length === 0) continue;
      different++;
      if (different <= shownMax) lines.push(...found.map((text) => `record ${records}: ${text}`));
    }
  } finally {
    await left.return?.(undefined);
    await right.return?.(undefined);
  }
  if (different > shownMax) lines.push(`… and ${different - shownMax} more records`);
  return { records, different, lines };
}

function differences(first: ReadRecord, second: ReadRecord, ignored: ReadonlySet<string>): readonly string[] {
  const columns = [...new Set([...first.values.keys(), ...second.values.keys()])].filter((column) => !ignored.has(column));
  const show = (text: string | undefined): string => (text === undefined ? "missing" : JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text));
  return columns.flatMap((column) => {
    const [one, other] = [first.values.get(column), second.values.get(column)];
    return one === other ? [] : [`${column}: ${show(one)} (line ${first.line}) is ${show(other)} (line ${second.line})`];
  });
}
