// pure
import { readFraction, readOffset, compileTimePattern, readTimePattern } from "./time-pattern.ts";
import { daysSince1970, isDay, TimeParts } from "./time-parts.ts";
import type { TimeConfig } from "./time-config.ts";
import { contentStart, isText, numberOf } from "./value.ts";
import { zoneNamed, type Zone } from "./zone.ts";

const daySeconds = 86_400;
/** EventTime has 32 bits for seconds: 1970 to 2106. */
const secondsMax = 0xffff_ffff;

/**
 * Reads times out of values, to the nanosecond, without making dates of them. A pattern without a year takes the year that puts the time nearest to
 * the time that the record has otherwise (the file's), at most a day after it.
 */
export class TimeReader {
  readonly #read: (bytes: Buffer, from: number, to: number, otherwise: number) => boolean;
  readonly #zone: Zone;
  readonly #parts = new TimeParts();
  #lastDate = -1;
  #lastDays = 0;
  /** What the last `read` that returned true found. */
  seconds = 0;
  nanoseconds = 0;

  constructor({ format, zone }: Pick<TimeConfig, "format" | "zone">) {
    this.#zone = zoneNamed(zone);
    this.#read = this.#reader(format);
  }

  /** Reads the value in `bytes[from, to)`. `otherwise` is the time in seconds that the record has without it. */
  read(bytes: Buffer, from: number, to: number, otherwise: number): boolean {
    return this.#read(bytes, from, to, otherwise);
  }

