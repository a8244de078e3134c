// pure
import { formatDecimal } from "../../mapping/decimal.ts";
import { dateText, floatText, integerOfBytes, momentText, timeText, utf8Text, uuidText } from "../exact-values.ts";
import type { CellKind } from "../row.ts";
import { numberLeaf } from "../tree.ts";
import type { Cursor } from "./avro-cursor.ts";
import type { AvroType } from "./avro-schema.ts";

/** A value as a cell of a row holds it: what is nested is JSON text. */
export type AvroValue = { readonly kind: CellKind; readonly text: string };
export type Decode = (cursor: Cursor) => AvroValue;

/** How bytes without a meaning become text: those that are no UTF-8 are refused, or all are written in base64 or hex. */
export const bytesForms = ["utf8", "base64", "hex"] as const;
export type BytesForm = (typeof bytesForms)[number];

const nothing: AvroValue = { kind: "null", text: "null" };
const yes: AvroValue = { kind: "boolean", text: "true" };
const no: AvroValue = { kind: "boolean", text: "false" };
/** More digits than anybody's money; the cost of writing a number grows with their square. */
const decimalBytesMax = 256;

/** Makes functions that read values of a schema's types. No code is generated, and no key of a map becomes a key of an object. */
export class Decoders {
  readonly #form: BytesForm;
  readonly #made = new Map<AvroType, Decode>();

  constructor(form: BytesForm) {
    this.#form = form;
  }

  of(type: AvroType): Decode {
    const known = this.#made.get(type);
    if (known !== undefined) return known;
    // A recursive type asks for itself while it is made.
    let made: Decode | undefined;
    this.#made.set(type, (cursor) => (made ?? unmade())(cursor));
    made = this.#make(type);
    this.#made.set(type, made);
    return made;
  }

