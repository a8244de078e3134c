// pure
import { compare, formatDecimal, type Decimal, type Rounding } from "./decimal.ts";
import type { ComparisonSign } from "./expression-syntax.ts";
import type { ValueType } from "./types.ts";

export type ExpressionType = { readonly kind: "number"; readonly scale: number } | { readonly kind: "string" } | { readonly kind: "boolean" };
export type ExpressionValue = Decimal | string | boolean;
/** `column` gives undefined for an empty value of a column that is no string. */
export type Environment = { readonly column: (name: string) => ExpressionValue | undefined };
export type Evaluate<T = ExpressionValue> = (environment: Environment) => T | undefined;

/** What a typed expression does, for those who make something else of it than a function. */
export type ExpressionNode = { readonly type: ExpressionType; readonly evaluate: Evaluate; readonly operation: Operation };
export type Operation =
  | { readonly kind: "constant"; readonly value: ExpressionValue }
  | { readonly kind: "column"; readonly name: string; readonly declared: ValueType }
  | { readonly kind: "arithmetic"; readonly sign: "+" | "-" | "*"; readonly left: ExpressionNode; readonly right: ExpressionNode }
  | { readonly kind: "compare"; readonly sign: ComparisonSign; readonly left: ExpressionNode; readonly right: ExpressionNode }
  | { readonly kind: "logic"; readonly sign: "&&" | "||"; readonly left: ExpressionNode; readonly right: ExpressionNode }
  | { readonly kind: "not"; readonly operand: ExpressionNode }
  | { readonly kind: "choose"; readonly condition: ExpressionNode; readonly yes: ExpressionNode; readonly no: ExpressionNode }
  | { readonly kind: "round"; readonly operand: ExpressionNode; readonly digits: number; readonly rounding: Rounding }
  | { readonly kind: "call"; readonly name: string; readonly values: readonly ExpressionNode[] };

/** Why an expression has no result for a record, as for a division by zero. */
export class EvaluationError extends Error {}

/** Numbers by value, strings by code points. */
export function order(left: ExpressionValue, right: ExpressionValue): number {
  if (typeof left === "object" && typeof right === "object") return compare(left, right);
  if (left === right) return 0;
  if (typeof left !== "string" || typeof right !== "string") return left === false ? -1 : 1;
  let at = 0;
  while (at < left.length && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  if (at > 0 && (left.charCodeAt(at) & 0xfc00) === 0xdc00) at--;
  return (left.codePointAt(at) ?? -1) - (right.codePointAt(at) ?? -1);
}

/** The text of a value, as it is written to a report. */
export function valueText(value: ExpressionValue): string {
  return typeof value === "object" ? formatDecimal(value) : String(value);
}
