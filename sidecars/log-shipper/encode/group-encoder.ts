// pure
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { createParser, type LineParser, type ParserSettings } from "../parse/create-parser.ts";
import { ContainerLine, type ContainerFormat } from "./container-line.ts";
import { codeUnitsOf, decodeText, type Encoding } from "./encoding.ts";
import { LineCursor, type LongLines } from "./framing.ts";
import { LineGroup, pieceOf, wholeGroups, type PieceKind } from "./line-group.ts";
import { MultiLine, OpenRecord, type LineGrouping } from "./multi-line.ts";
import type { EncodedRange, EncodeRequest, RangeEncoder } from "./range-encoder.ts";
import { SpanList } from "./span-list.ts";

/**
 * Records of lines that are more than bytes up to a newline: in other encodings than UTF-8, in a container runtime's format, parts
 * of one line, or lines of one record. Records come in the order of their first bytes. A range ends where no record reaches over, so
 * that its records depend on its own bytes alone.
 *
 * A record of two streams that are written alternately has bytes in several places: its span counts its own.
 *
 * - A container's line in parts becomes one line. Parts that are together longer than `lineMax` are treated as a line that is too
 *   long: divided between parts in mode "split".
 * - A group of lines that has reached `maxLines` or `maxBytes` ends, flagged `log_partial`; what follows begins a record.
 * - Where the lines carry times, a record ends too when a line comes that is `waitMs` younger; an unfinished line when one of another
 *   stream is five seconds younger.
 */
export type GroupOptions = {
  readonly encoding: Encoding;
  readonly container: ContainerFormat | undefined;
  /** Record field that gets the container's stream; none without it. */
  readonly streamField: string | undefined;
  readonly multiLine: (LineGrouping & { readonly maxLines: number; readonly maxBytes: number; readonly waitMs: number }) | undefined;
  readonly parser: ParserSettings;
  /** Longest line kept whole, and longest line of the file. */
  readonly lineMax: number;
  readonly fileLineMax: number;
  readonly longLines: LongLines;
  readonly writer: MsgpackWriter;
};

const unfinishedWaitMs = 5_000;
const streams = ["", "stdout", "stderr"] as const;
const carriageReturn = 13;

export class GroupEncoder implements RangeEncoder {
  readonly #options: GroupOptions;
  readonly #cursor: LineCursor;
  readonly #parser: LineParser | undefined;
  readonly #multiLine: MultiLine | undefined;
  readonly #container: ContainerLine | undefined;
  /** The pairs that tell the stream, by its index. */
  readonly #streamPairs: readonly Uint8Array[];
  readonly #width: number;
  readonly #scratch = new MsgpackWriter(1_024);
  readonly #joined = new MsgpackWriter(1_024);
  readonly #spans = new SpanList();
  readonly #openRecords = streams.map(() => new OpenRecord());
  #bytes: Buffer = Buffer.alloc(0);
  #groups: LineGroup[] = [];
  /** By stream: the line that goes on, and the record that may. */
  #lines: (LineGroup | undefined)[] = [];
  #records: (LineGroup | undefined)[] = [];
  #open = 0;
  #cutStreams = 0;
  /** Three numbers for each stretch that is in no record: where, how many bytes, how many dropped lines. */
  #passed: number[] = [];

  constructor(options: GroupOptions) {
    this.#options = options;
    const { encoding, fileLineMax, longLines, container, multiLine, parser, streamField } = options;
    this.#cursor = new LineCursor({ encoding, lineMax: fileLineMax, longLines });
    this.#parser = createParser(parser);
    this.#multiLine = multiLine === undefined ? undefined : new MultiLine(multiLine);
    this.#container = container === undefined ? undefined : new ContainerLine(container, this.#scratch);
    this.#streamPairs = streams.map((name) => pairBytes(streamField, name));
    this.#width = codeUnitsOf(encoding).width;
  }

