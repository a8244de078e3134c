// pure
/**
 * The grammar of the expressions of `expr:` and `where:`, from the loosest to the tightest binding:
 *   choice     condition ? value : value        or  a || b        and  a && b        compare  == != < <= > >=
 *   sum        + -        product  *        unary  - !
 *   primary    1.50  'text'  true  false  column  a.b[0]  `any column`  (…)  name(value, …)
 * What the words mean, and whether they fit together, is for expression.ts to say.
 */
export type SyntaxNode = { readonly at: number } & (
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "column"; readonly name: string }
  | { readonly kind: "call"; readonly name: string; readonly values: readonly SyntaxNode[] }
  | { readonly kind: "unary"; readonly sign: "-" | "!"; readonly operand: SyntaxNode }
  | { readonly kind: "binary"; readonly sign: BinarySign; readonly left: SyntaxNode; readonly right: SyntaxNode }
  | { readonly kind: "choose"; readonly condition: SyntaxNode; readonly yes: SyntaxNode; readonly no: SyntaxNode }
);
export type ComparisonSign = "==" | "!=" | "<" | "<=" | ">" | ">=";
export type BinarySign = "||" | "&&" | ComparisonSign | "+" | "-" | "*";

/** Why an expression is refused, and at which of its characters (from 0). */
export class ExpressionError extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const charactersMax = 1000;
const depthMax = 50;

const tokenForm = /\s*(?:(\d+(?:\.\d+)?)|'((?:[^'\\]|\\.)*)'|([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*|\[\d{1,9}\])*)|`([^`]+)`|(\|\||&&|==|!=|<=|>=|[-+*/%()<>!,?:]))/y;

type Token = { readonly kind: "number" | "string" | "name" | "quoted" | "sign" | "end"; readonly text: string; readonly at: number };

/** Throws ExpressionError. */
export function parseExpression(text: string): SyntaxNode {
  if (text.length > charactersMax) throw new ExpressionError(`longer than ${charactersMax} characters`, charactersMax);
  return new Parser(text).parse();
}

const comparisonSigns: readonly string[] = ["==", "!=", "<", "<=", ">", ">="];

class Parser {
  readonly #text: string;
  #position = 0;
  #token: Token;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#token = this.#scan();
  }

  parse(): SyntaxNode {
    const node = this.#choice();
    if (this.#token.kind !== "end") throw this.#unexpected("an operator");
    return node;
  }

  #choice(): SyntaxNode {
    const condition = this.#repeated(["||"], () => this.#repeated(["&&"], () => this.#comparison()));
    if (!this.#is("?")) return condition;
    const { at } = this.#next();
    const yes = this.#nested(() => this.#choice());
    this.#expect(":");
    return { kind: "choose", condition, yes, no: this.#nested(() => this.#choice()), at };
  }

  #comparison(): SyntaxNode {
    const sum = (): SyntaxNode => this.#repeated(["+", "-"], () => this.#product());
    const left = sum();
    if (this.#token.kind !== "sign" || !comparisonSigns.includes(this.#token.text)) return left;
    const { text, at } = this.#next();
    return { kind: "binary", sign: text as ComparisonSign, left, right: sum(), at };
  }

  #product(): SyntaxNode {
    const left = this.#repeated(["*"], () => this.#unary());
    if (this.#is("/") || this.#is("%")) throw new ExpressionError("there is no division sign: most results have no exact form; write divide(a, b, digits, 'half-even'), or multiply by the inverse", this.#token.at);
    return left;
  }

  #repeated(signs: readonly BinarySign[], operand: () => SyntaxNode): SyntaxNode {
    let left = operand();
    for (let sign = signs.find((each) => this.#is(each)); sign !== undefined; sign = signs.find((each) => this.#is(each))) {
      const { at } = this.#next();
      left = { kind: "binary", sign, left, right: operand(), at };
    }
    return left;
  }

  #unary(): SyntaxNode {
    for (const sign of ["-", "!"] as const) {
      if (!this.#is(sign)) continue;
      const { at } = this.#next();
      return { kind: "unary", sign, operand: this.#nested(() => this.#unary()), at };
    }
    return this.#primary();
  }

  #primary(): SyntaxNode {
    const { kind, text, at } = this.#next();
    if (kind === "number" || kind === "string") return { kind, text, at };
    if (kind === "quoted") return { kind: "column", name: text, at };
    if (kind === "name" && this.#is("(")) return { kind: "call", name: text, values: this.#values(), at };
    if (kind === "name") return text === "true" || text === "false" ? { kind: "boolean", value: text === "true", at } : { kind: "column", name: text, at };
    if (kind === "sign" && text === "(") {
      const inside = this.#nested(() => this.#choice());
      this.#expect(")");
      return inside;
    }
    throw new ExpressionError(kind === "end" ? "a value is missing at the end" : `"${text}" stands where a value belongs`, at);
  }

  #values(): readonly SyntaxNode[] {
    this.#expect("(");
    const values: SyntaxNode[] = [];
    if (!this.#is(")")) {
      do values.push(this.#nested(() => this.#choice()));
      while (this.#take(","));
    }
    this.#expect(")");
    return values;
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
    if (match[2] !== undefined) return { kind: "string", text: match[2].replace(/\\(['\\])/g, "$1"), at };
    if (match[3] !== undefined) return { kind: "name", text: match[3], at };
    if (match[4] !== undefined) return { kind: "quoted", text: match[4], at };
    return { kind: "sign", text: match[5] ?? "", at };
  }
}
