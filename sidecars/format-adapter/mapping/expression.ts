// pure
import { add, multiply, parseDecimal, subtract, type Decimal } from "./decimal.ts";
import { callFunction } from "./expression-functions.ts";
import { order, type Evaluate, type ExpressionNode, type ExpressionType, type ExpressionValue } from "./expression-node.ts";
import { ExpressionError, parseExpression, type ComparisonSign, type SyntaxNode } from "./expression-syntax.ts";
import type { ValueType } from "./types.ts";

/**
 * The small total expression language of `expr:` and `where:`; its grammar is in expression-syntax.ts, its functions in
 * expression-functions.ts. No loops, no recursion, no input or output: every expression ends, and its type is known before any data
 * is seen. Values are exact decimals, strings and booleans. An empty value of a string column is a string like any other; an empty
 * one of another type is no value, and so is what is made of it, except by coalesce() and empty().
 */
export type Expression = { readonly type: ExpressionType; readonly columns: readonly string[]; readonly node: ExpressionNode; readonly evaluate: Evaluate };
export type CompiledExpression = { readonly kind: "ok"; readonly expression: Expression } | { readonly kind: "wrong"; readonly reason: string; readonly at: number };

const scaleMax = 30;

/** Compiles an expression; `columnType` gives the declared type of a column, undefined for one that does not exist. */
export function compileExpression(text: string, columnType: (name: string) => ValueType | undefined): CompiledExpression {
  try {
    const columns = new Set<string>();
    const node = typed(parseExpression(text), columnType, columns);
    return { kind: "ok", expression: { type: node.type, columns: [...columns], node, evaluate: node.evaluate } };
  } catch (error) {
    if (error instanceof ExpressionError) return { kind: "wrong", reason: error.message, at: error.at };
    throw error;
  }
}

function typed(syntax: SyntaxNode, columnType: (name: string) => ValueType | undefined, columns: Set<string>): ExpressionNode {
  const inner = (node: SyntaxNode): ExpressionNode => typed(node, columnType, columns);
  switch (syntax.kind) {
    case "number": {
      const value = parseDecimal(syntax.text);
      if (value === undefined) throw new ExpressionError(`"${syntax.text}" is not a number here (no leading zeros)`, syntax.at);
      if (value.scale > scaleMax) throw new ExpressionError(`"${syntax.text}" has more than ${scaleMax} digits after the point`, syntax.at);
      return constant({ kind: "number", scale: value.scale }, value);
    }
    case "string":
      return constant({ kind: "string" }, syntax.text);
    case "boolean":
      return constant({ kind: "boolean" }, syntax.value);
    case "column": {
      const declared = columnType(syntax.name);
      if (declared === undefined) throw new ExpressionError(`"${syntax.name}" is not a column; declare it under in.columns`, syntax.at);
      columns.add(syntax.name);
      return columnNode(syntax.name, declared, syntax.at);
    }
    case "unary":
      return syntax.sign === "!" ? not(inner(syntax.operand), syntax.at) : arithmetic("-", constant({ kind: "number", scale: 0 }, { unscaled: 0, scale: 0 }), inner(syntax.operand), syntax.at);
    case "binary": {
      const { sign, at } = syntax;
      const [left, right] = [inner(syntax.left), inner(syntax.right)];
      if (sign === "||" || sign === "&&") return logic(sign, left, right, at);
      return sign === "+" || sign === "-" || sign === "*" ? arithmetic(sign, left, right, at) : comparison(sign, left, right, at);
    }
    case "choose":
      return choose(inner(syntax.condition), inner(syntax.yes), inner(syntax.no), syntax.at);
    case "call": {
      const values = syntax.values.map((value) => inner(value));
      const [condition, yes, no] = values;
      if (syntax.name !== "if") return callFunction(syntax.name, values, syntax.at);
      if (condition === undefined || yes === undefined || no === undefined || values.length !== 3) throw new ExpressionError("if takes a condition and two values", syntax.at);
      return choose(condition, yes, no, syntax.at);
    }
  }
}

function constant(type: ExpressionType, value: ExpressionValue): ExpressionNode {
  return { type, evaluate: () => value, operation: { kind: "constant", value } };
}

function columnNode(name: string, declared: ValueType, at: number): ExpressionNode {
  if (declared.kind === "number") throw new ExpressionError(`"${name}" is a number that is only copied; declare it int64 or decimal(n) to compute with it`, at);
  const type: ExpressionType = declared.kind === "int64" ? { kind: "number", scale: 0 } : declared.kind === "decimal" ? { kind: "number", scale: declared.digits } : { kind: declared.kind === "bool" ? "boolean" : "string" };
  return { type, evaluate: (environment) => environment.column(name), operation: { kind: "column", name, declared } };
}