  encode(bytes: Buffer, request: EncodeRequest): EncodedRange {
    this.#reset(bytes, request);
    const cursor = this.#cursor;
    let before = cursor.discardedBytes;
    let at = request.from;
    if (before > 0) this.#passed.push(at, before, 0);
    at += before;
    let dropped = 0;
    while (this.#open > 0 || cursor.at - request.from < request.inputMax) {
      const found = cursor.next();
      if (cursor.discardedBytes > before) this.#passed.push(at, cursor.discardedBytes - before, cursor.droppedLines - dropped);
      before = cursor.discardedBytes;
      dropped = cursor.droppedLines;
      if (!found) break;
      this.#takeLine(cursor);
      ({ at } = cursor);
    }
    if (request.rest !== undefined && cursor.takeRest(request.rest)) this.#takeLine(cursor);
    if (request.flush || request.final) for (const group of [...this.#lines, ...this.#records]) this.#close(group);
    return this.#finish(request);
  }

  #reset(bytes: Buffer, request: EncodeRequest): void {
    this.#bytes = bytes;
    this.#groups = [];
    this.#lines = [];
    this.#records = [];
    this.#passed = [];
    this.#open = 0;
    this.#cutStreams = request.cutStreams ?? 0;
    this.#scratch.reset();
    this.#spans.reset();
    for (const record of this.#openRecords) record.close();
    this.#cursor.open(bytes, request);
  }

  #takeLine(cursor: LineCursor): void {
    const { encoding } = this.#options;
    const kind: PieceKind = encoding === "utf-8" ? pieceOf.source : pieceOf.scratch;
    const text = kind === pieceOf.source ? { from: cursor.start, to: cursor.stop } : this.#transcode(cursor);
    if (cursor.flag !== "whole") {
      const piece = this.#begin(cursor, 0);
      piece.add(kind, text.from, text.to);
      piece.flag = cursor.flag;
      this.#close(this.#records[0]);
      this.#close(piece);
      return;
    }
    if (this.#container === undefined) {
      const line = this.#begin(cursor, 0);
      line.add(kind, text.from, text.to);
      this.#place(line);
      return;
    }
    if (this.#container.read(this.#memory(kind), text.from, text.to)) {
      this.#takePart(cursor, this.#container, kind);
      return;
    }
    const foreign = this.#begin(cursor, 0);
    foreign.add(kind, text.from, text.to);
    foreign.foreign = true;
    this.#close(foreign);
  }

  #transcode(cursor: LineCursor): { readonly from: number; readonly to: number } {
    const text = decodeText(this.#options.encoding, this.#bytes, cursor.start, cursor.stop);
    const scratch = this.#scratch;
    const from = scratch.length;
    // Three bytes of UTF-8 for each UTF-16 code unit are the most.
    scratch.reserve(text.length * 3);
    scratch.length += scratch.buffer.write(text, from, "utf8");
    return { from, to: scratch.length };
  }

  #memory(kind: number): Buffer {
    return kind === pieceOf.source ? this.#bytes : this.#scratch.buffer;
  }

  /** A line of the container's format: a whole line of the application, or a part of one. */
  #takePart(cursor: LineCursor, part: ContainerLine, lineKind: PieceKind): void {
    const stream = streams.indexOf(part.stream);
    const size = cursor.at - cursor.start;
    const atMs = part.seconds * 1000 + part.nanoseconds / 1_000_000;
    this.#closeOlder(stream, atMs);
    if ((this.#cutStreams & (1 << stream)) !== 0) {
      this.#passed.push(cursor.start, size, 0);
      if (!part.partial) this.#cutStreams &= ~(1 << stream);
      return;
    }
    const kind = part.inScratch ? pieceOf.scratch : lineKind;
    const to = part.partial && !part.inScratch ? this.#withCarriageReturn(cursor, kind, part.to) : part.to;
    const { lineMax, longLines } = this.#options;
    let line = this.#lines[stream];
    if (line !== undefined && longLines === "split" && line.textBytes + to - part.from > lineMax) {
      this.#close(line);
      line = undefined;
    }
    if (line === undefined) {
      line = this.#begin(cursor, stream, part);
      line.attrsFrom = part.attrsFrom;
      line.attrsTo = part.attrsTo;
    } else {
      line.take(cursor.at, size, atMs);
    }
    this.#lines[stream] = line;
    if (line.textBytes + to - part.from <= lineMax) line.add(kind, part.from, to);
    else if (longLines === "split") line = this.#divide(cursor, { part, stream, kind, to }, line);
    else return this.#shorten(line, { part, kind });
    if (part.partial) return;
    this.#lines[stream] = undefined;
    this.#place(line);
  }

  /** In the middle of a line a CR before the line end is not a part of it. */
  #withCarriageReturn(cursor: LineCursor, kind: PieceKind, to: number): number {
    if (cursor.at - cursor.stop <= this.#width) return to;
    if (kind === pieceOf.source) return to + 1;
    this.#scratch.byte(carriageReturn);
    return to + 1;
  }

