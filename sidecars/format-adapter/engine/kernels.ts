// pure
import type { ExpressionNode, Operation } from "../mapping/expression-node.ts";
import type { Rounding } from "../mapping/decimal.ts";
import { cellBytes, type Core } from "./core.ts";
import type { FieldKernel } from "./plan.ts";

/**
 * Fields and filters that the core computes for many records at once (assembly/kernel.ts). What is compiled here gives the same
 * results as the closures of mapping/, or marks the record as unsure; what cannot be compiled is undefined, and closures are used.
 */
export type Batch = {
  readonly rows: number;
  /** The first row of cells, and how far apart they are. */
  readonly cells: number;
  readonly rowBytes: number;
  /** One byte for each record, set where the core is not sure. */
  readonly unsure: number;
};
export type Kernel = (batch: Batch, target: { readonly cells: number; readonly cellsBytes: number }) => void;
/** Gives the register with the truth values. */
export type FilterKernel = (batch: Batch) => number;

/** Position of a column's cell in its row; undefined while no record has had the column. */
type ColumnIndex = (column: string) => number | undefined;

export const batchRowsMax = 2_048;
const registerBytes = batchRowsMax * 8;
const numberBytes = 32;
const scaleMax = 18;
const nodesMax = 64;
const int64Max = 2n ** 63n - 1n;
/** How long a joined text may become before the host has to make it. */
const joinedBytes = 256;

type Register = { readonly at: number; readonly scale: number; readonly constant: bigint | undefined };
type Step = (batch: Batch) => void;

/** Not a fault: the expression has a part that the core cannot compute. */
class NotCompiled extends Error {}

export function compileKernel(core: Core, kernel: FieldKernel, columnIndex: ColumnIndex): Kernel | undefined {
  try {
    switch (kernel.kind) {
      case "expression":
        return expressionKernel(core, kernel, columnIndex);
      case "map":
        return mapKernel(core, kernel, columnIndex);
      case "join":
        return textKernel(core, kernel.columns.flatMap((column, index) => [...(index === 0 ? [] : [{ text: kernel.separator }]), { column: indexOf(columnIndex, column) }]), joinedBytes);
      case "split":
        return splitKernel(core, kernel, columnIndex);
      case "date":
        return dateKernel(core, kernel, columnIndex);
    }
  } catch (error) {
    if (error instanceof NotCompiled) return undefined;
    throw error;
  }
}

export function compileFilter(core: Core, node: ExpressionNode, columnIndex: ColumnIndex): FilterKernel | undefined {
  try {
    const compiler = new ExpressionCompiler(core, columnIndex);
    const result = compiler.flag(node);
    return (batch) => {
      compiler.run(batch);
      return result;
    };
  } catch (error) {
    if (error instanceof NotCompiled) return undefined;
    throw error;
  }
}

function indexOf(columnIndex: ColumnIndex, column: string): number {
  const index = columnIndex(column);
  if (index === undefined) throw new NotCompiled();
  return index;
}

function expressionKernel(core: Core, { node, type, rounding }: FieldKernel & { readonly kind: "expression" }, columnIndex: ColumnIndex): Kernel {
  const compiler = new ExpressionCompiler(core, columnIndex);
  const { functions } = core;
  if (type.kind === "bool") {
    const flags = compiler.flag(node);
    const words = core.keep(Buffer.from("truefalse"));
    return (batch, target) => {
      compiler.run(batch);
      functions.writeFlags(target.cells, target.cellsBytes, flags, batch.rows, words);
    };
  }
  if ((type.kind !== "int64" && type.kind !== "decimal") || type.digits > scaleMax) throw new NotCompiled();
  const numbers = compiler.rescaled(compiler.number(node), type.digits, rounding).at;
  const texts = core.allocate(batchRowsMax * numberBytes);
  return (batch, target) => {
    compiler.run(batch);
    functions.writeNumbers(target.cells, target.cellsBytes, numbers, batch.rows, type.digits, texts);
  };
}

const signs = { "<": 1, "==": 2, "<=": 3, ">": 4, "!=": 5, ">=": 6 } as const;
const roundings: Readonly<Record<Rounding, number>> = { none: 0, "half-up": 1, "half-even": 2, down: 3 };

class ExpressionCompiler {
  readonly #core: Core;
  readonly #columnIndex: ColumnIndex;
  readonly #steps: Step[] = [];
  #nodes = 0;

  constructor(core: Core, columnIndex: ColumnIndex) {
    this.#core = core;
    this.#columnIndex = columnIndex;
  }

