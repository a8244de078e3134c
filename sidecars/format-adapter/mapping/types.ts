// pure
import { isInt64, parseDecimal } from "./decimal.ts";
import { parseTimestamp } from "./timestamp.ts";

/** The type of a column or field. `optional` allows an empty or missing value. */
export type ValueType = { readonly kind: "int64" | "string" | "bool" | "date" | "timestamp" | "decimal"; readonly digits: number; readonly optional: boolean };

const names = ["int64", "string", "bool", "date", "timestamp"] as const;
export const typeNames = [...names, "decimal(n)"] as const;

/** "int64", "decimal(2)", "string?" …; undefined for anything else. */
export function parseType(text: string): ValueType | undefined {
  const optional = text.endsWith("?");
  const base = optional ? text.slice(0, -1) : text;
  const digits = /^decimal\((\d{1,2})\)$/.exec(base)?.[1];
  if (digits !== undefined) return { kind: "decimal", digits: Number(digits), optional };
  const kind = names.find((name) => name === base);
  return kind === undefined ? undefined : { kind, digits: 0, optional };
}

export function typeText(type: ValueType): string {
  return `${type.kind}${type.kind === "decimal" ? `(${type.digits})` : ""}${type.optional ? "?" : ""}`;
}

/** Whether a value's text is of the type without losing anything. */
export function fits(type: ValueType, text: string): boolean {
  switch (type.kind) {
    case "string":
      return true;
    case "int64":
      return isInt64(text);
    case "decimal":
      return (parseDecimal(text)?.scale ?? Infinity) <= type.digits;
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
  return type.kind === "int64" || type.kind === "decimal" || type.kind === "bool";
}
