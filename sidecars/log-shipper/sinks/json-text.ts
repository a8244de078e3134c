// pure
import { isUtf8 } from "node:buffer";
import { GrowingBuffer } from "../growing-buffer.ts";

/**
 * JSON text. `reset()` keeps the memory unless it has grown beyond 4 MiB.
 *
 * Bytes that are not UTF-8 become U+FFFD, as TextDecoder does it, and are counted in `replaced`.
 */
export class JsonText extends GrowingBuffer {
  /** Strings since the last reset that were not UTF-8. */
  replaced = 0;
  readonly #initialBytes: number;

  constructor(initialBytes = 65_536) {
    super(initialBytes);
    this.#initialBytes = initialBytes;
  }

  override reset(): void {
    super.reset();
    this.replaced = 0;
    if (this.buffer.length > keepBytesMax) this.buffer = Buffer.allocUnsafeSlow(this.#initialBytes);
  }

  /** Text of ASCII alone, as it stands. */
  ascii(text: string): void {
    this.reserve(text.length);
    this.length += this.buffer.write(text, this.length, "latin1");
  }

  /** Any text as it stands. */
  utf8(text: string): void {
    this.reserve(text.length * 3);
    this.length += this.buffer.write(text, this.length, "utf8");
  }

  /** A JSON string, quotes included. A lone surrogate becomes U+FFFD. */
  text(text: string): void {
    const bytes = Buffer.from(text, "utf8");
    this.string(bytes, 0, bytes.length);
  }

  /** A JSON string from UTF-8 bytes, quotes included. */
  string(bytes: Uint8Array, from: number, to: number): void {
    this.reserve((to - from) * 6 + 2);
    this.buffer[this.length++] = 0x22;
    this.stringContent(bytes, from, to);
    this.byte(0x22);
  }

  /** What stands between the quotes of a JSON string. */
  stringContent(bytes: Uint8Array, from: number, to: number): void {
    this.reserve((to - from) * 6);
    const { buffer } = this;
    let out = this.length;
    let at = from;
    while (at < to) {
      const byte = bytes[at] ?? 0;
      const kind = byteKinds[byte] ?? 0;
      if (kind === plain) {
        buffer[out++] = byte;
        at++;
      } else if (kind === beyondAscii) {
        this.length = out;
        return this.#unicode(bytes, at, to);
      } else {
        out = this.#escape(byte, out);
        at++;
      }
    }
    this.length = out;
  }

  /** Like stringContent, for bytes of which the first is beyond ASCII. */
  #unicode(bytes: Uint8Array, from: number, to: number): void {
    let source = bytes.subarray(from, to);
    if (!isUtf8(source)) {
      this.replaced++;
      source = Buffer.from(Buffer.from(source.buffer, source.byteOffset, source.length).toString("utf8"), "utf8");
    }
    this.reserve(source.length * 6);
    const { buffer } = this;
    let out = this.length;
    for (let at = 0; at < source.length; at++) {
      const byte = source[at] ?? 0;
      if ((byteKinds[byte] ?? 0) >= plain) buffer[out++] = byte;
      else out = this.#escape(byte, out);
    }
    this.length = out;
  }

  #escape(byte: number, at: number): number {
    const { buffer } = this;
    buffer[at] = 0x5c;
    const short = shortEscapes[byte] ?? 0;
    if (short !== 0) {
      buffer[at + 1] = short;
      return at + 2;
    }
    buffer[at + 1] = 0x75;
    buffer[at + 2] = 0x30;
    buffer[at + 3] = 0x30;
    buffer[at + 4] = hexDigits.charCodeAt(byte >> 4);
    buffer[at + 5] = hexDigits.charCodeAt(byte & 15);
    return at + 6;
  }

  /** A whole number of at most 2^53, in digits. */
  integer(value: number): void {
    if (value > 0xffff_ffff || value < 0) return this.ascii(String(value));
    this.reserve(10);
    let digits = 1;
    for (let limit = 10; digits < 10 && value >= limit; limit *= 10) digits++;
    let rest = value;
    for (let at = this.length + digits - 1; at >= this.length; at--) {
      const next = Math.floor(rest / 10);
      this.buffer[at] = 0x30 + (rest - next * 10);
      rest = next;
    }
    this.length += digits;
  }

  /** Nine digits with leading zeros. */
  nineDigits(value: number): void {
    this.reserve(9);
    let rest = value;
    for (let at = this.length + 8; at >= this.length; at--) {
      const next = Math.floor(rest / 10);
      this.buffer[at] = 0x30 + (rest - next * 10);
      rest = next;
    }
    this.length += 9;
  }
}

const keepBytesMax = 4 * 1024 * 1024;
const hexDigits = "0123456789abcdef";

export const plain = 1;
const beyondAscii = 2;
/** What a byte needs in a JSON string: 0 an escape, `plain` nothing, `beyondAscii` a look at whether it is UTF-8. */
export const byteKinds = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x80 ? beyondAscii : byte < 0x20 || byte === 0x22 || byte === 0x5c ? 0 : plain));
const shortEscapes = new Uint8Array(256);
for (const [byte, escape] of [[0x22, '"'], [0x5c, "\\"], [0x08, "b"], [0x0c, "f"], [0x0a, "n"], [0x0d, "r"], [0x09, "t"]] as const) shortEscapes[byte] = escape.charCodeAt(0);
