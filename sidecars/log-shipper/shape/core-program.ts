// pure
import { shapeArea, shapeMax } from "../core/core.ts";
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { requiredTexts, shortestMatch } from "../parse/pattern-needs.ts";
import type { ConditionConfig } from "./condition-config.ts";
import { equalTo } from "./condition.ts";
import { constantsOf, type FilterConfig } from "./filter-config.ts";
import { compilePath, encodeKey, type KeyTable } from "./keys.ts";
import { plainPattern, type PlainAtom } from "./plain-pattern.ts";
import { redactPatterns, type RedactPattern } from "./redact.ts";

/**
 * Filters as a program for the hot core (core/assembly/shape.ts), which stands at the beginning of its shaping area: words, names of
 * fields, instructions, and what these speak of. Addresses are those of the core's memory.
 *
 * The core does all filters but rate limits. Of the rest it leaves single records to the host: where a pattern may match that
 * is not plain (plain-pattern.ts), text beyond ASCII is searched, a nested field is changed, text has to be read as a number.
 */
export function compileProgram(filters: readonly { readonly index: number; readonly config: FilterConfig }[], o: { readonly keys: KeyTable; readonly area: number; readonly wantsAll: boolean }): Buffer | undefined {
  if (filters.some(({ index, config }) => config.type === "rate-limit" || index >= shapeMax.filters)) return undefined;
  return new ProgramWriter(o.keys, o.area).write(filters, o.wantsAll);
}

const operation = { end: 0, drop: 1, exists: 2, equals: 3, compare: 4, matches: 5, sample: 6, redact: 7, rename: 8, remove: 9, add: 10 } as const;
type Target = { readonly next?: number; readonly otherwise?: number };

/** Head of the program: first instruction, how many names, a bit for each of their lengths, whether all pairs are wanted, and by length the first name. */
const headBytes = 16 + 64 * 4;
const lengthLast = 63;
const atomBytes = 24;
const unlimited = 0xffff_ffff;
/** All that the texts of numbers, of true, false and null are made of. */
const scalarText = /^[\d+\-.eEINaftruslniy]*$/;

class ProgramWriter {
  readonly #keys: KeyTable;
  readonly #area: number;
  readonly #bytes = Buffer.alloc(shapeArea.programBytes);
  readonly #paths = new Map<string, number>();
  #length = headBytes;

  constructor(keys: KeyTable, area: number) {
    this.#keys = keys;
    this.#area = area;
  }

  /** Undefined when it is too long. */
  write(filters: readonly { readonly index: number; readonly config: FilterConfig }[], wantsAll: boolean): Buffer | undefined {
    // From the last instruction to the first, so that what follows is known.
    const first = filters.reduceRight((next, { index, config }) => this.#filter(config, index, next), this.#instruction(operation.end, {}));
    const { names, lengths } = this.#keys;
    if (names.length > shapeMax.keys) return undefined;
    for (const [id, name] of names.entries()) this.#name(id, Buffer.from(name));
    if (this.#length > this.#bytes.length) return undefined;
    for (const [index, word] of [first, names.length, lengths >>> 0, wantsAll ? 1 : 0].entries()) this.#bytes.writeUInt32LE(word, index * 4);
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  /** The address of room for so many bytes. What does not fit is not written; the length tells. */
  #room(bytes: number, alignment = 4): number {
    const at = Math.ceil(this.#length / alignment) * alignment;
    this.#length = at + bytes;
    return this.#area + at;
  }

  #word(address: number, value: number): void {
    const at = address - this.#area;
    if (at + 4 <= this.#bytes.length) this.#bytes.writeUInt32LE(value >>> 0, at);
  }

  #double(address: number, value: number): void {
    const at = address - this.#area;
    if (at + 8 <= this.#bytes.length) this.#bytes.writeDoubleLE(value, at);
  }

  #data(bytes: Uint8Array): number {
    const address = this.#room(bytes.length);
    if (this.#length <= this.#bytes.length) this.#bytes.set(bytes, address - this.#area);
    return address;
  }

  #words(values: readonly number[]): number {
    const address = this.#room(values.length * 4);
    for (const [index, value] of values.entries()) this.#word(address + index * 4, value);
    return address;
  }

  #instruction(what: number, { next = 0, otherwise = 0 }: Target, path = 0, words: readonly number[] = []): number {
    const address = this.#room(32, 32);
    for (const [index, value] of [what, path, next, otherwise, ...words].entries()) this.#word(address + index * 4, value);
    return address;
  }

  /** An instruction with a number in its last two words. */
  #numbered(what: number, targets: Target, path: number, first: number, value: number): number {
    const address = this.#instruction(what, targets, path, [first]);
    this.#double(address + 24, value);
    return address;
  }

