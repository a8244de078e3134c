// pure
import type { SchemaElement, SchemaTree } from "hyparquet";
import { ConversionError } from "../../conversion-error.ts";
import { formatDecimal } from "../../mapping/decimal.ts";
import { dateText, floatText, integerOfBytes, momentText, timeText, unitDigits, utf8Text, uuidText } from "../exact-values.ts";
import { readerLimitsDefault } from "../row.ts";
import { numberLeaf, type Leaf, type Tree } from "../tree.ts";

/** What a column's bytes mean, kept while the library is told that they mean nothing: it would make floats of decimals and milliseconds of times. */
export type Meaning = Pick<SchemaElement, "type" | "converted_type" | "logical_type" | "scale" | "name">;

const nothing: Leaf = { kind: "null", text: "null" };

/** What is known of the record in hand: its number, and about how many characters its values have taken so far. */
export type RecordInHand = { readonly record: number; chars: number };

/** What a value takes beside its text. */
const valueChars = 8;

/** The exact value of what the library read raw. */
export function parquetTree(value: unknown, node: SchemaTree, meanings: ReadonlyMap<SchemaElement, Meaning>, hand: RecordInHand): Tree {
  const { record } = hand;
  hand.chars += valueChars;
  if (hand.chars > readerLimitsDefault.recordCharsMax) throw new ConversionError("LIMIT", `record ${record} takes more than ${readerLimitsDefault.recordCharsMax} characters`, { line: record, column: node.element.name });
  if (value === null || value === undefined) return nothing;
  if (value instanceof Uint8Array || typeof value === "string") hand.chars += value.length;
  if (Array.isArray(value)) {
    const element = elementOf(node);
    return { kind: "list", items: value.map((item: unknown) => parquetTree(item, element, meanings, hand)) };
  }
  if (node.children.length === 0) return leafOf(value, meanings.get(node.element) ?? node.element, record);
  const entries = new Map(Object.entries(value as Record<string, unknown>));
  const pair = node.element.converted_type === "MAP" || node.element.logical_type?.type === "MAP" ? node.children[0]?.children[1] : undefined;
  return {
    kind: "map", line: record,
    entries: pair === undefined
      ? new Map(node.children.map((child) => [child.element.name, parquetTree(entries.get(child.element.name), child, meanings, hand)]))
      : new Map([...entries].map(([key, each]) => [key, parquetTree(each, pair, meanings, hand)])),
  };
}

/** A list is a group of a repeated group of its element, in old files of the element itself; a repeated value is its own element. */
function elementOf(node: SchemaTree): SchemaTree {
  const [repeated] = node.children;
  if (node.element.repetition_type === "REPEATED" || repeated === undefined) return node;
  return repeated.children.length === 1 && repeated.children[0] !== undefined ? repeated.children[0] : repeated;
}

function leafOf(value: unknown, meaning: Meaning, record: number): Leaf {
  if (typeof value === "boolean") return { kind: "boolean", text: String(value) };
  if (value instanceof Uint8Array) return bytesLeaf(value, meaning, record);
  if (typeof value === "string") return { kind: "text", text: value };
  if (typeof value !== "number" && typeof value !== "bigint") throw cannot(meaning, record, "a value of this type cannot be read");
  if (meaning.type === "FLOAT" || meaning.type === "DOUBLE") return numberLeaf(floatText(Number(value), meaning.type === "FLOAT"));
  const leaf = integerLeaf(BigInt(value), meaning);
  if (leaf === undefined) throw cannot(meaning, record, `${value} is no date or time that can be written`);
  return leaf;
}

/** Undefined for a date or time that does not exist. */
function integerLeaf(value: bigint, { type, converted_type: converted, logical_type: logical, scale }: Meaning): Leaf | undefined {
  if (type === "INT96") return textLeaf(momentText(value, 9), "Z");
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") return numberLeaf(formatDecimal({ unscaled: value, scale: scale ?? 0 }));
  if (converted === "DATE" || logical?.type === "DATE") return textLeaf(dateText(Number(value)));
  const unit = logical !== undefined && "unit" in logical ? logical.unit : converted?.endsWith("_MILLIS") === true ? "MILLIS" : converted?.endsWith("_MICROS") === true ? "MICROS" : undefined;
  if (unit !== undefined) {
    if (converted?.startsWith("TIME_") === true || logical?.type === "TIME") return textLeaf(timeText(value, unitDigits[unit]));
    const isLocal = logical !== undefined && "isAdjustedToUTC" in logical && !logical.isAdjustedToUTC;
    return textLeaf(momentText(value, unitDigits[unit]), isLocal ? "" : "Z");
  }
  const isUnsigned = converted?.startsWith("UINT_") === true || (logical?.type === "INTEGER" && !logical.isSigned);
  return numberLeaf(String(isUnsigned ? BigInt.asUintN(type === "INT32" ? 32 : 64, value) : value));
}

function textLeaf(text: string | undefined, zone = ""): Leaf | undefined {
  return text === undefined ? undefined : { kind: "text", text: `${text}${zone}` };
}

function bytesLeaf(bytes: Uint8Array, meaning: Meaning, record: number): Leaf {
  const { converted_type: converted, logical_type: logical } = meaning;
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") return numberLeaf(formatDecimal({ unscaled: integerOfBytes(bytes), scale: meaning.scale ?? 0 }));
  if (logical?.type === "UUID") return { kind: "text", text: uuidText(bytes) };
  const text = utf8Text(bytes);
  if (text === undefined) throw cannot(meaning, record, "the value is bytes, not text");
  return { kind: "text", text };
}

function cannot({ name }: Meaning, record: number, message: string): ConversionError {
  return new ConversionError("CAST", `${message} (record ${record})`, { line: record, column: name });
}
