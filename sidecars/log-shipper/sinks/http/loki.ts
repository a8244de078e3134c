// pure
import type { Chunk } from "../../delivery/chunk.ts";
import { EntryTime } from "../entry.ts";
import { JsonWriter } from "../json-writer.ts";
import { LineText } from "../line-text.ts";
import { FieldFinder, fillTemplate, parseTemplate, TemplateMembers, type Template } from "../template.ts";
import { deliveredVerdict, isPage, judgeFailure, unreadable, type Answer, type Verdict } from "./answer.ts";
import { recordName, type HttpEncoder } from "./encoder.ts";

export type LokiOptions = {
  readonly path: string;
  readonly tenant: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly streamsMax: number;
  readonly structuredMetadata: Readonly<Record<string, string>>;
  readonly omit: readonly string[];
  readonly lineField: string;
  readonly spreadTimes: boolean;
  /** Told once, when there are more combinations of labels than allowed. */
  readonly onTooManyStreams: () => void;
};

/** Where a chunk's records begin, their times, and which stream each belongs to. */
type Layout = { readonly mapAts: Int32Array; readonly seconds: Float64Array; readonly nanoseconds: Uint32Array; readonly streams: readonly string[] };

/**
 * Loki's push API as JSON. Loki stores equal lines of equal time in one stream once: good for what is sent twice, and a loss where an
 * application repeats itself within one tick of its clock. So `spreadTimes` adds to each time, below what its clock can tell, the
 * line's position in its file: the same in every attempt, different for every line, and in the order of the file.
 */
export class LokiEncoder implements HttpEncoder {
  readonly path: string;
  readonly contentType = "application/json";
  readonly headers: Readonly<Record<string, string>>;
  readonly answerBytesMax = 65_536;
  readonly #writer = new JsonWriter();
  readonly #options: LokiOptions;
  readonly #labels: readonly { readonly name: string; readonly template: Template }[];
  readonly #finder: FieldFinder;
  readonly #metadata: TemplateMembers | undefined;
  readonly #line: LineText;
  /** Beginnings of streams, `{"stream":{…},"values":[`, by tag and by the fields that their labels are made of. */
  readonly #beginnings = new Map<string, string>();
  readonly #known = new Set<string>();

  constructor(options: LokiOptions) {
    this.path = options.path;
    this.headers = options.tenant === undefined ? {} : { "x-scope-orgid": options.tenant };
    this.#options = options;
    this.#labels = Object.entries(options.labels).map(([name, source]) => ({ name, template: parseTemplate(source) }));
    this.#finder = new FieldFinder(this.#labels.map(({ template }) => template));
    this.#metadata = Object.keys(options.structuredMetadata).length === 0 ? undefined : new TemplateMembers(options.structuredMetadata);
    this.#line = new LineText(options);
  }

