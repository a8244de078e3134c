// pure
import { MalformedMessageError, skipValue } from "../forward-protocol/msgpack-reader.ts";

/** Reads the time of entries; one object is reused for all of them. */
export class EntryTime {
  seconds = 0;
  nanoseconds = 0;

  /**
   * Takes the time of the entry at `at` and returns where its record begins. EventTime, whole seconds and fractions are known, also
   * as the first of a pair with metadata; any other time counts as 0, as does one before 1970.
   */
  read(bytes: Uint8Array, at: number): number {
    if (bytes[at] !== 0x92) throw new MalformedMessageError("Cannot read an entry: it is not a pair of time and record");
    const type = bytes[at + 1] ?? 0;
    if (type === 0xd7 && bytes[at + 2] === 0) {
      this.#eventTime(bytes, at + 3);
      return at + 11;
    }
    this.#other(bytes, type >= 0x91 && type <= 0x9f ? at + 2 : at + 1);
    return skipValue(bytes, at + 1, bytes.length);
  }

  #eventTime(bytes: Uint8Array, at: number): void {
    this.seconds = uint32(bytes, at);
    this.nanoseconds = Math.min(uint32(bytes, at + 4), 999_999_999);
  }

  #other(bytes: Uint8Array, at: number): void {
    const type = bytes[at] ?? 0;
    this.seconds = 0;
    this.nanoseconds = 0;
    if (type < 0x80) this.seconds = type;
    else if (type === 0xce) this.seconds = uint32(bytes, at + 1);
    else if (type === 0xd2) this.seconds = Math.max(0, uint32(bytes, at + 1) | 0);
    else if (type === 0xcf || type === 0xd3) this.#fraction(uint32(bytes, at + 1) * 0x1_0000_0000 + uint32(bytes, at + 5));
    else if (type === 0xcb) this.#fraction(new DataView(bytes.buffer, bytes.byteOffset + at + 1, 8).getFloat64(0));
    else if (type === 0xd7 && bytes[at + 1] === 0) this.#eventTime(bytes, at + 2);
    else if (type === 0xc7 && bytes[at + 1] === 8 && bytes[at + 2] === 0) this.#eventTime(bytes, at + 3);
  }

  #fraction(time: number): void {
    if (!(time >= 0 && time <= secondsMax)) return;
    this.seconds = Math.floor(time);
    this.nanoseconds = Math.min(Math.round((time - this.seconds) * 1e9), 999_999_999);
  }
}

/** The last second of the year 9999: what four-digit years can show and, in nanoseconds, more than any receiver takes. */
const secondsMax = 253_402_300_799;

function uint32(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
}
