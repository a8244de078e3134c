// pure
import type { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { skipValue } from "../forward-protocol/msgpack-reader.ts";
import { JsonTranscoder } from "../parse/json.ts";
import { contentStart, firstPairAt, isText, pairCount } from "../shape/value.ts";
import { TimeReader } from "../shape/time.ts";

/**
 * Lines as container runtimes write them into log files: time, stream, whether the line goes on, and the application's own text.
 *
 * - `cri`, of containerd and CRI-O: `2026-01-31T12:00:00.123456789Z stdout F text`; the tag P says that the line goes on in the
 *   stream's next one. Tags after a colon are passed over.
 * - `docker`, the json-file driver: `{"log":"text\n","stream":"stdout","time":"..."}`; a log that does not end with a newline goes
 *   on. What `attrs` holds (labels, environment) is kept.
 * - `auto` takes each line that begins with a brace for the second, any other for the first.
 */
export type ContainerFormat = "cri" | "docker" | "auto";
export type StreamName = "stdout" | "stderr";

const space = 0x20;
const newline = 10;
const carriageReturn = 13;
/** No time that a runtime writes is longer. */
const timeBytesMax = 64;

export class ContainerLine {
  readonly #format: ContainerFormat;
  readonly #scratch: MsgpackWriter;
  readonly #json = new JsonTranscoder();
  readonly #times = new TimeReader({ format: "iso8601", zone: "UTC" });
  readonly #time = Buffer.alloc(timeBytesMax + 2);
  stream: StreamName = "stdout";
  seconds = 0;
  nanoseconds = 0;
  /** The stream's next line goes on where this one ends. */
  partial = false;
  /** Where the application's text is, in the scratch memory or in the line's own. */
  inScratch = false;
  from = 0;
  to = 0;
  /** Where the value of `attrs` is in the scratch memory; both 0 without any. */
  attrsFrom = 0;
  attrsTo = 0;

  /** Texts that are not verbatim in a line are appended to `scratch`. */
  constructor(format: ContainerFormat, scratch: MsgpackWriter) {
    this.#format = format;
    this.#scratch = scratch;
    this.#time[0] = 0xd9; // so that it reads as the text of a record
  }

  /** Takes the line in `bytes[from, to)` apart; false when it is not of the format. */
  read(bytes: Buffer, from: number, to: number): boolean {
    this.attrsFrom = 0;
    this.attrsTo = 0;
    const docker = this.#format === "docker" || (this.#format === "auto" && bytes[from] === 0x7b);
    return docker ? this.#readDocker(bytes, from, to) : this.#readCri(bytes, from, to);
  }

  #readCri(bytes: Buffer, from: number, to: number): boolean {
    const timeEnd = bytes.indexOf(space, from);
    if (timeEnd === -1 || timeEnd >= to || !this.#readTime(bytes, from, timeEnd)) return false;
    const stream = timeEnd + 1;
    // Both names have six letters.
    if (bytes[stream + 6] !== space || !this.#readStream(bytes, stream, stream + 6)) return false;
    const tag = stream + 7;
    if (tag >= to) return false;
    const end = bytes.indexOf(space, tag);
    const tagsEnd = end === -1 || end > to ? to : end;
    const letter = bytes[tag];
    if ((letter !== 0x50 && letter !== 0x46) || (tagsEnd > tag + 1 && bytes[tag + 1] !== 0x3a)) return false;
    this.partial = letter === 0x50;
    this.inScratch = false;
    this.from = Math.min(to, tagsEnd + 1);
    this.to = to;
    return true;
  }

  #readDocker(bytes: Buffer, from: number, to: number): boolean {
    const scratch = this.#scratch;
    const at = scratch.length;
    if (this.#json.object(bytes, from, to, scratch, 0) < 0) return false;
    const end = scratch.length;
    const memory = scratch.buffer;
    let log = -1;
    let stream = false;
    let timed = false;
    let key = firstPairAt(memory, at);
    for (let pair = pairCount(memory, at); pair > 0; pair--) {
      const value = skipValue(memory, key, end);
      const next = skipValue(memory, value, end);
      const name = memory.toString("latin1", contentStart(memory, key), value);
      if (name === "attrs") {
        this.attrsFrom = value;
        this.attrsTo = next;
      } else if (isText(memory[value] ?? 0)) {
        const text = contentStart(memory, value);
        if (name === "log") {
          log = text;
          this.to = next;
        } else if (name === "stream") stream = this.#readStream(memory, text, next);
        else if (name === "time") timed = this.#readTime(memory, text, next);
      }
      key = next;
    }
    if (log === -1 || !stream || !timed) return false;
    this.inScratch = true;
    this.from = log;
    this.partial = this.to === log || memory[this.to - 1] !== newline;
    if (!this.partial) this.to--;
    if (!this.partial && this.to > log && memory[this.to - 1] === carriageReturn) this.to--;
    return true;
  }

  #readStream(bytes: Buffer, from: number, to: number): boolean {
    if (to - from !== 6) return false;
    const name = bytes.toString("latin1", from, to);
    if (name !== "stdout" && name !== "stderr") return false;
    this.stream = name;
    return true;
  }

  #readTime(bytes: Buffer, from: number, to: number): boolean {
    const length = to - from;
    if (length > timeBytesMax) return false;
    this.#time[1] = length;
    bytes.copy(this.#time, 2, from, to);
    if (!this.#times.read(this.#time, 0, length + 2, 0)) return false;
    this.seconds = this.#times.seconds;
    this.nanoseconds = this.#times.nanoseconds;
    return true;
  }
}
