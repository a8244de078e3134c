// pure
import type { SchemaElement, SchemaTree } from "hyparquet";
import { ConversionError } from "../../conversion-error.ts";
import { formatDecimal } from "../../mapping/decimal.ts";
import { numberLeaf, type Leaf, type Tree } from "../tree.ts";

/** What a column's bytes mean, kept while the library is told that they mean nothing: it would make floats of decimals and milliseconds of times. */
export type Meaning = Pick<SchemaElement, "type" | "converted_type" | "logical_type" | "scale" | "name">;

const nothing: Leaf = { kind: "null", text: "null" };
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The exact value of what the library read raw. */
export function parquetTree(value: unknown, node: SchemaTree, meanings: ReadonlyMap<SchemaElement, Meaning>, record: number): Tree {
  if (value === null || value === undefined) return nothing;
  if (Array.isArray(value)) {
    const element = elementOf(node);
    return { kind: "list", items: value.map((item: unknown) => parquetTree(item, element, meanings, record)) };
  }
  if (node.children.length === 0) return leafOf(value, meanings.get(node.element) ?? node.element, record);
  const entries = new Map(Object.entries(value as Record<string, unknown>));
  const pair = node.element.converted_type === "MAP" || node.element.logical_type?.type === "MAP" ? node.children[0]?.children[1] : undefined;
  return {
    kind: "map", line: record,
    entries: pair === undefined
      ? new Map(node.children.map((child) => [child.element.name, parquetTree(entries.get(child.element.name), child, meanings, record)]))
      : new Map([...entries].map(([key, each]) => [key, parquetTree(each, pair, meanings, record)])),
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
  return integerLeaf(BigInt(value), meaning);
}

function integerLeaf(value: bigint, { type, converted_type: converted, logical_type: logical, scale }: Meaning): Leaf {
  if (type === "INT96") return { kind: "text", text: `${momentText(value, 9)}Z` };
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") return numberLeaf(formatDecimal({ unscaled: value, scale: scale ?? 0 }));
  if (converted === "DATE" || logical?.type === "DATE") return { kind: "text", text: new Date(Number(value) * 86_400_000).toISOString().slice(0, -14) };
  const unit = logical !== undefined && "unit" in logical ? logical.unit : converted?.endsWith("_MILLIS") === true ? "MILLIS" : converted?.endsWith("_MICROS") === true ? "MICROS" : undefined;
  if (unit !== undefined) {
    const digits = unit === "MILLIS" ? 3 : unit === "MICROS" ? 6 : 9;
    const isTime = converted?.startsWith("TIME_") === true || logical?.type === "TIME";
    const isLocal = logical !== undefined && "isAdjustedToUTC" in logical && !logical.isAdjustedToUTC;
    return { kind: "text", text: isTime ? momentText(value, digits).slice(11) : `${momentText(value, digits)}${isLocal ? "" : "Z"}` };
  }
  const isUnsigned = converted?.startsWith("UINT_") === true || (logical?.type === "INTEGER" && !logical.isSigned);
  return numberLeaf(String(isUnsigned ? BigInt.asUintN(type === "INT32" ? 32 : 64, value) : value));
}

/** A count since 1970 with so many digits behind the second, as 2026-01-02T03:04:05.123456; digits that are all zero are left out. */
function momentText(value: bigint, digits: number): string {
  const unit = 10n ** BigInt(digits);
  const fraction = ((value % unit) + unit) % unit;
  const seconds = new Date(Number((value - fraction) / unit) * 1000).toISOString().slice(0, -5);
  return fraction === 0n ? seconds : `${seconds}.${String(fraction).padStart(digits, "0")}`;
}

/** The shortest decimal form that is this number again, at its own precision. */
function floatText(value: number, isSingle: boolean): string {
  if (Object.is(value, -0)) return "-0";
  if (!isSingle || !Number.isFinite(value)) return String(value);
  for (let precision = 6; precision < 9; precision++) {
    const shorter = Number(value.toPrecision(precision));
    if (Math.fround(shorter) === value) return String(shorter);
  }
  return String(Number(value.toPrecision(9)));
}

function bytesLeaf(bytes: Uint8Array, meaning: Meaning, record: number): Leaf {
  const { converted_type: converted, logical_type: logical } = meaning;
  const hex = (): string => Buffer.from(bytes).toString("hex");
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") return numberLeaf(formatDecimal({ unscaled: bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex()}`)), scale: meaning.scale ?? 0 }));
  if (logical?.type === "UUID") return { kind: "text", text: hex().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5") };
  try {
    return { kind: "text", text: decoder.decode(bytes) };
  } catch {
    throw cannot(meaning, record, "the value is bytes, not text");
  }
}

function cannot({ name }: Meaning, record: number, message: string): ConversionError {
  return new ConversionError("CAST", `${message} (record ${record})`, { line: record, column: name });
}