  /** At the head of the names of its length: address and number of each. */
  #name(id: number, bytes: Buffer): void {
    const head = 16 + Math.min(bytes.length, lengthLast) * 4;
    const entry = this.#words([bytes.length, this.#data(bytes), id, this.#bytes.readUInt32LE(head)]);
    this.#bytes.writeUInt32LE(entry, head);
  }

  /** The number of the whole name, that of its first part, and the other parts. */
  #path(name: string): number {
    const known = this.#paths.get(name);
    if (known !== undefined) return known;
    const { whole, first, rest } = compilePath(name, this.#keys);
    const address = this.#words([whole, rest.length === 0 ? -1 : first, rest.length, ...rest.flatMap((part) => [this.#data(part), part.length])]);
    this.#paths.set(name, address);
    return address;
  }

  #filter(config: FilterConfig, index: number, next: number): number {
    const drop = (): number => this.#instruction(operation.drop, {}, 0, [index]);
    if (config.type === "keep") return this.#condition(config.when, next, drop());
    if (config.type === "drop") return this.#condition(config.when, drop(), next);
    const action = this.#action(config, next, drop);
    return config.when === undefined ? action : this.#condition(config.when, action, next);
  }

  #action(config: Exclude<FilterConfig, { type: "keep" | "drop" }>, next: number, drop: () => number): number {
    switch (config.type) {
      case "redact": {
        const patterns = redactPatterns(config).map((each) => this.#pattern(each));
        const list = this.#words([patterns.length, ...patterns]);
        if (config.fields === undefined) return this.#instruction(operation.redact, { next }, 0, [list]);
        return config.fields.reduceRight((then, field) => this.#instruction(operation.redact, { next: then }, this.#path(field), [list]), next);
      }
      case "sample":
        return this.#numbered(operation.sample, { next, otherwise: drop() }, config.key === undefined ? 0 : this.#path(config.key), 0, config.share * 4_294_967_296);
      case "rename":
        return Object.entries(config.fields).reduceRight((then, [from, to]) => {
          const { id, encoded } = encodeKey(to, this.#keys);
          return this.#instruction(operation.rename, { next: then }, this.#path(from), [id, this.#data(encoded), encoded.length]);
        }, next);
      case "remove":
        return config.fields.reduceRight((then, field) => this.#instruction(operation.remove, { next: then }, this.#path(field)), next);
      case "add":
        return constantsOf(config).reduceRight((then, [name, value]) => {
          const { id, encoded } = encodeKey(name, this.#keys);
          const writer = new MsgpackWriter(64);
          writer.value(value);
          const constant = this.#words([this.#data(encoded), encoded.length, this.#data(writer.bytes()), writer.length]);
          return this.#instruction(operation.add, { next: then }, 0, [id, constant, config.replace ? 1 : 0]);
        }, next);
      default:
        return next;
    }
  }

  #condition(config: ConditionConfig, holds: number, fails: number): number {
    let then = holds;
    if (config.not !== undefined) then = this.#condition(config.not, fails, then);
    if (config.any !== undefined) {
      const met = then;
      then = config.any.reduceRight((otherwise, each) => this.#condition(each, met, otherwise), fails);
    }
    if (config.all !== undefined) then = config.all.reduceRight((next, each) => this.#condition(each, next, fails), then);
    return config.field === undefined ? then : this.#test(config, config.field, { next: then, otherwise: fails });
  }

  #test(config: ConditionConfig, field: string, { next, otherwise }: { readonly next: number; readonly otherwise: number }): number {
    const path = this.#path(field);
    const { exists, ignoreCase } = config;
    if (exists === false) return this.#instruction(operation.exists, { next: otherwise, otherwise: next }, path);
    let then = next;
    for (const [kind, bound] of [config.above, config.atLeast, config.below, config.atMost].entries()) {
      if (bound !== undefined) then = this.#numbered(operation.compare, { next: then, otherwise }, path, kind, bound);
    }
    if (config.matches !== undefined) then = this.#instruction(operation.matches, { next: then, otherwise }, path, [this.#pattern({ source: config.matches, flags: ignoreCase ? "i" : "", replacement: undefined, digitsMin: 0 })]);
    if (config.in !== undefined) then = this.#equals(config.in, ignoreCase, { next: then, otherwise }, path);
    if (config.equals !== undefined) then = this.#equals([config.equals], ignoreCase, { next: then, otherwise }, path);
    return exists === true ? this.#instruction(operation.exists, { next: then, otherwise }, path) : then;
  }

  #equals(wanted: readonly string[], ignoreCase: boolean, targets: Target, path: number): number {
    const { texts, numbers, words } = equalTo(wanted, ignoreCase);
    const textList = this.#words([texts.length, ...texts.flatMap((text) => [text.length, this.#data(text)])]);
    const numberList = this.#room(8 + numbers.length * 8, 8);
    this.#word(numberList, numbers.length);
    for (const [index, value] of numbers.entries()) this.#double(numberList + 8 + index * 8, value);
    return this.#instruction(operation.equals, targets, path, [textList, numberList, (words.has("true") ? 1 : 0) | (words.has("false") ? 2 : 0) | (words.has("null") ? 4 : 0), ignoreCase ? 1 : 0]);
  }

  /** See core/assembly/search.ts. A pattern whose replacement depends on the match is not plain here. */
  #pattern({ source, flags, replacement, digitsMin }: RedactPattern): number {
    const required = requiredTexts(source, flags);
    const plain = replacement === null ? undefined : plainPattern(source, flags);
    const atoms = plain?.atoms ?? [];
    const texts = required.map((text) => Buffer.from(text));
    const put = Buffer.from(replacement ?? "");
    const is = (holds: boolean | undefined, bit: number): number => (holds === true ? bit : 0);
    const bits = is(plain !== undefined, 1) | is(plain?.atBegin, 2) | is(plain?.atEnd, 4) | is(plain?.atBoundary, 8) | is(required.length > 0 && required.every((text) => !scalarText.test(text)), 16);
    return this.#words([shortestMatch(source, flags), texts.length, this.#words(texts.flatMap((text) => [text.length, this.#data(text)])), digitsMin, bits, atoms.length, this.#atoms(atoms), this.#data(put), put.length, firstByte(atoms[0])]);
  }

  #atoms(atoms: readonly PlainAtom[]): number {
    const address = this.#room(atoms.length * atomBytes, 8);
    for (const [index, { set, min, max }] of atoms.entries()) {
      const at = address + index * atomBytes;
      for (let word = 0; word < 4; word++) this.#word(at + word * 4, Number((set >> BigInt(word * 32)) & 0xffff_ffffn));
      this.#word(at + 16, min);
      this.#word(at + 20, max === Infinity ? unlimited : max);
    }
    return address;
  }
}

/** The one byte that the atom begins with; 256 if there is none such. */
function firstByte(atom: PlainAtom | undefined): number {
  if (atom === undefined || atom.min === 0 || atom.set === 0n || (atom.set & (atom.set - 1n)) !== 0n) return 256;
  return atom.set.toString(2).length - 1;
}
