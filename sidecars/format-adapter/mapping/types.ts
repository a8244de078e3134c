// pure
import { isInt64, parseDecimal } from "./decimal.ts";
import { parseTimestamp } from "./timestamp.ts";

/** The type of a column or field. `optional` allows an empty or missing value. */
export type ValueType = { readonly kind: "int64" | "string" | "bool" | "date" | "timestamp" | "decimal" | "number"; readonly digits: number; readonly optional: boolean };

const names = ["int64", "number", "string", "bool", "date", "timestamp"] as const;
export const typeNames = [...names, "decimal(n)"] as const;

/** "int64", "decimal(2)", "string?" …; undefined for anything else. "float" is another name for number. */
export function parseType(text: string): ValueType | undefined {
  const optional = text.endsWith("?");
  const base = optional ? text.slice(0, -1) : text;
  const digits = /^decimal\((\d{1,2})\)$/.exec(base)?.[1];
  if (digits !== undefined) return { kind: "decimal", digits: Number(digits), optional };
  const kind = names.find((name) => name === (base === "float" ? "number" : base));
  return kind === undefined ? undefined : { kind, digits: 0, optional };
}

export function typeText(type: ValueType): string {
  return `${type.kind}${type.kind === "decimal" ? `(${type.digits})` : ""}${type.optional ? "?" : ""}`;
}

/** A number as JSON writes it (RFC 8259, section 6). */
const numberForm = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;

/** Whether a value's text is of the type without losing anything. A number is kept as it is written; one beyond what a double can hold is none. */
export function fits(type: ValueType, text: string): boolean {
  switch (type.kind) {
    case "string":
      return true;
    case "int64":
      return isInt64(text);
    case "decimal":
      return (parseDecimal(text)?.scale ?? Infinity) <= type.digits;
    case "number":
      return numberForm.test(text) && Number.isFinite(Number(text));
    case "bool":
      return text === "true" || text === "false";
    case "date":
      return /^\d{4}-\d\d-\d\d$/.test(text) && parseTimestamp(`${text}T00:00:00Z`) !== undefined;
    case "timestamp":
      return parseTimestamp(text) !== undefined;
  }
}

/** Whether a value of this type is written bare in JSON. */
export function isBareInJson(type: ValueType): boolean {
  return type.kind === "int64" || type.kind === "decimal" || type.kind === "bool" || type.kind === "number";
}