const arithmetics = { "+": add, "-": subtract, "*": multiply } as const;

function arithmetic(sign: "+" | "-" | "*", left: ExpressionNode, right: ExpressionNode, at: number): ExpressionNode {
  if (sign === "+" && left.type.kind === "string") throw new ExpressionError("strings are joined by concat(a, b), not by +", at);
  const [first, second] = [numberOf(left, at), numberOf(right, at)];
  const scale = sign === "*" ? first.scale + second.scale : Math.max(first.scale, second.scale);
  if (scale > scaleMax) throw new ExpressionError(`the product has ${scale} digits after the point, more than ${scaleMax}`, at);
  const operate = arithmetics[sign];
  return {
    type: { kind: "number", scale },
    operation: { kind: "arithmetic", sign, left, right },
    evaluate: (environment) => {
      const [one, other] = [first.evaluate(environment), second.evaluate(environment)];
      return one === undefined || other === undefined ? undefined : operate(one, other);
    },
  };
}

const holds: Readonly<Record<ComparisonSign, (order: number) => boolean>> = {
  "==": (order) => order === 0, "!=": (order) => order !== 0, "<": (order) => order < 0, "<=": (order) => order <= 0, ">": (order) => order > 0, ">=": (order) => order >= 0,
};

function comparison(sign: ComparisonSign, left: ExpressionNode, right: ExpressionNode, at: number): ExpressionNode {
  if (left.type.kind !== right.type.kind) throw new ExpressionError(`cannot compare ${left.type.kind} with ${right.type.kind}`, at);
  if (left.type.kind === "boolean" && sign !== "==" && sign !== "!=") throw new ExpressionError("booleans have no order; use == or !=", at);
  const test = holds[sign];
  return {
    type: { kind: "boolean" },
    operation: { kind: "compare", sign, left, right },
    evaluate: (environment) => {
      const [one, other] = [left.evaluate(environment), right.evaluate(environment)];
      return one === undefined || other === undefined ? undefined : test(order(one, other));
    },
  };
}

function logic(sign: "&&" | "||", left: ExpressionNode, right: ExpressionNode, at: number): ExpressionNode {
  const [first, second] = [booleanOf(left, at), booleanOf(right, at)];
  // As soon as one side decides, the other need not be looked at, nor have a value.
  const decides = sign === "||";
  return {
    type: { kind: "boolean" },
    operation: { kind: "logic", sign, left, right },
    evaluate: (environment) => {
      const one = first(environment);
      if (one === decides) return one;
      const other = second(environment);
      return other === decides || one !== undefined ? other : undefined;
    },
  };
}

function not(operand: ExpressionNode, at: number): ExpressionNode {
  const test = booleanOf(operand, at);
  return {
    type: { kind: "boolean" },
    operation: { kind: "not", operand },
    evaluate: (environment) => {
      const value = test(environment);
      return value === undefined ? undefined : !value;
    },
  };
}

function choose(condition: ExpressionNode, yes: ExpressionNode, no: ExpressionNode, at: number): ExpressionNode {
  const test = booleanOf(condition, at);
  if (yes.type.kind !== no.type.kind) throw new ExpressionError(`both values of if must be of one type, got ${yes.type.kind} and ${no.type.kind}`, at);
  const type: ExpressionType = yes.type.kind === "number" && no.type.kind === "number" ? { kind: "number", scale: Math.max(yes.type.scale, no.type.scale) } : yes.type;
  return {
    type,
    operation: { kind: "choose", condition, yes, no },
    evaluate: (environment) => {
      const decided = test(environment);
      return decided === undefined ? undefined : decided ? yes.evaluate(environment) : no.evaluate(environment);
    },
  };
}

function numberOf(node: ExpressionNode, at: number): { readonly scale: number; readonly evaluate: Evaluate<Decimal> } {
  if (node.type.kind !== "number") throw new ExpressionError(`expected a number, got a ${node.type.kind}; declare the column's type under in.columns, or write decimal(text, digits)`, at);
  return { scale: node.type.scale, evaluate: node.evaluate as Evaluate<Decimal> };
}

function booleanOf(node: ExpressionNode, at: number): Evaluate<boolean> {
  if (node.type.kind !== "boolean") throw new ExpressionError(`expected a condition, got a ${node.type.kind}`, at);
  return node.evaluate as Evaluate<boolean>;
}
