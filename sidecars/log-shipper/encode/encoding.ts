// pure
/**
 * Encodings of log files. What is shipped is UTF-8; positions and sizes are always those of the file's own bytes.
 *
 * Bytes that are not UTF-8 in a file taken for UTF-8 stay as they are. In UTF-16, half of a surrogate pair and half of a code unit
 * at the very end become U+FFFD.
 */
export type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "latin1";
export type EncodingSetting = "auto" | Encoding;

const marks: readonly (readonly [Encoding, Buffer])[] = [
  ["utf-8", Buffer.from([0xef, 0xbb, 0xbf])],
  ["utf-16le", Buffer.from([0xff, 0xfe])],
  ["utf-16be", Buffer.from([0xfe, 0xff])],
];
/** As many bytes of a content's beginning as `encodingOf` looks at. */
export const markBytesMax = 3;

/**
 * The encoding of a content by the byte order mark that it begins with; UTF-8 without one. Undefined while the bytes are too few
 * to tell, unless they are `all` there will be.
 */
export function encodingOf(head: Buffer, all: boolean): Encoding | undefined {
  for (const [encoding, mark] of marks) {
    if (startsWith(head, mark)) return encoding;
    if (!all && startsWith(mark, head)) return undefined;
  }
  return "utf-8";
}

/** How many bytes the byte order mark of the encoding takes at the beginning of `bytes[from, end)`; 0 without one. */
export function markBytes(encoding: Encoding, bytes: Buffer, from: number, end: number): number {
  const mark = marks.find(([name]) => name === encoding)?.[1];
  return mark !== undefined && end - from >= mark.length && mark.compare(bytes, from, from + mark.length) === 0 ? mark.length : 0;
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.length >= prefix.length && prefix.compare(bytes, 0, prefix.length) === 0;
}

/** The text of `bytes[from, to)`. */
export function decodeText(encoding: Encoding, bytes: Buffer, from: number, to: number): string {
  switch (encoding) {
    case "utf-8":
      return bytes.toString("utf8", from, to);
    case "latin1":
      return bytes.toString("latin1", from, to);
    default: {
      const whole = to - ((to - from) % 2);
      const text = encoding === "utf-16le" ? bytes.toString("utf16le", from, whole) : Buffer.from(bytes.subarray(from, whole)).swap16().toString("utf16le");
      return whole === to ? text : `${text}\ufffd`;
    }
  }
}

/** The bytes of a text; characters that Latin-1 lacks lose their meaning. */
export function encodeText(encoding: Encoding, text: string): Buffer {
  if (encoding === "utf-8" || encoding === "latin1") return Buffer.from(text, encoding === "utf-8" ? "utf8" : "latin1");
  const bytes = Buffer.from(text, "utf16le");
  return encoding === "utf-16le" ? bytes : bytes.swap16();
}

/** How an encoding writes what framing looks for. */
export type CodeUnits = {
  /** Bytes of a code unit. */
  readonly width: 1 | 2;
  /** Where the first line feed of `bytes[from, end)` begins, or -1. */
  readonly lineFeed: (bytes: Buffer, from: number, end: number) => number;
  /** Whether the code unit at `at` is the ASCII character `code`. */
  readonly is: (bytes: Buffer, at: number, code: number) => boolean;
  /** How many bytes before `stop` belong to a character that reaches past it; 0 if none do or if they are no valid text. */
  readonly overhang: (bytes: Buffer, from: number, stop: number) => number;
};

const lineFeedCode = 10;

const singleBytes: Omit<CodeUnits, "overhang"> = {
  width: 1,
  lineFeed(bytes, from, end) {
    const found = bytes.indexOf(lineFeedCode, from);
    return found < end ? found : -1;
  },
  is: (bytes, at, code) => bytes[at] === code,
};

function utf16(low: 0 | 1): CodeUnits {
  const high = 1 - low;
  return {
    width: 2,
    lineFeed(bytes, from, end) {
      for (let found = bytes.indexOf(lineFeedCode, from + low); found !== -1 && found < end; found = bytes.indexOf(lineFeedCode, found + 1)) {
        const at = found - low;
        if ((at - from) % 2 === 0 && at + 1 < end && bytes[at + high] === 0) return at;
      }
      return -1;
    },
    is: (bytes, at, code) => bytes[at + low] === code && bytes[at + high] === 0,
    overhang: (bytes, from, stop) => (stop - 2 >= from && ((bytes[stop - 2 + high] ?? 0) & 0xfc) === 0xd8 ? 2 : 0),
  };
}

const byEncoding: Readonly<Record<Encoding, CodeUnits>> = {
  "utf-8": {
    ...singleBytes,
    overhang(bytes, from, stop) {
      for (let back = 0; back <= 3 && stop - back > from; back++) {
        const byte = bytes[stop - back] ?? 0;
        if ((byte & 0xc0) !== 0x80) return back;
      }
      return 0;
    },
  },
  latin1: { ...singleBytes, overhang: () => 0 },
  "utf-16le": utf16(0),
  "utf-16be": utf16(1),
};

export function codeUnitsOf(encoding: Encoding): CodeUnits {
  return byEncoding[encoding];
}
