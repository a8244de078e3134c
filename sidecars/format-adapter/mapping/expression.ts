// pure
import { add, compare, formatDecimal, multiply, parseDecimal, subtract, type Decimal } from "./decimal.ts";
import type { ValueType } from "./types.ts";

/**
 * The small total expression language of `expr:`. No loops, no recursion, no input or output: every expression ends, and its type is known
 * before any data is seen. Values are exact decimals, strings and booleans.
 *   or         a || b            and   a && b        compare   == != < <= > >=       sum  + -     product  *     unary  - !
 *   primary    number  'string'  column  (…)  if(condition, then, else)  upper(s) lower(s) trim(s) concat(s, …) length(s)
 */
export type ExpressionType = { readonly kind: "number"; readonly scale: number } | { readonly kind: "string" } | { readonly kind: "boolean" };
export type ExpressionValue = Decimal | string | boolean;
export type Environment = { readonly column: (name: string) => ExpressionValue };
export type Expression = { readonly type: ExpressionType; readonly columns: readonly string[]; evaluate(environment: Environment): ExpressionValue };
export type CompiledExpression = { readonly kind: "ok"; readonly expression: Expression } | { readonly kind: "wrong"; readonly reason: string; readonly at: number };

const charactersMax = 1000;
const depthMax = 50;
const scaleMax = 30;

/** Compiles an expression; `columnType` gives the declared type of a column, undefined for one that does not exist. */
export function compileExpression(text: string, columnType: (name: string) => ValueType | undefined): CompiledExpression {
  if (text.length > charactersMax) return { kind: "wrong", reason: `longer than ${charactersMax} characters`, at: charactersMax };
  try {
    return { kind: "ok", expression: new Parser(text, columnType).parse() };
  } catch (error) {
    if (error instanceof ExpressionError) return { kind: "wrong", reason: error.message, at: error.at };
    throw error;
  }
}

class ExpressionError extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

type Node = { readonly type: ExpressionType; readonly evaluate: (environment: Environment) => ExpressionValue };
type NumberNode = { readonly scale: number; readonly evaluate: (environment: Environment) => Decimal };

const tokenForm = /\s*(?:(\d+(?:\.\d+)?)|'((?:[^'\\]|\\.)*)'|([A-Za-z_][A-Za-z0-9_]*)|(\|\||&&|==|!=|<=|>=|[-+*/()<>!,]))/y;

type Token = { readonly kind: "number" | "string" | "name" | "sign" | "end"; readonly text: string; readonly at: number };

class Parser {
  readonly #text: string;
  readonly #columnType: (name: string) => ValueType | undefined;
  readonly #columns = new Set<string>();
  #position = 0;
  #token: Token;
  #depth = 0;

  constructor(text: string, columnType: (name: string) => ValueType | undefined) {
    this.#text = text;
    this.#columnType = columnType;
    this.#token = this.#scan();
  }

