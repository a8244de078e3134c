// pure
import { coreArea, coreOutcome, extraBytesMax, type Core } from "../core/core.ts";
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { markBytes } from "./encoding.ts";
import type { LongLines } from "./framing.ts";
import { LineEncoder } from "./line-encoder.ts";
import type { EncodedRange, EncodeRequest, ExtraPairs, RangeEncoder, RecordTime } from "./range-encoder.ts";

/**
 * The line encoder for raw and JSON lines in the hot core. It gives the same bytes as `LineEncoder`, which does what does not fit
 * the core's memory, and the lines that the core leaves: objects of more than 64 keys.
 */
export class FastEncoder implements RangeEncoder {
  readonly #core: Core;
  readonly #format: "raw" | "json";
  readonly #lineMax: number;
  readonly #cuts: boolean;
  readonly #reference: LineEncoder;
  readonly #partialFlag: Uint8Array;
  readonly #cutFlag: Uint8Array;
  readonly #plainPrefix = new MsgpackWriter(64);
  readonly #flaggedPrefix = new MsgpackWriter(64);

  constructor(options: { readonly core: Core; readonly format: "raw" | "json"; readonly lineMax: number; readonly longLines: LongLines; readonly writer: MsgpackWriter }) {
    this.#core = options.core;
    this.#format = options.format;
    this.#lineMax = options.lineMax;
    this.#cuts = options.longLines === "cut";
    this.#reference = new LineEncoder(options);
    this.#partialFlag = flagPair("log_partial");
    this.#cutFlag = flagPair("log_cut");
  }

  /** Bytes that lie in the core's input are encoded where they are; others are taken there, if they fit. */
  encode(bytes: Buffer, request: EncodeRequest): EncodedRange {
    const { from, end, extra } = request;
    const base = this.#core.positionOf(bytes) ?? this.#moveIn(bytes, from, end);
    const marked = request.position === 0 && markBytes("utf-8", bytes, from, end) > 0;
    if (base === undefined || marked || extra.bytes.length > extraBytesMax) return this.#reference.encode(bytes, request);
    return this.#encode(base, request) ?? this.#reference.encode(bytes, request);
  }

  /** Undefined when the range does not fit. */
  #encode(base: number, request: EncodeRequest): EncodedRange | undefined {
    const { functions, memory, outputArea, outputEnd } = this.#core;
    const { from, end, inputMax, outputMax, rest } = request;
    this.#prepare(request.time, request.extra);
    functions.open(base + from, base + end, Math.min(inputMax, end - from), request.final, request.discarding);
    functions.openOutput(outputArea, outputEnd, Math.min(outputMax, outputEnd - outputArea), this.#core.spansArea, this.#plainPrefix.length, this.#flaggedPrefix.length, request.extra.bytes.length, request.extra.count);
    let outcome = functions.run();
    for (; outcome === coreOutcome.hostLine; outcome = functions.run()) if (!this.#hostLine(request)) return undefined;
    if (outcome === coreOutcome.done && rest !== undefined) outcome = functions.takeRest(rest === "cut");
    const at = functions.at.value - base;
    const length = functions.output.value - outputArea;
    // Stopped by the area, not by what was asked for.
    if (outcome === coreOutcome.full || (length < outputMax && length >= outputEnd - outputArea)) return undefined;
    const records = functions.records.value;
    return {
      end: at,
      records,
      entries: memory.subarray(outputArea, outputArea + length),
      spans: this.#core.spans(records),
      discardedBytes: functions.discardedBytes.value,
      discarding: functions.discarding.value !== 0,
      unparsed: functions.unparsed.value,
      waiting: false,
    };
  }

  #prepare(time: RecordTime, extra: ExtraPairs): void {
    const { functions, memory } = this.#core;
    functions.configure(this.#format === "json", this.#cuts, this.#lineMax, this.#partialFlag.length, this.#cutFlag.length);
    logPrefix(this.#plainPrefix, time, 1 + extra.count);
    logPrefix(this.#flaggedPrefix, time, 2 + extra.count);
    memory.set(this.#plainPrefix.bytes(), coreArea.plainPrefix);
    memory.set(this.#flaggedPrefix.bytes(), coreArea.flaggedPrefix);
    memory.set(this.#partialFlag, coreArea.partialFlag);
    memory.set(this.#cutFlag, coreArea.cutFlag);
    memory.set(extra.bytes, coreArea.extra);
  }

  /** Encodes the one line that the core left. False when its entry does not fit. */
  #hostLine(request: EncodeRequest): boolean {
    const { functions, memory, outputEnd } = this.#core;
    const line = this.#reference.encode(memory, { ...request, from: functions.lineStart.value, end: functions.at.value, final: true, rest: undefined, discarding: false, inputMax: Infinity, outputMax: Infinity });
    const output = functions.output.value;
    if (line.entries.length > outputEnd - output) return false;
    memory.set(line.entries, output);
    functions.output.value = output + line.entries.length;
    functions.unparsed.value += line.unparsed;
    return true;
  }

  /** Where `bytes[0]` would lie, for `bytes[from, end)` at the begin of the core's input. */
  #moveIn(bytes: Buffer, from: number, end: number): number | undefined {
    const { input } = this.#core;
    if (end - from > input.length) return undefined;
    bytes.copy(input, 0, from, end);
    return input.byteOffset - from;
  }
}

/** Begin of the entry of a record with the line as its first pair. */
function logPrefix(writer: MsgpackWriter, time: RecordTime, pairs: number): void {
  writer.reset();
  writer.byte(0x92);
  writer.eventTime(time.seconds, time.nanoseconds);
  writer.mapHeader(pairs);
  writer.string("log");
}

function flagPair(name: string): Uint8Array {
  const writer = new MsgpackWriter(16);
  writer.string(name);
  writer.byte(0xc3);
  return writer.copy();
}