  #reader(format: string): (bytes: Buffer, from: number, to: number, otherwise: number) => boolean {
    switch (format) {
      case "iso8601":
      case "rfc3339":
        return (bytes, from, to) => isText(bytes[from] ?? 0) && this.#iso(bytes, contentStart(bytes, from), to);
      case "unix":
        return (bytes, from, to) => this.#epoch(bytes, from, to, 0);
      case "unixMs":
        return (bytes, from, to) => this.#epoch(bytes, from, to, 3);
      case "unixUs":
        return (bytes, from, to) => this.#epoch(bytes, from, to, 6);
      case "unixNs":
        return (bytes, from, to) => this.#epoch(bytes, from, to, 9);
      default:
        return this.#patternReader(format);
    }
  }

  #patternReader(format: string): (bytes: Buffer, from: number, to: number, otherwise: number) => boolean {
    const pattern = compileTimePattern(format);
    if (pattern.steps === undefined) throw new Error(`Cannot read times: expected ${pattern.fault}`);
    const { steps } = pattern;
    return (bytes, from, to, otherwise) => {
      if (!isText(bytes[from] ?? 0)) return false;
      const parts = this.#parts;
      parts.clear();
      if (!readTimePattern(steps, bytes, contentStart(bytes, from), to, parts)) return false;
      if (parts.epoch >= 0) return this.#set(parts.epoch, parts.nanoseconds);
      if (parts.year < 0 && !this.#chooseYear(otherwise)) return false;
      return this.#setFromParts();
    };
  }

  #chooseYear(otherwise: number): boolean {
    const parts = this.#parts;
    const about = new Date(otherwise * 1000).getUTCFullYear();
    for (const year of [about + 1, about, about - 1]) {
      if (!isDay(year, parts.month, parts.day)) continue;
      parts.year = year;
      if (this.#secondsOfParts() <= otherwise + daySeconds) return true;
    }
    return false;
  }

  /** `YYYY-MM-DDTHH:MM[:SS[.fraction]][offset]`; a space may stand for the T, a comma for the point. */
  #iso(bytes: Buffer, from: number, to: number): boolean {
    if (to - from < 16 || bytes[from + 4] !== 0x2d || bytes[from + 7] !== 0x2d || bytes[from + 13] !== 0x3a) return false;
    const parts = this.#parts;
    const separator = bytes[from + 10];
    if (separator !== 0x54 && separator !== 0x20 && separator !== 0x74) return false;
    parts.year = pair(bytes, from) * 100 + pair(bytes, from + 2);
    parts.month = pair(bytes, from + 5);
    parts.day = pair(bytes, from + 8);
    parts.hour = pair(bytes, from + 11);
    parts.minute = pair(bytes, from + 14);
    parts.second = 0;
    parts.nanoseconds = 0;
    parts.hasOffset = false;
    parts.offset = 0;
    let at = from + 16;
    if (bytes[at] === 0x3a && at + 2 < to) {
      parts.second = pair(bytes, at + 1);
      at += 3;
      if (at < to && (bytes[at] === 0x2e || bytes[at] === 0x2c)) {
        const cursor = { bytes, at: at + 1, to };
        if (!readFraction(cursor, parts)) return false;
        ({ at } = cursor);
      }
    }
    if (at < to && bytes[at] === 0x20) at++;
    if (at < to && !this.#isoOffset(bytes, at, to)) return false;
    // A byte that is no digit made its number NaN, which no comparison passes.
    if (!(parts.hour <= 23 && parts.minute <= 59 && parts.second <= 60 && parts.year >= 0)) return false;
    return this.#setFromParts();
  }

  #isoOffset(bytes: Buffer, at: number, to: number): boolean {
    const parts = this.#parts;
    if (at + 1 === to && (bytes[at] === 0x5a || bytes[at] === 0x7a)) {
      parts.hasOffset = true;
      return true;
    }
    const cursor = { bytes, at, to };
    return readOffset(cursor, parts) && cursor.at === to;
  }

  #setFromParts(): boolean {
    const { year, month, day, nanoseconds } = this.#parts;
    const date = (year * 100 + month) * 100 + day;
    if (date !== this.#lastDate) {
      if (!isDay(year, month, day)) return false;
      this.#lastDays = daysSince1970(year, month, day);
      this.#lastDate = date;
    }
    return this.#set(this.#secondsOfDay(this.#lastDays), nanoseconds);
  }

  #secondsOfParts(): number {
    const { year, month, day } = this.#parts;
    return this.#secondsOfDay(daysSince1970(year, month, day));
  }

  #secondsOfDay(days: number): number {
    const { hour, minute, second, hasOffset, offset } = this.#parts;
    const local = days * daySeconds + hour * 3600 + minute * 60 + second;
    return hasOffset ? local - offset : this.#zone.toUtc(local);
  }

  #set(seconds: number, nanoseconds: number): boolean {
    if (!(seconds >= 0 && seconds <= secondsMax)) return false;
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
    return true;
  }

  /** A number or its text, in units of 10^-decimals seconds. */
  #epoch(bytes: Buffer, from: number, to: number, decimals: number): boolean {
    const type = bytes[from] ?? 0;
    if (isText(type)) return this.#epochText(bytes.toString("latin1", contentStart(bytes, from), to), decimals);
    if (type === 0xcf || type === 0xd3) return this.#epochText((type === 0xcf ? bytes.readBigUInt64BE(from + 1) : bytes.readBigInt64BE(from + 1)).toString(), decimals);
    const value = numberOf(bytes, from);
    if (value === undefined || !(value >= 0)) return false;
    const unit = 10 ** decimals;
    const seconds = Math.floor(value / unit);
    // A double holds today's seconds to about a quarter of a microsecond: finer digits would be invented.
    const rest = Number.isInteger(value) ? (value % unit) * (1_000_000_000 / unit) : Math.round(((value - seconds * unit) / unit) * 1_000_000) * 1000;
    return rest >= 1_000_000_000 ? this.#set(seconds + 1, 0) : this.#set(seconds, rest);
  }

  #epochText(text: string, decimals: number): boolean {
    const [, whole, fraction = ""] = /^(\d{1,20})(?:\.(\d+))?$/.exec(text) ?? [];
    if (whole === undefined) return false;
    const padded = whole.padStart(decimals + 1, "0");
    const rest = `${padded.slice(padded.length - decimals)}${fraction}`.slice(0, 9).padEnd(9, "0");
    return decimals === 0 ? this.#set(Number(whole), Number(fraction.slice(0, 9).padEnd(9, "0"))) : this.#set(Number(padded.slice(0, padded.length - decimals)), Number(rest));
  }
}

/** Two digits; NaN when they are not. */
function pair(bytes: Buffer, at: number): number {
  const tens = (bytes[at] ?? 0) - 0x30;
  const ones = (bytes[at + 1] ?? 0) - 0x30;
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? Number.NaN : tens * 10 + ones;
}
