import assert from "node:assert/strict";
import { decodeMulti, type ExtData } from "@msgpack/msgpack";
import { createEncoder } from "../../../../sidecars/log-shipper/encode/create-encoder.ts";
import type { Encoding } from "../../../../sidecars/log-shipper/encode/encoding.ts";
import type { LongLines } from "../../../../sidecars/log-shipper/encode/framing.ts";
import { noExtraPairs, type EncodedRange, type EncodeRequest, type RangeEncoder } from "../../../../sidecars/log-shipper/encode/range-encoder.ts";
import { MsgpackWriter } from "../../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import type { LineConfig } from "../../../../sidecars/log-shipper/sources/line-config.ts";

export type Settings = Partial<LineConfig> & { readonly lineMax?: number; readonly tooLong?: LongLines; /** What the reader found for `encoding: auto`. */ readonly found?: Encoding };
export type Grouped = { readonly record: Readonly<Record<string, unknown>>; /** Seconds and nanoseconds; undefined for the file's time. */ readonly time: string | undefined; readonly start: number; readonly own: number };
export type Outcome = { readonly records: readonly Grouped[]; readonly discarded: number; readonly unparsed: number; readonly dropped: number; readonly entries: Buffer; readonly consumed: number; readonly waiting: boolean };

const fileTime = { seconds: 7, nanoseconds: 0 };
export const plain: LineConfig = { format: "raw", regexp: undefined, encoding: "auto", container: "none", streamField: "stream", multiline: undefined };

export function multiline(settings: Partial<NonNullable<LineConfig["multiline"]>>): NonNullable<LineConfig["multiline"]> {
  return { start: undefined, continue: undefined, presets: [], maxLines: 1_000, maxBytes: 131_072, flushMs: 1_000, ...settings };
}

export function encoderFor(settings: Settings): RangeEncoder {
  return createEncoder({ ...plain, ...settings }, { lines: { maxBytes: settings.lineMax ?? 131_072, tooLong: settings.tooLong ?? "split" } }, { writer: new MsgpackWriter(64), core: undefined });
}

type State = { from: number; discarding: boolean; cutStreams: number };

function requestOf(state: State, settings: Settings, end: number, more: Partial<EncodeRequest>): EncodeRequest {
  return { ...state, end, position: state.from, encoding: settings.found, final: false, inputMax: Infinity, outputMax: Infinity, time: fileTime, extra: noExtraPairs, flush: false, ...more };
}

/**
 * Encodes `bytes` as they arrive in pieces that end at `stops`, carrying state over as the tailer does. Each range that comes of it is
 * encoded again by itself, as after a restart, and must give the same.
 */
export function encodeArriving(bytes: Buffer, settings: Settings, stops: readonly number[] = [], { open = false, ...more }: Partial<EncodeRequest> & { readonly open?: boolean } = {}): Outcome {
  const encoder = encoderFor(settings);
  const state: State = { from: 0, discarding: false, cutStreams: 0 };
  const records: Grouped[] = [];
  const parts: Buffer[] = [];
  let discarded = 0;
  let unparsed = 0;
  let dropped = 0;
  let waiting = false;
  for (const end of [...stops, bytes.length]) {
    const last = end === bytes.length && !open;
    for (;;) {
      const start = { ...state };
      const range = copied(encoder.encode(bytes, requestOf(state, settings, end, { final: last, flush: last, ...more })));
      ({ waiting } = range);
      if (range.end === state.from) break;
      assertReplay(bytes, settings, start, range, last && range.end === end);
      records.push(...groupsOf(range, start.from));
      parts.push(Buffer.from(range.entries));
      discarded += range.discardedBytes;
      unparsed += range.unparsed;
      dropped += range.droppedLines ?? 0;
      Object.assign(state, { from: range.end, discarding: range.discarding, cutStreams: range.cutStreams ?? 0 });
      if (range.end === end) break;
    }
  }
  return { records, discarded, unparsed, dropped, entries: Buffer.concat(parts), consumed: state.from, waiting };
}

function assertReplay(bytes: Buffer, settings: Settings, state: State, range: EncodedRange, final: boolean): void {
  const alone = Buffer.concat([Buffer.from("xy"), bytes.subarray(state.from, range.end)]);
  const request = { ...requestOf({ ...state, from: 2 }, settings, alone.length, { final, flush: true, position: state.from }), ...(final ? {} : { rest: range.discarding ? ("cut" as const) : ("partial" as const) }) };
  const again = copied(encoderFor(settings).encode(alone, request));
  assert.deepEqual({ ...again, end: again.end - 2 + state.from, waiting: false }, { ...range, waiting: false });
}

function copied(range: EncodedRange): EncodedRange {
  return { ...range, entries: Buffer.from(range.entries), spans: Uint32Array.from(range.spans), cutStreams: range.cutStreams ?? 0 };
}

function groupsOf({ entries, spans }: EncodedRange, from: number): readonly Grouped[] {
  return [...decodeMulti(entries)].map((entry, index) => {
    const [time, record] = entry as [ExtData, Record<string, unknown>];
    const view = Buffer.from(time.data);
    const seconds = view.readUInt32BE(0);
    return { record, time: seconds === fileTime.seconds ? undefined : `${seconds}.${String(view.readUInt32BE(4)).padStart(9, "0")}`, start: from + (spans[index * 2] ?? 0), own: spans[index * 2 + 1] ?? 0 };
  });
}
