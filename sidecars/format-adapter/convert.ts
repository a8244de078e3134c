// pure
import { ConversionError } from "./conversion-error.ts";
import { Engine } from "./engine/engine.ts";
import { Compressor, type ByteSource } from "./formats/compression.ts";
import { createByteReader } from "./formats/create-reader.ts";
import { createWriter } from "./formats/create-writer.ts";
import { loadParquet } from "./formats/parquet/load.ts";
import type { RandomAccess } from "./formats/parquet/parquet-pages.ts";
import { readParquet } from "./formats/parquet/parquet-reader.ts";
import type { RecordHandler } from "./formats/row.ts";
import { isBinary, isEngineInput, isEngineOutput } from "./formats/options.ts";
import { compileMapping, type CompiledMapping } from "./mapping/compile.ts";
import { fieldType, type Mapping } from "./mapping/mapping.ts";
import type { Pace } from "./pace.ts";
import { RowConversion } from "./row-conversion.ts";

/** A conversion in progress: bytes in, bytes out, records counted. Deterministic; no clock, no randomness. */
export type Conversion = Pick<Engine, "room" | "take" | "end" | "close" | "rows" | "refusals">;

/** Compiled once: a folder may hold thousands of small reports. */
const compiledMappings = new WeakMap<Mapping, CompiledMapping>();

function compiledOf(mapping: Mapping): CompiledMapping {
  const known = compiledMappings.get(mapping) ?? compileMapping(mapping);
  compiledMappings.set(mapping, known);
  return known;
}

/** Starts a conversion by a mapping. */
export function startConversion(mapping: Mapping): Conversion {
  const { plan, columns, checkColumns } = compiledOf(mapping);
  const { input, output } = mapping;
  if (isEngineInput(input) && isEngineOutput(output)) return new Engine({ input, output, plan, onColumns: checkColumns });
  return new RowConversion({ plan, onColumns: checkColumns, createReader: (handler) => createByteReader(input, handler), writer: writerOf(mapping, columns) });
}

function writerOf({ output, fields, input }: Mapping, columns: readonly string[]): ReturnType<typeof createWriter> {
  return createWriter(columns, output, fields.map((field) => fieldType(field, input.columns)));
}

/** A conversion whose records are handed in. */
function startHandedIn(mapping: Mapping): { readonly conversion: RowConversion; readonly handler: RecordHandler } {
  const { plan, columns, checkColumns } = compiledOf(mapping);
  const handlers: RecordHandler[] = [];
  const createReader = (handler: RecordHandler): { push(): void; end(): void } => {
    handlers.push(handler);
    return { push: () => undefined, end: () => undefined };
  };
  const conversion = new RowConversion({ plan, onColumns: checkColumns, createReader, writer: writerOf(mapping, columns) });
  const [handler] = handlers;
  if (handler === undefined) throw new Error("The conversion made no reader");
  return { conversion, handler };
}

/**
 * Converts a report from its source, unpacked, and writes what comes of it, packed as the mapping says. Each piece is written before the next is
 * made. Throws ConversionError, what `source` and `write` throw, and the signal's reason when it is aborted between two blocks.
 */
export async function convertReport(options: {
  readonly mapping: Mapping;
  readonly source: ByteSource;
  /** The same report; needed by formats that are not read in order. */
  readonly file?: RandomAccess;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly takeUnfinished: boolean;
  readonly signal: AbortSignal;
  /** Keeps the stretches of work short in which nothing else gets its turn; without it every block is as large as the engine likes. */
  readonly pace?: Pace;
}): Promise<Pick<Conversion, "rows" | "refusals">> {
  const { mapping, source, signal, pace } = options;
  const { compression } = mapping.output;
  const compressor = compression === "none" ? undefined : new Compressor(compression, options.write);
  const write = compressor === undefined ? options.write : async (bytes: Uint8Array): Promise<void> => await compressor.write(bytes);
  if (mapping.output.format === "parquet") await loadParquet();
  if (mapping.input.format === "parquet") {
    const { conversion, handler } = startHandedIn(mapping);
    if (options.file === undefined) throw new Error("Parquet is read where its parts stand, which takes a file");
    const flush = async (): Promise<void> => {
      for (const piece of conversion.take(0)) await write(piece);
    };
    try {
      await readParquet(options.file, handler, { signal, onStep: flush });
      for (const piece of conversion.end({ takeUnfinished: options.takeUnfinished })) await write(piece);
      await compressor?.finish();
      return conversion;
    } finally {
      compressor?.close();
      conversion.close();
    }
  }
  const conversion = startConversion(mapping);
  try {
    const read = async (): Promise<number> => await source.read(conversion.room().subarray(0, pace?.blockBytes));
    for (let count = await read(); count > 0; count = await read()) {
      signal.throwIfAborted();
      await writePieces(conversion.take(count), write, pace);
    }
    for (const piece of conversion.end({ takeUnfinished: options.takeUnfinished })) await write(piece);
    await compressor?.finish();
    return conversion;
  } finally {
    compressor?.close();
    conversion.close();
  }
}

async function writePieces(pieces: Iterable<Uint8Array>, write: (bytes: Uint8Array) => Promise<void>, pace: Pace | undefined): Promise<void> {
  const iterator = pieces[Symbol.iterator]();
  const next = (): IteratorResult<Uint8Array> => iterator.next();
  const make = pace === undefined ? next : (): IteratorResult<Uint8Array> => pace.measure(next);
  for (let made = make(); made.done !== true; made = make()) await write(made.value);
  pace?.adjust();
}

const standIns = new WeakMap<Mapping, Mapping>();

/** Examples are texts: NDJSON stands there for a format that is none. Names are the same in both, but for Parquet's, which do not nest. */
function standIn(mapping: Mapping): Mapping {
  const { input, output } = mapping;
  if (!isBinary(input) && !isBinary(output)) return mapping;
  const known = standIns.get(mapping) ?? {
    ...mapping,
    input: isBinary(input) ? { compression: input.compression, strict: input.strict, columns: input.columns, format: "ndjson" } : input,
    output: isBinary(output) ? { compression: output.compression, file: output.file, format: "ndjson" } : output,
  } satisfies Mapping;
  standIns.set(mapping, known);
  return known;
}

/** Converts a whole text at once, packing neither it nor what comes of it; for examples and tests. */
export function convertText(mapping: Mapping, text: string): { readonly kind: "converted"; readonly text: string; readonly rows: number } | { readonly kind: "failed"; readonly error: ConversionError } {
  try {
    const conversion = startConversion(standIn(mapping));
    const pieces: Buffer[] = [];
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) {
      const count = bytes.copy(conversion.room(), 0, at);
      for (const piece of conversion.take(count)) pieces.push(Buffer.from(piece));
      at += count;
    }
    for (const piece of conversion.end({ takeUnfinished: false })) pieces.push(Buffer.from(piece));
    return { kind: "converted", text: Buffer.concat(pieces).toString("utf8"), rows: conversion.rows };
  } catch (error) {
    if (error instanceof ConversionError) return { kind: "failed", error };
    throw error;
  }
}