  parse(): Expression {
    const node = this.#or();
    if (this.#token.kind !== "end") throw this.#unexpected("an operator");
    return { type: node.type, columns: [...this.#columns], evaluate: node.evaluate };
  }

  #or(): Node {
    return this.#logical(() => this.#logical(() => this.#comparison(), "&&"), "||");
  }

  #logical(operand: () => Node, sign: "||" | "&&"): Node {
    let left = operand();
    while (this.#is(sign)) {
      const at = this.#next().at;
      const right = operand();
      const [first, second] = [this.#boolean(left, at), this.#boolean(right, at)];
      left = { type: { kind: "boolean" }, evaluate: sign === "||" ? (environment) => first(environment) || second(environment) : (environment) => first(environment) && second(environment) };
    }
    return left;
  }

  #comparison(): Node {
    const left = this.#sum();
    const sign = this.#token.text;
    if (this.#token.kind !== "sign" || !Object.hasOwn(comparisons, sign)) return left;
    const { at } = this.#next();
    const right = this.#sum();
    const holds = comparisons[sign] as (order: number) => boolean;
    if (left.type.kind !== right.type.kind) throw new ExpressionError(`cannot compare ${left.type.kind} with ${right.type.kind}`, at);
    if (left.type.kind === "number") {
      const [first, second] = [this.#number(left, at), this.#number(right, at)];
      return { type: { kind: "boolean" }, evaluate: (environment) => holds(compare(first.evaluate(environment), second.evaluate(environment))) };
    }
    if (sign !== "==" && sign !== "!=") throw new ExpressionError(`${left.type.kind}s have no order here; use == or !=`, at);
    return { type: { kind: "boolean" }, evaluate: (environment) => holds(left.evaluate(environment) === right.evaluate(environment) ? 0 : 1) };
  }

  #sum(): Node {
    let left = this.#product();
    while (this.#is("+") || this.#is("-")) {
      const { text, at } = this.#next();
      const right = this.#product();
      if (left.type.kind === "string") throw new ExpressionError("strings are joined by concat(a, b), not by +", at);
      const [first, second] = [this.#number(left, at), this.#number(right, at)];
      const operate = text === "+" ? add : subtract;
      left = numberNode(Math.max(first.scale, second.scale), (environment) => operate(first.evaluate(environment), second.evaluate(environment)));
    }
    return left;
  }

  #product(): Node {
    let left = this.#unary();
    while (this.#is("*") || this.#is("/")) {
      const { text, at } = this.#next();
      if (text === "/") throw new ExpressionError("there is no division: its result has no exact form; multiply by the inverse or let the application compute it", at);
      const [first, second] = [this.#number(left, at), this.#number(this.#unary(), at)];
      const scale = first.scale + second.scale;
      if (scale > scaleMax) throw new ExpressionError(`the product has ${scale} digits after the point, more than ${scaleMax}`, at);
      left = numberNode(scale, (environment) => multiply(first.evaluate(environment), second.evaluate(environment)));
    }
    return left;
  }

  #unary(): Node {
    if (this.#is("-")) {
      const { at } = this.#next();
      const operand = this.#number(this.#nested(() => this.#unary()), at);
      return numberNode(operand.scale, (environment) => {
        const { unscaled, scale } = operand.evaluate(environment);
        return { unscaled: -unscaled, scale };
      });
    }
    if (this.#is("!")) {
      const { at } = this.#next();
      const operand = this.#boolean(this.#nested(() => this.#unary()), at);
      return { type: { kind: "boolean" }, evaluate: (environment) => !operand(environment) };
    }
    return this.#primary();
  }

  #primary(): Node {
    const token = this.#next();
    if (token.kind === "number") {
      const value = parseDecimal(token.text);
      if (value === undefined) throw new ExpressionError(`"${token.text}" is not a number here (no leading zeros)`, token.at);
      return numberNode(value.scale, () => value);
    }
    if (token.kind === "string") return { type: { kind: "string" }, evaluate: () => token.text };
    if (token.kind === "name") return this.#is("(") ? this.#call(token) : this.#column(token);
    if (token.kind === "sign" && token.text === "(") {
      const inside = this.#nested(() => this.#or());
      this.#expect(")");
      return inside;
    }
    throw new ExpressionError(token.kind === "end" ? "a value is missing at the end" : `"${token.text}" stands where a value belongs`, token.at);
  }

  #column({ text, at }: Token): Node {
    if (text === "true" || text === "false") return { type: { kind: "boolean" }, evaluate: () => text === "true" };
    const type = this.#columnType(text);
    if (type === undefined) throw new ExpressionError(`"${text}" is not a column; declare it under in.columns`, at);
    this.#columns.add(text);
    const evaluate = (environment: Environment): ExpressionValue => environment.column(text);
    if (type.kind === "int64") return { type: { kind: "number", scale: 0 }, evaluate };
    if (type.kind === "decimal") return { type: { kind: "number", scale: type.digits }, evaluate };
    return { type: type.kind === "bool" ? { kind: "boolean" } : { kind: "string" }, evaluate };
  }

  #call({ text: name, at }: Token): Node {
    this.#expect("(");
    const values: Node[] = [];
    if (!this.#is(")")) {
      do values.push(this.#nested(() => this.#or()));
      while (this.#take(","));
    }
    this.#expect(")");
    if (name === "if") return this.#if(values, at);
    const shape = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (shape === undefined) throw new ExpressionError(`"${name}" is not a function; there are if, ${Object.keys(functions).join(", ")}`, at);
    if (values.length < shape.min || values.length > shape.max) throw new ExpressionError(`${name} takes ${shape.min === shape.max ? shape.min : `${shape.min} to ${shape.max}`} values, got ${values.length}`, at);
    if (values.some((value) => value.type.kind !== "string")) throw new ExpressionError(`${name} takes strings`, at);
    return { type: shape.type, evaluate: (environment) => shape.apply(values.map((value) => value.evaluate(environment) as string)) };
  }

  #if(values: readonly Node[], at: number): Node {
    const [condition, yes, no] = values;
    if (condition === undefined || yes === undefined || no === undefined || values.length !== 3) throw new ExpressionError("if takes a condition and two values", at);
    const test = this.#boolean(condition, at);
    if (yes.type.kind !== no.type.kind) throw new ExpressionError(`both values of if must be of one type, got ${yes.type.kind} and ${no.type.kind}`, at);
    const type: ExpressionType = yes.type.kind === "number" && no.type.kind === "number" ? { kind: "number", scale: Math.max(yes.type.scale, no.type.scale) } : yes.type;
    return { type, evaluate: (environment) => (test(environment) ? yes.evaluate(environment) : no.evaluate(environment)) };
  }

