// pure
import type { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { createParser, type LineParser } from "../parse/create-parser.ts";
import type { RegexpConfig } from "../parse/regexp.ts";
import { LineCursor, type LongLines } from "./framing.ts";
import type { EncodedRange, EncodeRequest, LineFormat, RangeEncoder } from "./range-encoder.ts";
import { SpanList } from "./span-list.ts";

/**
 * A record for every line. A line that its parser refuses becomes `{log: line}` and is counted, never dropped. Pieces of
 * over-long lines are not parsed; they carry `log_partial: true` (more of the line follows in the next record) or
 * `log_cut: true` (the rest was passed over).
 */
export class LineEncoder implements RangeEncoder {
  readonly #cursor: LineCursor;
  /** Undefined when lines are shipped as they are. */
  readonly #parser: LineParser | undefined;
  readonly #writer: MsgpackWriter;
  readonly #spans = new SpanList();

  /** Encoders may share a writer: its content is theirs until the next call only. */
  constructor(options: { readonly format: LineFormat; readonly regexp?: RegexpConfig | undefined; readonly lineMax: number; readonly longLines: LongLines; readonly writer: MsgpackWriter }) {
    this.#cursor = new LineCursor(options);
    this.#parser = createParser({ format: options.format, regexp: options.regexp });
    this.#writer = options.writer;
  }

  encode(bytes: Buffer, request: EncodeRequest): EncodedRange {
    const cursor = this.#cursor;
    this.#writer.reset();
    this.#spans.reset();
    cursor.open(bytes, request);
    let unparsed = 0;
    while (cursor.at - request.from < request.inputMax && this.#writer.length < request.outputMax && cursor.next()) {
      if (!this.#record(bytes, cursor, request)) unparsed++;
    }
    if (request.rest !== undefined && cursor.takeRest(request.rest)) this.#record(bytes, cursor, request);
    return { end: cursor.at, records: this.#spans.records, entries: this.#writer.bytes(), spans: this.#spans.view(), discardedBytes: cursor.discardedBytes, discarding: cursor.discarding, ...(cursor.droppedLines === 0 ? {} : { droppedLines: cursor.droppedLines }), unparsed, waiting: false };
  }

  /** False when the line's parser refused it. */
  #record(bytes: Buffer, line: LineCursor, { from, time, extra }: EncodeRequest): boolean {
    const writer = this.#writer;
    this.#spans.add(line.start - from, line.at - line.start);
    writer.byte(0x92);
    writer.eventTime(time.seconds, time.nanoseconds);
    const parsed = this.#parser === undefined || line.flag !== "whole" ? undefined : this.#parser.object(bytes, line.start, line.stop, writer, extra.count) >= 0;
    if (parsed !== true) {
      writer.mapHeader(1 + extra.count + (line.flag === "whole" ? 0 : 1));
      writer.raw(logKey);
      writer.stringHeader(line.stop - line.start);
      writer.raw(bytes, line.start, line.stop);
      if (line.flag !== "whole") {
        writer.string(line.flag === "cut" ? "log_cut" : "log_partial");
        writer.byte(0xc3);
      }
    }
    writer.raw(extra.bytes);
    return parsed !== false;
  }
}

const logKey = Buffer.from([0xa3, 0x6c, 0x6f, 0x67]);