  /** A part that is too long alone: pieces that begin at one byte after another, of which the first has all bytes. */
  #divide(cursor: LineCursor, { part, stream, kind, to }: { readonly part: ContainerLine; readonly stream: number; readonly kind: PieceKind; readonly to: number }, first: LineGroup): LineGroup {
    const { lineMax } = this.#options;
    const { overhang } = codeUnitsOf("utf-8");
    let piece = first;
    let from = part.from;
    for (let nth = 1; to - from > lineMax; nth++) {
      const stop = from + lineMax - overhang(this.#memory(kind), from, from + lineMax);
      piece.add(kind, from, stop);
      this.#close(piece);
      from = stop;
      piece = this.#begin({ start: cursor.start + nth, at: cursor.at }, stream, part);
      piece.own = 0;
      this.#lines[stream] = piece;
    }
    piece.add(kind, from, to);
    return piece;
  }

  /** The line is too long: its beginning is kept, or nothing of it. */
  #shorten(line: LineGroup, { part, kind }: { readonly part: ContainerLine; readonly kind: PieceKind }): void {
    const room = this.#options.lineMax - line.textBytes;
    const stop = part.from + room - codeUnitsOf("utf-8").overhang(this.#memory(kind), part.from, part.from + room);
    line.add(kind, part.from, stop);
    line.dropped = this.#options.longLines === "drop";
    if (part.partial) this.#cutStreams |= 1 << line.stream;
    this.#close(line);
    line.flag = "cut";
  }

  #begin(line: { readonly start: number; readonly at: number }, stream: number, part?: ContainerLine): LineGroup {
    const time = part === undefined ? undefined : { seconds: part.seconds, nanoseconds: part.nanoseconds };
    const group = new LineGroup({ start: line.start, end: line.at, own: line.at - line.start, stream, time, cutStreams: this.#cutStreams });
    this.#groups.push(group);
    this.#open++;
    return group;
  }

  /** The group is a whole line: a record, the begin of one, or more of the one before. */
  #place(line: LineGroup): void {
    const { stream } = line;
    if (this.#multiLine === undefined) return this.#close(line);
    const { bytes, from, to } = this.#textOf(line);
    const place = this.#multiLine.place(this.#openRecord(stream), bytes, from, to);
    const record = this.#records[stream];
    if (place === "continue" && record !== undefined) {
      record.merge(line);
      this.#open--;
      return this.#closeFull(record);
    }
    if (record !== undefined) this.#endRecord(record);
    if (place === "single") return this.#close(line);
    line.state = "record";
    this.#records[stream] = line;
    this.#closeFull(line);
  }

  #openRecord(stream: number): OpenRecord {
    return this.#openRecords[stream] ?? new OpenRecord();
  }