  run(batch: Batch): void {
    for (const step of this.#steps) step(batch);
  }

  /** The register of a number. */
  number(node: ExpressionNode): Register {
    const { operation } = node;
    const { functions } = this.#core;
    switch (operation.kind) {
      case "constant":
        if (typeof operation.value !== "object") throw new NotCompiled();
        return this.#constant(BigInt(operation.value.unscaled), operation.value.scale);
      case "column": {
        if (node.type.kind !== "number" || node.type.scale > scaleMax) throw new NotCompiled();
        const [target, index, { scale }] = [this.#register(), indexOf(this.#columnIndex, operation.name), node.type];
        this.#steps.push((batch) => functions.loadNumbers(target, batch.cells + index * cellBytes, batch.rowBytes, batch.rows, scale, batch.unsure));
        return { at: target, scale, constant: undefined };
      }
      case "arithmetic":
        return this.#arithmetic(operation);
      case "choose": {
        const flags = this.flag(operation.condition);
        const [yes, no] = this.#aligned(this.number(operation.yes), this.number(operation.no));
        const target = this.#register();
        this.#steps.push((batch) => functions.chooseNumbers(target, flags, yes.at, no.at, batch.rows));
        return { at: target, scale: yes.scale, constant: undefined };
      }
      case "round":
        return this.rescaled(this.number(operation.operand), operation.digits, operation.rounding);
      default:
        throw new NotCompiled();
    }
  }

  /** The register of a truth value. */
  flag(node: ExpressionNode): number {
    const { operation } = node;
    const { functions } = this.#core;
    const target = this.#register();
    switch (operation.kind) {
      case "constant":
        if (typeof operation.value !== "boolean") throw new NotCompiled();
        functions.fillNumbers(target, batchRowsMax, operation.value ? 1n : 0n);
        return target;
      case "column": {
        if (node.type.kind !== "boolean") throw new NotCompiled();
        const index = indexOf(this.#columnIndex, operation.name);
        this.#steps.push((batch) => functions.loadFlags(target, batch.cells + index * cellBytes, batch.rowBytes, batch.rows, batch.unsure));
        return target;
      }
      case "logic": {
        const [left, right] = [this.flag(operation.left), this.flag(operation.right)];
        this.#steps.push((batch) => functions.combineFlags(target, left, right, batch.rows, operation.sign === "||"));
        return target;
      }
      case "not": {
        const [operand, zero] = [this.flag(operation.operand), this.#constant(0n, 0).at];
        this.#steps.push((batch) => functions.compareNumbers(target, operand, zero, batch.rows, signs["=="]));
        return target;
      }
      case "compare":
        return this.#compare(operation, target);
      default:
        throw new NotCompiled();
    }
  }

  rescaled(register: Register, scale: number, rounding: Rounding): Register {
    if (scale >= register.scale) return this.#raised(register, scale);
    if (register.scale - scale > scaleMax) throw new NotCompiled();
    const target = this.#register();
    const { functions } = this.#core;
    const divisor = 10n ** BigInt(register.scale - scale);
    this.#steps.push((batch) => functions.roundNumbers(target, register.at, batch.rows, divisor, roundings[rounding], batch.unsure));
    return { at: target, scale, constant: undefined };
  }

  #arithmetic({ sign, left, right }: Operation & { readonly kind: "arithmetic" }): Register {
    const { functions } = this.#core;
    const given = [this.number(left), this.number(right)] as const;
    const [first, second] = sign === "*" ? given : this.#aligned(...given);
    const step = sign === "*" ? functions.multiplyNumbers : sign === "+" ? functions.addNumbers : functions.subtractNumbers;
    const target = this.#register();
    this.#steps.push((batch) => step(target, first.at, second.at, batch.rows, batch.unsure));
    return { at: target, scale: sign === "*" ? first.scale + second.scale : first.scale, constant: undefined };
  }

  #compare({ sign, left, right }: Operation & { readonly kind: "compare" }, target: number): number {
    const { functions } = this.#core;
    const { type } = left;
    if (type.kind === "string") return this.#compareTexts(sign, left, right, target);
    const [first, second] = type.kind === "boolean" ? [this.flag(left), this.flag(right)] : this.#aligned(this.number(left), this.number(right)).map((register) => register.at);
    this.#steps.push((batch) => functions.compareNumbers(target, first ?? 0, second ?? 0, batch.rows, signs[sign]));
    return target;
  }

  /** A column with a text, equal or not. */
  #compareTexts(sign: keyof typeof signs, left: ExpressionNode, right: ExpressionNode, target: number): number {
    const { functions } = this.#core;
    const [column, text] = left.operation.kind === "column" ? [left.operation, right.operation] : [right.operation, left.operation];
    if (column.kind !== "column" || text.kind !== "constant" || typeof text.value !== "string" || (sign !== "==" && sign !== "!=")) throw new NotCompiled();
    const bytes = Buffer.from(text.value);
    const [at, index, equal] = [this.#core.keep(bytes), indexOf(this.#columnIndex, column.name), this.#register()];
    this.#steps.push((batch) => functions.equalTexts(equal, batch.cells + index * cellBytes, batch.rowBytes, batch.rows, at, bytes.length, batch.unsure));
    if (sign === "==") return equal;
    const zero = this.#constant(0n, 0).at;
    this.#steps.push((batch) => functions.compareNumbers(target, equal, zero, batch.rows, signs["=="]));
    return target;
  }

  #aligned(left: Register, right: Register): readonly [Register, Register] {
    const scale = Math.max(left.scale, right.scale);
    return [this.#raised(left, scale), this.#raised(right, scale)];
  }

  #raised(register: Register, scale: number): Register {
    if (scale === register.scale) return register;
    const factor = 10n ** BigInt(scale - register.scale);
    if (register.constant !== undefined) return this.#constant(register.constant * factor, scale);
    const [target, power] = [this.#register(), this.#constant(factor, 0).at];
    const { functions } = this.#core;
    this.#steps.push((batch) => functions.multiplyNumbers(target, register.at, power, batch.rows, batch.unsure));
    return { at: target, scale, constant: undefined };
  }

  #constant(value: bigint, scale: number): Register {
    if (value > int64Max || value < -int64Max) throw new NotCompiled();
    const target = this.#register();
    this.#core.functions.fillNumbers(target, batchRowsMax, value);
    return { at: target, scale, constant: value };
  }

  #register(): number {
    if (++this.#nodes > nodesMax) throw new NotCompiled();
    return this.#core.allocate(registerBytes);
  }
}

function mapKernel(core: Core, { column, values, otherwise }: FieldKernel & { readonly kind: "map" }, columnIndex: ColumnIndex): Kernel {
  const { functions } = core;
  const index = indexOf(columnIndex, column);
  let entries = 4;
  while (entries < values.size * 2 + 2) entries *= 2;
  const table = core.allocate(entries * 16);
  core.bytes.fill(0, table, table + entries * 16);
  for (const [key, value] of values) {
    const [keyBytes, valueBytes] = [Buffer.from(key), Buffer.from(value)];
    functions.addMapped(table, entries, core.keep(keyBytes), keyBytes.length, core.keep(valueBytes), valueBytes.length);
  }
  const other = Buffer.from(otherwise.kind === "value" ? otherwise.text : "");
  const [otherAt, otherCode] = [core.keep(other), otherwise.kind === "keep" && otherwise.bare ? 3 : { ask: 0, keep: 1, value: 2 }[otherwise.kind]];
  return (batch, target) => functions.mapTexts(target.cells, target.cellsBytes, batch.cells + index * cellBytes, batch.rowBytes, batch.rows, table, entries, otherCode, otherAt, other.length, batch.unsure);
}

function splitKernel(core: Core, { column, separator, index }: FieldKernel & { readonly kind: "split" }, columnIndex: ColumnIndex): Kernel {
  const place = indexOf(columnIndex, column);
  const bytes = Buffer.from(separator);
  const at = core.keep(bytes);
  return (batch, target) => core.functions.splitTexts(target.cells, target.cellsBytes, batch.cells + place * cellBytes, batch.rowBytes, batch.rows, at, bytes.length, index, batch.unsure);
}

/** Where the parts of a time stand in RFC 3339. */
const timePlaces: Readonly<Record<string, readonly [from: number, length: number]>> = { yyyy: [0, 4], MM: [5, 2], dd: [8, 2], HH: [11, 2], mm: [14, 2], ss: [17, 2] };

type TextPiece = { readonly text: string } | { readonly column: number; readonly from?: number; readonly length?: number };

function dateKernel(core: Core, { column, pieces }: FieldKernel & { readonly kind: "date" }, columnIndex: ColumnIndex): Kernel {
  const index = indexOf(columnIndex, column);
  const hasFraction = pieces.some((piece) => "letters" in piece && piece.letters.startsWith("S"));
  const parts = pieces.map((piece): TextPiece => {
    if ("text" in piece) return piece;
    if (piece.letters.startsWith("S")) return { text: "0".repeat(piece.letters.length) };
    if (piece.letters === "XXX") return { text: "Z" };
    const place = timePlaces[piece.letters];
    if (place === undefined) throw new NotCompiled();
    return { column: index, from: place[0], length: place[1] };
  });
  const make = textKernel(core, parts, 128);
  return (batch, target) => {
    core.functions.checkTimes(batch.cells + index * cellBytes, batch.rowBytes, batch.rows, !hasFraction, batch.unsure);
    make(batch, target);
  };
}

/** Texts made of pieces, each of at most `capacity` bytes. */
function textKernel(core: Core, pieces: readonly TextPiece[], capacity: number): Kernel {
  const { functions } = core;
  const texts = core.allocate(batchRowsMax * capacity);
  const literals = pieces.map((piece) => ("text" in piece ? { at: core.keep(Buffer.from(piece.text)), length: Buffer.byteLength(piece.text) } : undefined));
  return (batch, { cells, cellsBytes }) => {
    functions.beginTexts(cells, cellsBytes, batch.rows, texts, capacity);
    for (const [index, piece] of pieces.entries()) {
      const literal = literals[index];
      if (literal !== undefined) functions.appendText(cells, cellsBytes, batch.rows, literal.at, literal.length, capacity, batch.unsure);
      else if ("column" in piece) {
        const column = batch.cells + piece.column * cellBytes;
        if (piece.from === undefined) functions.appendTexts(cells, cellsBytes, column, batch.rowBytes, batch.rows, capacity, batch.unsure);
        else functions.appendPieces(cells, cellsBytes, column, batch.rowBytes, batch.rows, piece.from, piece.length ?? 0, capacity, batch.unsure);
      }
    }
  };
}
