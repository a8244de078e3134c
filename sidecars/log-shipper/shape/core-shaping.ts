// pure
import { shapeArea, shapeOutcome, type Core } from "../core/core.ts";
import type { ExtraPairs } from "../encode/range-encoder.ts";
import type { EntryBatch } from "./shaper.ts";

/** What the core makes of a batch: valid until its next use. */
export type CoreShaped = {
  readonly batch: EntryBatch;
  /** Bytes of the records that go nowhere. */
  readonly filteredBytes: number;
  /** By number of a filter: records that the core itself dropped by it. */
  readonly filtered: Uint32Array;
  /** Records that the core left. */
  readonly hostRecords: number;
};

export type CoreRequest = {
  readonly program: Buffer;
  readonly batch: EntryBatch;
  readonly added: ExtraPairs;
  /** No setting speaks of the added pairs. */
  readonly passOver: boolean;
  readonly contentHash: number;
  /** Where the range begins in its content. */
  readonly from: number;
  /** Shapes the one entry at `at` of the batch; undefined when it goes nowhere. `nth` is its place in the batch. */
  readonly host: (at: number, nth: number) => Uint8Array | undefined;
};

/** Runs a program (core-program.ts) over a batch. Undefined when it does not fit the core's memory; nothing is told then. */
export function shapeInCore(core: Core, { program, batch, added, passOver, contentHash, from, host }: CoreRequest): CoreShaped | undefined {
  const { functions, memory, shapingArea, shapedEnd } = core;
  const entries = placeOf(core, batch);
  if (entries === undefined) return undefined;
  memory.set(program, shapingArea);
  functions.openShape(shapingArea, shapedEnd, entries, entries + batch.entries.length, core.spansArea, core.keptSpansArea);
  functions.describeShape(added.count, added.bytes.length, passOver, contentHash, from);
  let hostRecords = 0;
  let outcome = functions.shape();
  for (; outcome === shapeOutcome.hostEntry; outcome = functions.shape()) {
    const shaped = host(functions.entry.value - entries, (functions.span.value - core.spansArea) / 8);
    hostRecords++;
    const output = functions.shaped.value;
    if (shaped !== undefined) {
      if (shaped.length > shapedEnd - output) return undefined;
      memory.set(shaped, output);
      functions.shaped.value = output + shaped.length;
    }
    functions.pass(shaped !== undefined);
  }
  if (outcome === shapeOutcome.full) return undefined;
  const kept = functions.kept.value;
  const shapedFrom = shapingArea + shapeArea.shaped;
  return {
    batch: { entries: memory.subarray(shapedFrom, functions.shaped.value), records: kept, spans: core.keptSpans(kept) },
    filteredBytes: functions.droppedBytes.value,
    filtered: new Uint32Array(memory.buffer, shapingArea + shapeArea.counts, 256),
    hostRecords,
  };
}

/** Where the entries stand in the core's memory, with their spans in the place for spans: where its encoder has made them, or else they are taken there, if they fit. */
function placeOf({ memory, outputArea, outputEnd, spansArea, shapingArea }: Core, { entries, records, spans }: EntryBatch): number | undefined {
  if (entries.buffer === memory.buffer && spans.buffer === memory.buffer && spans.byteOffset === spansArea) return entries.byteOffset;
  if (entries.length > outputEnd - outputArea || records * 8 > shapingArea - spansArea) return undefined;
  memory.set(entries, outputArea);
  new Uint32Array(memory.buffer, spansArea, records * 2).set(spans);
  return outputArea;
}