  encode(chunk: Chunk, chosen: readonly number[]): Buffer {
    const layout = this.#layout(chunk);
    if (this.#options.spreadTimes) spreadTimes(chunk, layout);
    const byStream = new Map<string, number[]>();
    for (const index of chosen) {
      const stream = layout.streams[index] ?? "";
      const members = byStream.get(stream);
      if (members === undefined) byStream.set(stream, [index]);
      else members.push(index);
    }
    const writer = this.#writer;
    writer.reset();
    writer.ascii('{"streams":[');
    let first = true;
    for (const [stream, indexes] of byStream) {
      if (!first) writer.byte(0x2c);
      first = false;
      writer.utf8(stream);
      for (const [position, index] of indexes.entries()) {
        if (position > 0) writer.byte(0x2c);
        this.#value(chunk, layout, index);
      }
      writer.ascii("]}");
    }
    writer.ascii("]}");
    return writer.copy();
  }

  judge(answer: Answer, _count: number, nowMs: number): Verdict {
    if (answer.status < 200 || answer.status >= 300) return judgeFailure(answer, nowMs);
    return isPage(answer) ? unreadable(answer, "that of Loki") : deliveredVerdict;
  }

  #layout(chunk: Chunk): Layout {
    const { entries, records } = chunk;
    const mapAts = new Int32Array(records);
    const seconds = new Float64Array(records);
    const nanoseconds = new Uint32Array(records);
    const streams: string[] = [];
    const time = new EntryTime();
    let stream: string | undefined;
    for (let index = 0, at = 0; index < records && at < entries.length; index++) {
      const mapAt = time.read(entries, at);
      mapAts[index] = mapAt;
      seconds[index] = time.seconds;
      nanoseconds[index] = time.nanoseconds;
      // The first of a chunk may have the fields of the last one of the chunk before, with another tag.
      if (!this.#finder.find(entries, mapAt) || stream === undefined) stream = this.#beginning(chunk.tag);
      streams.push(stream);
      at = this.#finder.end;
    }
    return { mapAts, seconds, nanoseconds, streams };
  }

  /** The beginning of the stream that the record found last belongs to. */
  #beginning(tag: string): string {
    const key = `${tag}\n${this.#finder.fingerprint()}`;
    let beginning = this.#beginnings.get(key);
    if (beginning === undefined) {
      if (this.#beginnings.size >= cachedMax) this.#beginnings.clear();
      beginning = this.#newBeginning(tag);
      this.#beginnings.set(key, beginning);
    }
    return beginning;
  }

  #newBeginning(tag: string): string {
    const labels = this.#labelText(tag, (path) => this.#finder.text(path));
    if (this.#known.has(labels)) return labels;
    if (this.#known.size < this.#options.streamsMax) {
      this.#known.add(labels);
      return labels;
    }
    this.#options.onTooManyStreams();
    return this.#labelText(tag, undefined);
  }

  /** Without `field`, labels made of fields have the value "other". */
  #labelText(tag: string, field: ((path: readonly string[]) => string | undefined) | undefined): string {
    const pairs = this.#labels.flatMap(({ name, template }) => {
      const ofRecord = template.parts.some((part) => part.kind === "field");
      const value = field === undefined && ofRecord ? "other" : fillTemplate(template, { tag, id: () => "", field: field ?? (() => undefined) });
      return value === undefined || value === "" ? [] : `${JSON.stringify(name)}:${JSON.stringify(value)}`;
    });
    return `{"stream":{${pairs.length === 0 ? '"job":"podkit"' : pairs.join(",")}},"values":[`;
  }

  #value(chunk: Chunk, { mapAts, seconds, nanoseconds }: Layout, index: number): void {
    const writer = this.#writer;
    const mapAt = mapAts[index] ?? 0;
    writer.ascii('["');
    writer.integer(seconds[index] ?? 0);
    writer.nineDigits(nanoseconds[index] ?? 0);
    writer.ascii('",');
    this.#writeLine(chunk.entries, mapAt);
    if (this.#metadata !== undefined) {
      writer.ascii(",{");
      writer.utf8(this.#metadata.text(chunk.entries, mapAt, chunk.tag, () => recordName(chunk, index)));
      writer.byte(0x7d);
    }
    writer.byte(0x5d);
  }

  /** The record's text as a JSON string. */
  #writeLine(bytes: Uint8Array, mapAt: number): void {
    const line = this.#line;
    line.read(bytes, mapAt);
    if (!line.escaped) return this.#writer.string(line.bytes, 0, line.bytes.length);
    this.#writer.byte(0x22);
    this.#writer.raw(line.bytes);
    this.#writer.byte(0x22);
  }
}

const cachedMax = 10_000;
const second = 1_000_000_000;

/**
 * Adds to each time the position of its line, within the unit that the time is told in: seconds, milliseconds or microseconds. Of
 * times to the nanosecond those are spread, over a second, that several lines of the chunk have in common: they tell when the file
 * was read, not when the line was written.
 */
function spreadTimes(chunk: Chunk, { seconds, nanoseconds }: Layout): void {
  const { from, spans } = chunk.origin;
  const shared = new Map<number, number>();
  for (let index = 0; index < chunk.records; index++) {
    const time = nanoseconds[index] ?? 0;
    if (time % 1_000 === 0) continue;
    const key = ((seconds[index] ?? 0) % 1_000_000) * second + time;
    shared.set(key, (shared.get(key) ?? 0) + 1);
  }
  for (let index = 0; index < chunk.records; index++) {
    const time = nanoseconds[index] ?? 0;
    const unit = time === 0 ? second : time % 1_000_000 === 0 ? 1_000_000 : time % 1_000 === 0 ? 1_000 : (shared.get(((seconds[index] ?? 0) % 1_000_000) * second + time) ?? 0) > 1 ? second : 1;
    const spread = time + ((from + (spans[index * 2] ?? 0)) % unit);
    nanoseconds[index] = spread % second;
    if (spread >= second) seconds[index] = (seconds[index] ?? 0) + 1;
  }
}
