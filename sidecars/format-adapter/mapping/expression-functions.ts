// pure
import { compare, formatDecimal, parseDecimal, quotient, rescale, type Decimal, type Rounding } from "./decimal.ts";
import { EvaluationError, order, valueText, type ExpressionNode, type ExpressionType, type ExpressionValue } from "./expression-node.ts";
import { ExpressionError } from "./expression-syntax.ts";
import { partOfText } from "./text-parts.ts";
import { compilePattern } from "./text-pattern.ts";

/**
 * The functions of the expression language. Positions and lengths of text count code points. A function of no value has no value,
 * but for coalesce and empty.
 */
const textCharactersMax = 1_048_576;
const padMax = 1_000;
const scaleMax = 30;

type ValueKind = ExpressionType["kind"];
type Apply = (values: readonly ExpressionValue[]) => ExpressionValue | undefined;

type FunctionShape = {
  /** As it is shown to users. */
  readonly usage: string;
  /** The kinds of the values; the last one stands for all that follow when `max` is larger. */
  readonly takes: readonly ValueKind[];
  readonly min: number;
  readonly max: number;
  /** Chosen by the values, which are of the right kinds. Throws ExpressionError. */
  readonly prepare: (values: readonly ExpressionNode[], at: number) => { readonly type: ExpressionType; readonly apply: Apply };
};

const text: ExpressionType = { kind: "string" };
const condition: ExpressionType = { kind: "boolean" };
const roundings: readonly string[] = ["half-up", "half-even", "down"];

function plain(usage: string, takes: readonly ValueKind[], type: ExpressionType, apply: (values: readonly string[]) => ExpressionValue, limits?: { readonly min: number; readonly max: number }): FunctionShape {
  return { usage, takes, min: limits?.min ?? takes.length, max: limits?.max ?? takes.length, prepare: () => ({ type, apply: (values) => apply(values as readonly string[]) }) };
}

/** Refuses a result before it is made: a few hundred characters of an expression can ask for terabytes. */
function checkLength(characters: number): void {
  if (characters > textCharactersMax) throw new EvaluationError(`the result is longer than ${textCharactersMax} characters`);
}

function concatenated(texts: readonly string[]): string {
  checkLength(texts.reduce((sum, each) => sum + each.length, 0));
  return texts.join("");
}

function replaced(source: string, what: string, by: string): string {
  if (what === "") return source;
  let times = 0;
  for (let at = source.indexOf(what); at >= 0; at = source.indexOf(what, at + what.length)) times++;
  checkLength(source.length + times * (by.length - what.length));
  return source.replaceAll(what, () => by);
}

/** Without a list of them, which would take many times the memory of a long text. */
function codePoints(source: string): number {
  let count = source.length;
  for (let at = 0; at < source.length; at++) {
    if ((source.codePointAt(at) ?? 0) <= 0xffff) continue;
    at++;
    count--;
  }
  return count;
}

