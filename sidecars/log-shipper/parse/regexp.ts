// pure
import { boolean, choice, map, object, sizeBytes, string, type ConfigOf } from "../../../kit/config/schema.ts";
import { nearest } from "../../../kit/nearest.ts";
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { groupNames, patternFault, searchedMax } from "./pattern.ts";

/** Settings of `format: regexp`. */
export const regexpSpec = object(
  {
    pattern: string({ doc: "a JavaScript regular expression; each named group, (?<name>...), becomes a field", check: (pattern) => patternFault(pattern) ?? (groupNames(pattern).length === 0 ? "a pattern with at least one named group, such as (?<message>.*)" : undefined) }),
    types: map(choice(["string", "integer", "number", "boolean"], { doc: "type" }), { doc: "types of groups; text that is not of its type stays text", default: {} }),
    ignoreCase: boolean({ doc: "whether letters match in either case", default: false }),
    maxBytes: sizeBytes({ doc: "longest line that is tried; longer ones are shipped raw", default: searchedMax, min: 16, max: 65_536 }),
  },
  {
    doc: "lines of a form of your own",
    check({ pattern, types, ignoreCase }) {
      const names = groupNames(pattern);
      const unknown = Object.keys(types).filter((name) => !names.includes(name));
      const inEitherCase = ignoreCase ? patternFault(pattern, "i") : undefined;
      return [
        ...unknown.map((name) => ({ path: ["types", name], message: `is not a group of the pattern; there are ${names.join(", ")}${suggestion(name, names)}` })),
        ...(inEitherCase === undefined ? [] : [{ path: ["pattern"], message: `expected ${inEitherCase} (with ignoreCase)` }]),
      ];
    },
  },
);

export type RegexpConfig = ConfigOf<typeof regexpSpec>;

function suggestion(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return near === undefined ? "" : `; did you mean "${near}"?`;
}

type Kind = "string" | "integer" | "number" | "boolean";

/**
 * Turns a line into the fields named by a pattern's groups. A group that took no part in the match gives no field; text that is
 * not of the type wanted stays text. Refused, and shipped raw by the caller: lines that the pattern does not match, lines longer
 * than `maxBytes` (see pattern.ts for why), and lines that are not UTF-8, whose bytes would not survive.
 */
export class RegexpParser {
  readonly #pattern: RegExp;
  readonly #groups: readonly { readonly key: Uint8Array; readonly name: string; readonly kind: Kind }[];
  readonly #maxBytes: number;

  constructor({ pattern, types, ignoreCase, maxBytes }: RegexpConfig) {
    this.#pattern = RegExp(pattern, ignoreCase ? "i" : "");
    this.#groups = groupNames(pattern).map((name) => ({ key: encodedKey(name), name, kind: (Object.hasOwn(types, name) ? types[name] : undefined) ?? "string" }));
    this.#maxBytes = maxBytes;
  }

  /** Appends the fields of the line in `bytes[from, end)` as a map; returns their number, or -1 (and appends nothing) when it is refused. `extraPairs` raises the count in the map's header. */
  object(bytes: Buffer, from: number, end: number, writer: MsgpackWriter, extraPairs: number): number {
    if (end - from > this.#maxBytes) return -1;
    const text = bytes.toString("utf8", from, end);
    const groups = text.includes("\ufffd") ? undefined : this.#pattern.exec(text)?.groups;
    if (groups === undefined) return -1;
    let pairs = 0;
    for (const { name } of this.#groups) if (groups[name] !== undefined) pairs++;
    writer.mapHeader(pairs + extraPairs);
    for (const { key, name, kind } of this.#groups) {
      const value = groups[name];
      if (value === undefined) continue;
      writer.raw(key);
      writeAs(kind, value, writer);
    }
    return pairs;
  }

  /** Why `object` refuses the line; undefined when it does not. */
  refusal(text: string): string | undefined {
    const length = Buffer.byteLength(text);
    if (length > this.#maxBytes) return `the line has ${length} bytes, more than regexp.maxBytes (${this.#maxBytes}): such lines are not tried`;
    if (text.includes("\ufffd")) return "the line is not UTF-8";
    return this.#pattern.test(text) ? undefined : "the pattern does not match the line";
  }
}

function writeAs(kind: Kind, value: string, writer: MsgpackWriter): void {
  if (kind === "integer" && /^[-+]?\d{1,19}$/.test(value)) {
    const whole = BigInt(value.startsWith("+") ? value.slice(1) : value);
    if (whole < 0x8000_0000_0000_0000n && whole >= -0x8000_0000_0000_0000n) return writer.bigint(whole);
  }
  if (kind === "number" && /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(value) && Number.isFinite(Number(value))) return writer.number(Number(value));
  if (kind === "boolean" && /^(?:true|false|yes|no|on|off|1|0)$/i.test(value)) return writer.byte(/^(?:true|yes|on|1)$/i.test(value) ? 0xc3 : 0xc2);
  writer.string(value);
}

function encodedKey(name: string): Uint8Array {
  const writer = new MsgpackWriter(32);
  writer.string(name);
  return writer.copy();
}