  #make(type: AvroType): Decode {
    switch (type.kind) {
      case "null":
        return () => nothing;
      case "boolean":
        return (cursor) => {
          const byte = cursor.byte();
          return byte === 1 ? yes : byte === 0 ? no : cursor.fail("SYNTAX", `a boolean is ${byte}`, cursor.at - 1);
        };
      case "int":
        return intDecoder(type.logical);
      case "long":
        return longDecoder(type.logical);
      case "float":
        return (cursor) => numberLeaf(floatText(cursor.take(4).readFloatLE(0), true));
      case "double":
        return (cursor) => numberLeaf(floatText(cursor.take(8).readDoubleLE(0), false));
      case "string":
        return (cursor) => spent(cursor, { kind: "text", text: cursor.string() });
      case "bytes":
        return bytesDecoder((cursor) => cursor.bytesValue(), type, this.#form);
      case "fixed":
        return bytesDecoder((cursor) => cursor.take(type.size), type, this.#form);
      case "enum": {
        const values = type.symbols.map((text): AvroValue => ({ kind: "text", text }));
        return (cursor) => {
          const [start, index] = [cursor.at, cursor.int()];
          return values[index] ?? cursor.fail("SYNTAX", `an enum's index is ${index}, it has ${values.length} symbols`, start);
        };
      }
      case "union": {
        const branches = type.branches.map((branch) => this.of(branch));
        return (cursor) => {
          const [start, index] = [cursor.at, cursor.int()];
          return (branches[index] ?? cursor.fail("SYNTAX", `a union's index is ${index}, it has ${branches.length} branches`, start))(cursor);
        };
      }
      case "array": {
        const item = this.of(type.items);
        return nested((cursor) => {
          const parts: string[] = [];
          for (const count of cursor.counts()) for (let index = 0; index < count; index++) parts.push(jsonOf(cursor, item(cursor)));
          return `[${parts.join(",")}]`;
        });
      }
      case "map": {
        const item = this.of(type.items);
        return nested((cursor) => mapText(cursor, item));
      }
      case "record": {
        const fields = type.fields.map((field) => ({ key: `${JSON.stringify(field.name)}:`, decode: this.of(field.type) }));
        return nested((cursor) => `{${fields.map(({ key, decode }) => key + jsonOf(cursor, decode(cursor))).join(",")}}`);
      }
    }
  }
}

function unmade(): never {
  throw new Error("A type's decoder was used while it was made");
}

function nested(read: (cursor: Cursor) => string): Decode {
  return (cursor) => {
    cursor.enter();
    const text = read(cursor);
    cursor.leave();
    return spent(cursor, { kind: "nested", text });
  };
}

function spent(cursor: Cursor, value: AvroValue): AvroValue {
  cursor.spend(value.text.length + 2);
  return value;
}

function jsonOf(cursor: Cursor, { kind, text }: AvroValue): string {
  cursor.spend(1 + text.length);
  return kind === "text" ? JSON.stringify(text) : text;
}

function mapText(cursor: Cursor, item: Decode): string {
  const keys = new Set<string>();
  const parts: string[] = [];
  for (const count of cursor.counts()) {
    for (let index = 0; index < count; index++) {
      const [start, key] = [cursor.at, cursor.string()];
      if (keys.has(key)) cursor.fail("SYNTAX", `a map has the key ${JSON.stringify(key.slice(0, 60))} twice`, start);
      keys.add(key);
      cursor.spend(key.length + 4);
      parts.push(`${JSON.stringify(key)}:${jsonOf(cursor, item(cursor))}`);
    }
  }
  return `{${parts.join(",")}}`;
}

/** Of a number that stands for a moment; one that stands for none is CAST. */
function momentDecoder(read: (cursor: Cursor) => number | bigint, write: (value: number | bigint) => string | undefined, zone = ""): Decode {
  return (cursor) => {
    const [start, value] = [cursor.at, read(cursor)];
    const text = write(value);
    return text === undefined ? cursor.fail("CAST", `${value} is no date or time that can be written`, start) : { kind: "text", text: `${text}${zone}` };
  };
}

function intDecoder(logical: string | undefined): Decode {
  const read = (cursor: Cursor): number => cursor.int();
  if (logical === "date") return momentDecoder(read, (days) => dateText(Number(days)));
  if (logical === "time-millis") return momentDecoder(read, (value) => timeText(BigInt(value), 3));
  return (cursor) => ({ kind: "number", text: String(cursor.int()) });
}

const timestampDigits: ReadonlyMap<string, number> = new Map([["millis", 3], ["micros", 6], ["nanos", 9]]);

function longDecoder(logical: string | undefined): Decode {
  const read = (cursor: Cursor): number | bigint => cursor.long();
  if (logical === "time-micros") return momentDecoder(read, (value) => timeText(BigInt(value), 6));
  const [, local, unit = ""] = /^(local-)?timestamp-(\w+)$/.exec(logical ?? "") ?? [];
  const digits = timestampDigits.get(unit);
  if (digits !== undefined) return momentDecoder(read, (value) => momentText(BigInt(value), digits), local === undefined ? "Z" : "");
  return (cursor) => ({ kind: "number", text: String(cursor.long()) });
}

function bytesDecoder(take: (cursor: Cursor) => Buffer, { logical, scale }: { readonly logical: string | undefined; readonly scale: number }, form: BytesForm): Decode {
  switch (logical) {
    case "decimal":
      return (cursor) => decimalValue(cursor, take(cursor), scale);
    case "big-decimal":
      return (cursor) => bigDecimal(cursor, take(cursor));
    case "uuid":
      return (cursor) => ({ kind: "text", text: uuidText(take(cursor)) });
    case "duration":
      return (cursor) => ({ kind: "text", text: durationText(take(cursor)) });
    default:
      return (cursor) => {
        const start = cursor.at;
        const bytes = take(cursor);
        const text = form === "utf8" ? utf8Text(bytes) : bytes.toString(form);
        return text === undefined ? cursor.fail("CAST", "the value is bytes, not text; in: {bytes: base64} or hex takes them", start) : spent(cursor, { kind: "text", text });
      };
  }
}

function decimalValue(cursor: Cursor, bytes: Buffer, scale: number): AvroValue {
  if (bytes.length > decimalBytesMax) cursor.fail("LIMIT", `a decimal has ${bytes.length} bytes, more than ${decimalBytesMax}`, cursor.at - bytes.length);
  return spent(cursor, numberLeaf(formatDecimal({ unscaled: integerOfBytes(bytes), scale })));
}

/** A decimal that brings its scale along: its digits as bytes, then the scale as an int (specification 1.12 names it, Java writes it so). */
function bigDecimal(cursor: Cursor, bytes: Buffer): AvroValue {
  const start = cursor.at - bytes.length;
  const inner = cursor.within(bytes);
  const digits = inner.bytesValue();
  const scale = inner.int();
  if (scale < 0 || scale > 1_000 || inner.at !== bytes.length) cursor.fail("SYNTAX", "a big-decimal is none that can be read", start);
  return decimalValue(cursor, digits, scale);
}

/** Three unsigned numbers: months, days, milliseconds. As ISO 8601 writes it: P1M2DT3.004S. */
function durationText(bytes: Buffer): string {
  const milliseconds = bytes.readUInt32LE(8);
  return `P${bytes.readUInt32LE(0)}M${bytes.readUInt32LE(4)}DT${Math.floor(milliseconds / 1000)}.${String(milliseconds % 1000).padStart(3, "0")}S`;
}