  #number(node: Node, at: number): NumberNode {
    if (node.type.kind !== "number") throw new ExpressionError(`expected a number, got a ${node.type.kind}; declare the column's type under in.columns`, at);
    return { scale: node.type.scale, evaluate: node.evaluate as (environment: Environment) => Decimal };
  }

  #boolean(node: Node, at: number): (environment: Environment) => boolean {
    if (node.type.kind !== "boolean") throw new ExpressionError(`expected a condition, got a ${node.type.kind}`, at);
    return node.evaluate as (environment: Environment) => boolean;
  }

  #nested<T>(parse: () => T): T {
    if (++this.#depth > depthMax) throw new ExpressionError(`nested deeper than ${depthMax}`, this.#token.at);
    const result = parse();
    this.#depth--;
    return result;
  }

  #is(sign: string): boolean {
    return this.#token.kind === "sign" && this.#token.text === sign;
  }
  #take(sign: string): boolean {
    const there = this.#is(sign);
    if (there) this.#next();
    return there;
  }
  #expect(sign: string): void {
    if (!this.#take(sign)) throw this.#unexpected(`"${sign}"`);
  }
  #unexpected(wanted: string): ExpressionError {
    return new ExpressionError(this.#token.kind === "end" ? `${wanted} is missing at the end` : `"${this.#token.text}" stands where ${wanted} belongs`, this.#token.at);
  }

  #next(): Token {
    const token = this.#token;
    this.#token = this.#scan();
    return token;
  }

  #scan(): Token {
    tokenForm.lastIndex = this.#position;
    const match = tokenForm.exec(this.#text);
    if (match === null) {
      const rest = this.#text.slice(this.#position);
      const at = this.#position + (rest.length - rest.trimStart().length);
      if (rest.trim() === "") return { kind: "end", text: "", at: this.#text.length };
      throw new ExpressionError(`"${this.#text[at] ?? ""}" means nothing here`, at);
    }
    const at = this.#position + match[0].length - match[0].trimStart().length;
    this.#position += match[0].length;
    if (match[1] !== undefined) return { kind: "number", text: match[1], at };
    if (match[2] !== undefined) return { kind: "string", text: match[2].replace(/\\(.)/g, "$1"), at };
    if (match[3] !== undefined) return { kind: "name", text: match[3], at };
    return { kind: "sign", text: match[4] ?? "", at };
  }
}

function numberNode(scale: number, evaluate: (environment: Environment) => Decimal): Node {
  return { type: { kind: "number", scale }, evaluate };
}

const comparisons: Readonly<Record<string, (order: number) => boolean>> = {
  "==": (order) => order === 0, "!=": (order) => order !== 0, "<": (order) => order < 0, "<=": (order) => order <= 0, ">": (order) => order > 0, ">=": (order) => order >= 0,
};

type FunctionShape = { readonly min: number; readonly max: number; readonly type: ExpressionType; readonly apply: (values: readonly string[]) => ExpressionValue };
const functions: Readonly<Record<string, FunctionShape>> = {
  upper: { min: 1, max: 1, type: { kind: "string" }, apply: ([text = ""]) => text.toUpperCase() },
  lower: { min: 1, max: 1, type: { kind: "string" }, apply: ([text = ""]) => text.toLowerCase() },
  trim: { min: 1, max: 1, type: { kind: "string" }, apply: ([text = ""]) => text.trim() },
  concat: { min: 1, max: 20, type: { kind: "string" }, apply: (texts) => texts.join("") },
  length: { min: 1, max: 1, type: { kind: "number", scale: 0 }, apply: ([text = ""]) => ({ unscaled: Array.from(text).length, scale: 0 }) },
};

/** The text of a value, as it is written to a report. */
export function valueText(value: ExpressionValue): string {
  return typeof value === "object" ? formatDecimal(value) : String(value);
}
