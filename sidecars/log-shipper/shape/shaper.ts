// pure
import type { ExtraPairs } from "../encode/range-encoder.ts";

/**
 * What becomes of a range's records between their parser and the sinks: times are taken from fields, records are dropped, changed
 * and routed. Like the encoder it is a function of its input: the same records with the same settings, and with what was
 * remembered of the first time (`memory`), give the same bytes.
 */
export type EntryBatch = {
  /** Entries, one after another. */
  readonly entries: Uint8Array;
  readonly records: number;
  /** Two numbers per record: start relative to the range, and bytes of its own (encode/range-encoder.ts). */
  readonly spans: Uint32Array;
};

/** What a decision depended on besides the records, such as the rate at the time. Plain JSON, written with the cut; small. */
export type ShapeMemory = { readonly [key: string]: readonly number[] };

export type ShapeFacts = {
  /** Names the content that the records come from, and where the range begins in it: together with a span they make a record's id. */
  readonly content: string;
  readonly from: number;
  readonly tag: string;
  /** Monotonic. */
  readonly nowMs: number;
  /** The pairs that every record of the batch ends with, where there are such (enrichment): they need not be looked through. */
  readonly extra?: ExtraPairs;
  /** Of the first time, when the range is cut again after a restart. */
  readonly memory: ShapeMemory | undefined;
};

export type ShapedRange = {
  /** For each outlet, in the order of the settings, what goes there; memory of their own. */
  readonly outlets: readonly EntryBatch[];
  /** Bytes of the records that go nowhere. */
  readonly filteredBytes: number;
  readonly memory: ShapeMemory | undefined;
};

export interface Shaper {
  shape(batch: EntryBatch, facts: ShapeFacts): ShapedRange;
}