  #closeFull(record: LineGroup): void {
    const { maxLines = Infinity, maxBytes = Infinity } = this.#options.multiLine ?? {};
    if (record.lines < maxLines && record.textBytes < maxBytes) return;
    this.#close(record);
    record.flag = "partial";
  }

  /** Ends records and unfinished lines that are much older than a line of this stream at `nowMs`. */
  #closeOlder(stream: number, nowMs: number): void {
    const waitMs = this.#options.multiLine?.waitMs ?? Infinity;
    for (const record of this.#records) if (record !== undefined && nowMs - record.lastMs > waitMs && this.#lines[record.stream] === undefined) this.#close(record);
    for (const line of this.#lines) if (line !== undefined && line.stream !== stream && nowMs - line.lastMs > unfinishedWaitMs) this.#close(line);
  }

  /** An open line ends unfinished; lines that follow begin a record. */
  #close(group: LineGroup | undefined): void {
    if (group === undefined || !group.isOpen) return;
    const { stream } = group;
    if (this.#lines[stream] === group) {
      this.#lines[stream] = undefined;
      group.flag = "partial";
      this.#close(this.#records[stream]);
    }
    if (this.#records[stream] === group) this.#openRecord(stream).close();
    this.#endRecord(group);
  }

  /** Ends the group and leaves what is known of the line that follows. */
  #endRecord(group: LineGroup): void {
    if (this.#records[group.stream] === group) this.#records[group.stream] = undefined;
    group.state = "closed";
    this.#open--;
  }

  #finish(request: EncodeRequest): EncodedRange {
    const groups = this.#groups;
    const cursor = this.#cursor;
    const { writer } = this.#options;
    writer.reset();
    const firstOpen = groups.findIndex((group) => group.isOpen);
    let { count, end } = wholeGroups(groups, firstOpen === -1 ? groups.length : firstOpen, cursor.at);
    let reached = request.from;
    for (let index = 0; index < count; index++) {
      const group = groups[index];
      if (group === undefined) break;
      const full = writer.length >= request.outputMax || group.start - request.from >= request.inputMax;
      if (full && group.start > request.from && reached <= group.start) {
        count = index;
        end = group.start;
        break;
      }
      reached = Math.max(reached, group.end);
      if (group.state === "closed" && !group.dropped) this.#write(group, request);
    }
    let discardedBytes = 0;
    let unparsed = 0;
    let droppedLines = 0;
    for (let index = 0; index < count; index++) {
      const group = groups[index];
      if (group === undefined || group.state === "merged") continue;
      if (group.dropped) {
        discardedBytes += group.own;
        droppedLines++;
      } else this.#spans.add(group.start - request.from, group.own);
      if (group.foreign && !group.dropped) unparsed++;
    }
    for (let index = 0; index < this.#passed.length; index += 3) {
      if ((this.#passed[index] ?? 0) >= end) break;
      discardedBytes += this.#passed[index + 1] ?? 0;
      droppedLines += this.#passed[index + 2] ?? 0;
    }
    const atEnd = end === cursor.at;
    return {
      end,
      records: this.#spans.records,
      entries: writer.bytes(),
      spans: this.#spans.view(),
      discardedBytes,
      discarding: atEnd && cursor.discarding,
      cutStreams: atEnd ? this.#cutStreams : (groups[count]?.cutStreams ?? 0),
      unparsed,
      ...(droppedLines === 0 ? {} : { droppedLines }),
      waiting: groups.slice(count).some((group) => group.state === "closed" || group.state === "record"),
    };
  }

  /** Appends the group's entry; notes when its parser refuses it. */
  #write(group: LineGroup, { time, extra }: EncodeRequest): void {
    const { writer } = this.#options;
    const { seconds, nanoseconds } = group.time ?? time;
    const { bytes, from, to } = this.#textOf(group);
    const stream = group.time === undefined ? undefined : this.#streamPairs[group.stream];
    const streamPairs = stream === undefined || stream.length === 0 ? 0 : 1;
    const attrs = group.attrsTo > group.attrsFrom ? 1 : 0;
    const pairs = streamPairs + attrs + extra.count;
    writer.byte(0x92);
    writer.eventTime(seconds, nanoseconds);
    const parses = this.#parser !== undefined && group.flag === "whole" && !group.foreign;
    if (!parses || (this.#parser?.object(bytes, from, to, writer, pairs) ?? -1) < 0) {
      if (parses) group.foreign = true;
      writer.mapHeader(1 + pairs + (group.flag === "whole" ? 0 : 1));
      writer.raw(logKey);
      writer.stringHeader(to - from);
      writer.raw(bytes, from, to);
      if (group.flag !== "whole") writer.raw(group.flag === "cut" ? cutPair : partialPair);
    }
    if (stream !== undefined) writer.raw(stream);
    if (attrs > 0) {
      writer.raw(attrsKey);
      writer.raw(this.#scratch.buffer, group.attrsFrom, group.attrsTo);
    }
    writer.raw(extra.bytes);
  }

  #textOf({ pieces }: LineGroup): { readonly bytes: Buffer; readonly from: number; readonly to: number } {
    if (pieces.length === 3) return { bytes: this.#memory(pieces[0] ?? 0), from: pieces[1] ?? 0, to: pieces[2] ?? 0 };
    const joined = this.#joined;
    joined.reset();
    for (let index = 0; index < pieces.length; index += 3) {
      const kind = pieces[index] ?? 0;
      if (kind === pieceOf.lineEnd) joined.byte(10);
      else joined.raw(this.#memory(kind), pieces[index + 1] ?? 0, pieces[index + 2] ?? 0);
    }
    return { bytes: joined.buffer, from: 0, to: joined.length };
  }
}

function pairBytes(key: string | undefined, value: string | true): Uint8Array {
  const writer = new MsgpackWriter(32);
  if (key === undefined || value === "") return writer.copy();
  writer.string(key);
  writer.value(value);
  return writer.copy();
}

const logKey = Buffer.from([0xa3, 0x6c, 0x6f, 0x67]);
const attrsKey = Buffer.from([0xa5, 0x61, 0x74, 0x74, 0x72, 0x73]);
const partialPair = pairBytes("log_partial", true);
const cutPair = pairBytes("log_cut", true);
