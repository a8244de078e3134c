import { createHash } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoundedQueue } from "../../../kit/bounded-queue.ts";
import { ConversionError } from "../conversion-error.ts";
import { convertReport } from "../convert.ts";
import { createByteReader } from "../formats/create-reader.ts";
import { compactJson } from "../formats/json-text.ts";
import type { InputOptions, OutputOptions } from "../formats/options.ts";
import { readParquet } from "../formats/parquet/parquet-reader.ts";
import type { RecordHandler, Row } from "../formats/row.ts";
import { isFlat, type Mapping } from "../mapping/mapping.ts";
import { withFile, withReport } from "./open-report.ts";
import { randomAccess } from "../report-input.ts";
import { inputOfSettings, ReportFault } from "./command-line.ts";
import type { ValueForm } from "./compare-values.ts";

/** A record as it was read: the line on which it begins, and its values by column. */
export type ReadRecord = { readonly line: number; readonly values: ReadonlyMap<string, string> };

/**
 * The records of a report, in its order, a block of the file in memory at a time. `columns` is right once the first record was asked for, where
 * every record has the same (`isFlat`); `bytes` when the last one was.
 */
export type RecordSource = AsyncIterable<ReadRecord> & {
  readonly columns: readonly string[];
  readonly isFlat: boolean;
  readonly form: ValueForm;
  /** SHA-256 of the report, unpacked. */
  bytes(): string;
};

const typedFormats: ReadonlySet<string> = new Set(["ndjson", "json", "yaml", "toml", "parquet", "avro"]);

/** Whether a format tells a number from a text. */
export function isTyped(input: InputOptions): boolean {
  return typedFormats.has(input.format);
}

const blockBytes = 262_144;

/** Reads a report of this format. Iterating throws ReportFault and what the system refuses. */
export function readRecords(path: string, input: InputOptions, form: ValueForm = "text"): RecordSource {
  return sourceOf(path, input, form, async ({ reader, digest, give, signal }) => {
    if (input.format === "parquet") return await withFile(path, async (file) => await readParquet(randomAccess(file, (await file.stat()).size), reader.handler, { signal, onStep: give }));
    await withReport(path, async (source) => {
      const bytes = createByteReader(input, reader.handler);
      const block = Buffer.allocUnsafe(blockBytes);
      for (let count = await source.read(block); count > 0 && !signal.aborted; count = await source.read(block)) {
        digest.update(block.subarray(0, count));
        bytes.push(block.subarray(0, count));
        await give();
      }
      if (!signal.aborted) bytes.end({ takeUnfinished: true });
    });
  });
}

/** Adapts a report by a mapping and reads what comes of it. As readRecords otherwise. */
export function readAdapted(path: string, mapping: Mapping, form: ValueForm = "text"): RecordSource {
  const { input: made, plain } = { input: inputOfOutput(mapping), plain: { ...mapping, output: { ...mapping.output, compression: "none" } } satisfies Mapping };
  if (made.format === "parquet") return readAdaptedFile(path, plain, made, form);
  return sourceOf(path, made, form, async ({ reader, digest, give, signal }) => {
    const bytes = createByteReader(made, reader.handler);
    await adapt(path, plain, signal, async (piece) => {
      digest.update(piece);
      bytes.push(piece);
      await give();
    });
    bytes.end({ takeUnfinished: true });
  });
}

