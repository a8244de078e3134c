// pure
import type { ShipperConfig, SourceConfig } from "../config.ts";
import { createEncoder } from "../encode/create-encoder.ts";
import { decodeText, encodingOf, markBytesMax, type Encoding } from "../encode/encoding.ts";
import type { ExtraPairs, RecordTime } from "../encode/range-encoder.ts";
import { decodeValue, isArray, isMap, skipValue, toPlain, type Decoded } from "../forward-protocol/msgpack-reader.ts";
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import type { ParserSettings } from "../parse/create-parser.ts";
import { refusalOf } from "../parse/refusal.ts";
import type { EntryBatch } from "../shape/shaper.ts";

/** What the commands that explain share: records made of bytes by the shipper's own parts, in a form that people can read. */
export type LinesSource = Extract<SourceConfig, { type: "tail" | "stdin" }>;
export type PreviewedRecord = {
  /** Where the record's bytes begin, and how many are its own. */
  readonly from: number;
  readonly bytes: number;
  /** The source's text: all lines of it, or the first if lines of other records lie between. */
  readonly text: string;
  /** How many lines of the source it is made of; undefined if lines of other records lie between. */
  readonly lines: number | undefined;
  /** Whether its time is that of a container's line. */
  readonly timed: boolean;
  /** Why its line's parser refused it; it is shipped raw. */
  readonly refusal: string | undefined;
  /** The entry alone, as a batch of one. */
  readonly batch: EntryBatch;
};
export type Preview = { readonly encoding: Encoding; readonly records: readonly PreviewedRecord[]; readonly batch: EntryBatch; readonly unparsed: number; /** Bytes that are in no record. */ readonly discarded: number; /** Bytes left over at the end: an unfinished line. */ readonly left: number };

/** `final` takes what stands at the end without a newline as a line. */
export function preview(config: ShipperConfig, source: LinesSource, bytes: Buffer, facts: { readonly time: RecordTime; readonly extra: ExtraPairs; readonly final: boolean }): Preview {
  const encoder = createEncoder(source, config, { writer: new MsgpackWriter(65_536), core: undefined });
  const encoding = source.encoding === "auto" ? (encodingOf(bytes.subarray(0, markBytesMax), true) ?? "utf-8") : source.encoding;
  const encoded = encoder.encode(bytes, { from: 0, end: bytes.length, position: 0, encoding, discarding: false, inputMax: Infinity, outputMax: Infinity, flush: facts.final, ...facts });
  const entries = Buffer.from(encoded.entries);
  const spans = encoded.spans.slice();
  const records: PreviewedRecord[] = [];
  let at = 0;
  for (let index = 0; index < encoded.records; index++) {
    const to = skipValue(entries, at, entries.length);
    const from = spans[index * 2] ?? 0;
    const own = spans[index * 2 + 1] ?? 0;
    const batch = { entries: entries.subarray(at, to), records: 1, spans: spans.slice(index * 2, index * 2 + 2) };
    const apart = (spans[index * 2 + 2] ?? Infinity) < from + own;
    const covered = decodeText(encoding, bytes, from, from + own);
    const timed = source.container !== "none" && timeOf(batch) !== timeText(facts.time.seconds, facts.time.nanoseconds);
    records.push({
      from, bytes: own, timed,
      text: (apart ? covered.slice(0, covered.indexOf("\n") + 1) : covered).replace(/\r?\n$/, ""),
      lines: apart ? undefined : (covered.match(/\n./gs)?.length ?? 0) + 1,
      refusal: encoded.unparsed === 0 ? undefined : source.container !== "none" && !timed ? `the line is not of the container format "${source.container}"` : refusedLine(source, batch),
      batch,
    });
    at = to;
  }
  return { encoding, records, batch: { entries, records: encoded.records, spans }, unparsed: encoded.unparsed, discarded: encoded.discardedBytes, left: bytes.length - encoded.end };
}

function refusedLine(settings: ParserSettings, batch: EntryBatch): string | undefined {
  const fields = fieldsOf(batch);
  const { log } = fields;
  return typeof log === "string" && fields["log_partial"] === undefined && fields["log_cut"] === undefined ? refusalOf(settings, log) : undefined;
}

/** The fields of the first record as JSON-like data; integers beyond 2^53 as text. */
export function fieldsOf(batch: EntryBatch): Readonly<Record<string, unknown>> {
  const fields = entryOf(batch)[1];
  return isMap(fields) ? (toPlain(fields) as Record<string, unknown>) : {};
}

/** The time of the first record in RFC 3339, to the nanosecond; empty if it is no EventTime. */
export function timeOf(batch: EntryBatch): string {
  const time = entryOf(batch)[0];
  if (time === undefined || time === null || typeof time !== "object" || !("extension" in time) || time.data.length !== 8) return "";
  const view = Buffer.from(time.data);
  return timeText(view.readUInt32BE(0), view.readUInt32BE(4));
}

function timeText(seconds: number, nanoseconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanoseconds).padStart(9, "0")}Z`;
}

function entryOf({ entries }: EntryBatch): readonly Decoded[] {
  const { value } = decodeValue(entries, 0);
  return isArray(value) ? value : [];
}