/** Where so many code points end, from the start. */
function offsetOf(source: string, count: number): number {
  let at = 0;
  for (let left = count; left > 0 && at < source.length; left--) at += (source.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

function whole(value: ExpressionValue | undefined): number {
  return typeof value === "object" ? Number(rescale(value, 0, "down")?.unscaled ?? 0) : 0;
}

function substring(source: string, from: number, length: number): string {
  const start = offsetOf(source, from < 0 ? Math.max(0, codePoints(source) + from) : from);
  const rest = source.slice(start);
  return rest.slice(0, offsetOf(rest, Math.max(0, length)));
}

function padded(source: string, width: number, fill: string, before: boolean): string {
  const missing = width - (source.length > 2 * width ? width : codePoints(source));
  if (missing <= 0) return source;
  const padding = fill.repeat(missing);
  return before ? padding + source : source + padding;
}

const pad = (name: string, before: boolean): FunctionShape => ({
  usage: `${name}(text, width, character)`,
  takes: ["string", "number", "string"],
  min: 3,
  max: 3,
  prepare(values, at) {
    const width = constantWhole(values[1], at, `${name} takes its width as a whole number up to ${padMax}`, padMax);
    const fill = constantText(values[2], at, `${name} takes one character to fill with`);
    if (codePoints(fill) !== 1) throw new ExpressionError(`${name} takes one character to fill with`, at);
    return { type: text, apply: ([source]) => padded(source as string, width, fill, before) };
  },
});

const extreme = (name: string, sign: 1 | -1): FunctionShape => ({
  usage: `${name}(a, b, …)`,
  takes: ["number"],
  min: 2,
  max: 20,
  prepare: (values) => ({ type: { kind: "number", scale: commonScale(values) }, apply: (numbers) => (numbers as readonly Decimal[]).reduce((best, each) => (compare(each, best) * sign > 0 ? each : best)) }),
});

const shapes: Readonly<Record<string, FunctionShape>> = {
  upper: plain("upper(text)", ["string"], text, ([source = ""]) => source.toUpperCase()),
  lower: plain("lower(text)", ["string"], text, ([source = ""]) => source.toLowerCase()),
  trim: plain("trim(text)", ["string"], text, ([source = ""]) => source.trim()),
  concat: plain("concat(text, …)", ["string"], text, concatenated, { min: 1, max: 20 }),
  replace: plain("replace(text, what, by)", ["string", "string", "string"], text, ([source = "", what = "", by = ""]) => replaced(source, what, by)),
  length: plain("length(text)", ["string"], { kind: "number", scale: 0 }, ([source = ""]) => ({ unscaled: codePoints(source), scale: 0 })),
  contains: plain("contains(text, part)", ["string", "string"], condition, ([source = "", part = ""]) => source.includes(part)),
  startsWith: plain("startsWith(text, part)", ["string", "string"], condition, ([source = "", part = ""]) => source.startsWith(part)),
  endsWith: plain("endsWith(text, part)", ["string", "string"], condition, ([source = "", part = ""]) => source.endsWith(part)),
  substring: { usage: "substring(text, from[, length])", takes: ["string", "number", "number"], min: 2, max: 3, prepare: () => ({ type: text, apply: ([source, from, length]) => substring(source as string, whole(from), length === undefined ? Infinity : whole(length)) }) },
  part: { usage: "part(text, separator, index)", takes: ["string", "string", "number"], min: 3, max: 3, prepare: () => ({ type: text, apply: ([source = "", separator, index]) => (typeof source !== "string" || typeof separator !== "string" || separator === "" ? source : partOfText(source, separator, whole(index), false)) }) },
  padLeft: pad("padLeft", true),
  padRight: pad("padRight", false),
  matches: {
    usage: "matches(text, 'pattern')",
    takes: ["string", "string"],
    min: 2,
    max: 2,
    prepare(values, at) {
      const compiled = compilePattern(constantText(values[1], at, "matches takes its pattern as a text in quotes"));
      if (compiled.kind === "wrong") throw new ExpressionError(compiled.reason, at);
      return { type: condition, apply: ([source]) => compiled.matches(source as string) };
    },
  },
  oneOf: {
    usage: "oneOf(value, choice, …)",
    takes: [],
    min: 2,
    max: 100,
    prepare(values, at) {
      sameKind("oneOf", values, at);
      return { type: condition, apply: ([value, ...choices]) => choices.some((choice) => order(value ?? "", choice) === 0) };
    },
  },
  text: { usage: "text(value)", takes: [], min: 1, max: 1, prepare: () => ({ type: text, apply: ([value]) => valueText(value ?? "") }) },
  decimal: {
    usage: "decimal(text, digits)",
    takes: ["string", "number"],
    min: 2,
    max: 2,
    prepare(values, at) {
      const digits = constantWhole(values[1], at, `decimal takes its digits after the point as a whole number up to ${scaleMax}`, scaleMax);
      return {
        type: { kind: "number", scale: digits },
        apply([source]) {
          if (source === "") return undefined;
          const value = parseDecimal(source as string);
          if (value === undefined || value.scale > digits) throw new EvaluationError(`${JSON.stringify((source as string).slice(0, 40))} is not decimal(${digits})`);
          return value;
        },
      };
    },
  },
  abs: { usage: "abs(number)", takes: ["number"], min: 1, max: 1, prepare: (values) => ({ type: { kind: "number", scale: commonScale(values) }, apply: ([value]) => absolute(value as Decimal) }) },
  min: extreme("min", -1),
  max: extreme("max", 1),
  divide: {
    usage: "divide(a, b, digits, 'half-up' | 'half-even' | 'down')",
    takes: ["number", "number", "number", "string"],
    min: 4,
    max: 4,
    prepare(values, at) {
      const digits = constantWhole(values[2], at, `divide takes its digits after the point as a whole number up to ${scaleMax}`, scaleMax);
      const rounding = roundingOf(values[3], at, "divide");
      return {
        type: { kind: "number", scale: digits },
        apply([dividend, divisor]) {
          const result = quotient(dividend as Decimal, divisor as Decimal, digits, rounding);
          if (result === undefined) throw new EvaluationError(`${formatDecimal(dividend as Decimal)} is divided by zero`);
          return result;
        },
      };
    },
  },
};

/** Makes a call of a function. Throws ExpressionError. */
export function callFunction(name: string, values: readonly ExpressionNode[], at: number): ExpressionNode {
  if (name === "coalesce" || name === "empty" || name === "round") return special(name, values, at);
  const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  if (shape === undefined) throw new ExpressionError(`"${name}" is not a function; there are ${functionUsages.map((usage) => usage.slice(0, usage.indexOf("("))).join(", ")}`, at);
  if (values.length < shape.min || values.length > shape.max) throw new ExpressionError(`${name} takes ${shape.min === shape.max ? shape.min : `${shape.min} to ${shape.max}`} values, got ${values.length}: ${shape.usage}`, at);
  for (const [index, value] of values.entries()) {
    const kind = shape.takes[index] ?? shape.takes.at(-1);
    if (kind !== undefined && value.type.kind !== kind) throw new ExpressionError(`${name} takes ${kind}s here, got a ${value.type.kind}: ${shape.usage}`, at);
  }
  const { type, apply } = shape.prepare(values, at);
  return {
    type,
    operation: { kind: "call", name, values },
    evaluate(environment) {
      const given: ExpressionValue[] = [];
      for (const value of values) {
        const result = value.evaluate(environment);
        if (result === undefined) return undefined;
        given.push(result);
      }
      return apply(given);
    },
  };
}

/** The functions that look at values that are none, and rounding, which is known to whoever compiles numbers. */
function special(name: "coalesce" | "empty" | "round", values: readonly ExpressionNode[], at: number): ExpressionNode {
  const [first] = values;
  const operation = { kind: "call", name, values } as const;
  if (name === "round") {
    if (first?.type.kind !== "number" || values.length !== 3) throw new ExpressionError("round takes a number, its digits and how: round(number, digits, 'half-up' | 'half-even' | 'down')", at);
    const digits = constantWhole(values[1], at, `round takes its digits after the point as a whole number up to ${scaleMax}`, scaleMax);
    const rounding = roundingOf(values[2], at, "round");
    return { type: { kind: "number", scale: digits }, operation: { kind: "round", operand: first, digits, rounding }, evaluate: (environment) => rounded(first.evaluate(environment), digits, rounding) };
  }
  if (name === "empty") {
    if (first === undefined || values.length !== 1) throw new ExpressionError("empty takes 1 value", at);
    return { type: condition, operation, evaluate: (environment) => [undefined, ""].includes(first.evaluate(environment) as string | undefined) };
  }
  if (first === undefined || values.length < 2 || values.length > 20) throw new ExpressionError(`coalesce takes 2 to 20 values, got ${values.length}`, at);
  sameKind("coalesce", values, at);
  return {
    type: first.type.kind === "number" ? { kind: "number", scale: commonScale(values) } : first.type,
    operation,
    evaluate(environment) {
      let result: ExpressionValue | undefined;
      for (const value of values) {
        result = value.evaluate(environment);
        if (result !== undefined && result !== "") break;
      }
      return result;
    },
  };
}

function rounded(value: ExpressionValue | undefined, digits: number, rounding: Rounding): ExpressionValue | undefined {
  return typeof value === "object" ? rescale(value, digits, rounding) : undefined;
}

function sameKind(name: string, values: readonly ExpressionNode[], at: number): void {
  const kinds = new Set(values.map((value) => value.type.kind));
  if (kinds.size > 1) throw new ExpressionError(`${name} takes values of one type, got ${[...kinds].join(" and ")}`, at);
}

function commonScale(values: readonly ExpressionNode[]): number {
  return Math.max(...values.map((value) => (value.type.kind === "number" ? value.type.scale : 0)));
}

function absolute(value: Decimal): Decimal {
  return value.unscaled < 0 ? { unscaled: -value.unscaled, scale: value.scale } : value;
}

function constantText(node: ExpressionNode | undefined, at: number, message: string): string {
  if (node?.operation.kind !== "constant" || typeof node.operation.value !== "string") throw new ExpressionError(message, at);
  return node.operation.value;
}

function constantWhole(node: ExpressionNode | undefined, at: number, message: string, max: number): number {
  const value = node?.operation.kind === "constant" ? node.operation.value : undefined;
  if (typeof value !== "object" || value.scale !== 0 || value.unscaled > max) throw new ExpressionError(message, at);
  return Number(value.unscaled);
}

function roundingOf(node: ExpressionNode | undefined, at: number, name: string): Rounding {
  const message = `${name} takes how to round as 'half-up', 'half-even' or 'down'`;
  const word = constantText(node, at, message);
  if (!roundings.includes(word)) throw new ExpressionError(message, at);
  return word as Rounding;
}

/** How each function is written. */
export const functionUsages: readonly string[] = ["if(condition, yes, no)", "coalesce(a, b, …)", "empty(value)", "round(number, digits, 'half-up' | 'half-even' | 'down')", ...Object.values(shapes).map((shape) => shape.usage)];