/** What is not read in order is written first, into the folder for temporary files. */
function readAdaptedFile(path: string, mapping: Mapping, made: InputOptions, form: ValueForm): RecordSource {
  return sourceOf(path, made, form, async ({ reader, give, signal }) => {
    const directory = await mkdtemp(join(tmpdir(), "podkit-diff-"));
    try {
      const file = await open(join(directory, "adapted"), "wx+");
      try {
        await adapt(path, mapping, signal, async (piece) => void (await file.write(piece)));
        await readParquet(randomAccess(file, (await file.stat()).size), reader.handler, { signal, onStep: give });
      } finally {
        await file.close();
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
}

async function adapt(path: string, mapping: Mapping, signal: AbortSignal, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  await withReport(path, async (source, file) => {
    await convertReport({ mapping, source, file: randomAccess(file, (await file.stat()).size), write, takeUnfinished: true, signal });
  });
}

/** How what a mapping writes is read. */
export function inputOfOutput({ output, fields }: Mapping): InputOptions {
  return inputOfSettings(settingsOfOutput(output, fields.map(({ name }) => name)), "what the mapping writes");
}

function settingsOfOutput(output: OutputOptions, columns: readonly string[]): Readonly<Record<string, unknown>> {
  const { format } = output;
  switch (format) {
    case "csv":
      return {
        format, delimiter: output.delimiter,
        ...(output.quote === "none" ? { quote: "none" } : { quoteCharacter: output.quoteCharacter, escape: output.escape }),
        ...(output.header ? {} : { header: false, names: columns }),
        ...(output.trailer === undefined ? {} : { trailer: output.trailer }),
      };
    case "json":
      return { format, ...(output.wrap === undefined || output.wrap.records.length === 0 ? {} : { records: output.wrap.records.join("."), strict: false }) };
    case "xml":
      return { format, records: `/${[output.root].flat().join("/")}/${output.record}` };
    case "fixed-width":
      return { format, unit: output.unit, layout: Object.fromEntries(output.layout.map(({ name, width, align, pad }) => [name, { width, align, pad }])) };
    case "ini":
      return { format, section: output.section };
    case "toml":
      return { format, records: output.name };
    default:
      return { format };
  }
}

type Digest = { update(bytes: Uint8Array): void };
type Production = {
  /** Takes what a reader finds. */
  readonly reader: { readonly handler: RecordHandler };
  readonly digest: Digest;
  /** Hands over what was found so far, and waits until it is wanted. */
  readonly give: () => Promise<void>;
  /** Aborted when no more is wanted. */
  readonly signal: AbortSignal;
};

/** Turns a reader that hands out records into one that is asked for them. */
function sourceOf(path: string, input: InputOptions, form: ValueForm, produce: (production: Production) => Promise<void>): RecordSource {
  const columns: string[] = [];
  const hash = createHash("sha256");
  let digest: string | undefined;
  return {
    columns,
    isFlat: isFlat(input),
    form,
    bytes: () => (digest ??= hash.digest("hex")),
    async *[Symbol.asyncIterator]() {
      const stop = new AbortController();
      const queue = new BoundedQueue<readonly ReadRecord[]>({ capacity: 1 });
      let found: ReadRecord[] = [];
      let fault: { readonly error: unknown } | undefined;
      const give = async (): Promise<void> => {
        const records = found;
        found = [];
        if (records.length > 0) await queue.push(records);
      };
      const handler: RecordHandler = {
        onColumns: (names) => void columns.push(...names),
        onRow: (row) => void found.push({ line: row.line, values: valuesOf(row, columns, form) }),
      };
      const produced = produce({ reader: { handler }, digest: hash, give, signal: stop.signal }).then(give).catch((error: unknown) => {
        fault = { error };
      }).finally(() => queue.close());
      try {
        for await (const records of queue) yield* records;
        if (fault !== undefined) throw fault.error instanceof ConversionError ? new ReportFault(path, fault.error) : fault.error;
      } finally {
        stop.abort();
        queue.close();
        await produced;
      }
    },
  };
}

function valuesOf(row: Row, columns: readonly string[], form: ValueForm): ReadonlyMap<string, string> {
  return new Map(columns.flatMap((column) => {
    const [kind, text] = [row.kind(column), row.text(column)];
    if (kind === undefined || text === undefined) return [];
    if (kind === "null") return [[column, form === "text" ? "" : "null"] as const];
    if (kind === "nested") return [[column, compactJson(text)] as const];
    return [[column, form === "json" && kind === "text" ? JSON.stringify(text) : text] as const];
  }));
}
