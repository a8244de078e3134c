// pure
import { searchedMax } from "../parse/pattern.ts";
import type { ConditionConfig } from "./condition-config.ts";
import { compilePath, type KeyTable } from "./keys.ts";
import type { ShapedRecord } from "./record.ts";
import { TextSearch } from "./text-search.ts";
import { contentStart, isText, numberOf } from "./value.ts";

export type Condition = (record: ShapedRecord) => boolean;

/**
 * A function that tells whether a record meets the condition. Nothing is decoded for `equals`, `in` and `exists` on text, the commonest.
 *
 * Values are compared as a person reads them: `equals: 500` is met by the number 500, by 500.0 and by the text "500". A test on a
 * field that is not there is not met, so `not` of it is. `matches` looks at the first 8192 characters.
 */
export function compileCondition(config: ConditionConfig, keys: KeyTable): Condition {
  const tests: Condition[] = [];
  if (config.field !== undefined) tests.push(compileTest(config, config.field, keys));
  if (config.all !== undefined) tests.push(every(config.all.map((each) => compileCondition(each, keys))));
  if (config.any !== undefined) tests.push(some(config.any.map((each) => compileCondition(each, keys))));
  if (config.not !== undefined) tests.push(opposite(compileCondition(config.not, keys)));
  return every(tests);
}

function every(conditions: readonly Condition[]): Condition {
  const [only] = conditions;
  if (conditions.length === 1 && only !== undefined) return only;
  return (record) => {
    for (const condition of conditions) if (!condition(record)) return false;
    return true;
  };
}

function some(conditions: readonly Condition[]): Condition {
  return (record) => {
    for (const condition of conditions) if (condition(record)) return true;
    return false;
  };
}

function opposite(condition: Condition): Condition {
  return (record) => !condition(record);
}

function compileTest(config: ConditionConfig, field: string, keys: KeyTable): Condition {
  const path = compilePath(field, keys);
  const { exists } = config;
  const found: Condition[] = [];
  if (config.equals !== undefined) found.push(oneOf([config.equals], config.ignoreCase));
  if (config.in !== undefined) found.push(oneOf(config.in, config.ignoreCase));
  if (config.matches !== undefined) found.push(matching(config.matches, config.ignoreCase));
  const { above, atLeast, below, atMost } = config;
  if (above !== undefined) found.push(compared((value) => value > above));
  if (atLeast !== undefined) found.push(compared((value) => value >= atLeast));
  if (below !== undefined) found.push(compared((value) => value < below));
  if (atMost !== undefined) found.push(compared((value) => value <= atMost));
  if (exists === false) return (record) => !record.find(path);
  const all = every(found);
  return (record) => record.find(path) && all(record);
}

/** What meets `equals` and `in`: these texts, these numbers, and of the words true, false and null those among `words`. */
export function equalTo(wanted: readonly string[], ignoreCase: boolean): { readonly texts: readonly Buffer[]; readonly numbers: readonly number[]; readonly words: ReadonlySet<string> } {
  const words = wanted.map((each) => (ignoreCase ? asciiLower(each) : each));
  return { texts: words.map((each) => Buffer.from(each)), numbers: wanted.filter((each) => /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(each)).map(Number), words: new Set(words) };
}

function oneOf(wanted: readonly string[], ignoreCase: boolean): Condition {
  const { texts, numbers, words } = equalTo(wanted, ignoreCase);
  return (record) => {
    const { bytes, valueFrom, valueTo } = record;
    const type = bytes[valueFrom] ?? 0;
    if (isText(type)) {
      const from = contentStart(bytes, valueFrom);
      for (const text of texts) if (text.length === valueTo - from && (ignoreCase ? sameFolded(text, bytes, from) : same(text, bytes, from))) return true;
      return false;
    }
    const value = numberOf(bytes, valueFrom);
    if (value !== undefined) return numbers.includes(value);
    const word = type === 0xc3 ? "true" : type === 0xc2 ? "false" : type === 0xc0 ? "null" : undefined;
    return word !== undefined && words.has(word);
  };
}

function same(wanted: Buffer, bytes: Buffer, from: number): boolean {
  for (let index = 0; index < wanted.length; index++) if (wanted[index] !== bytes[from + index]) return false;
  return true;
}

/** Case is that of ASCII letters alone. */
function sameFolded(lower: Buffer, bytes: Buffer, from: number): boolean {
  for (let index = 0; index < lower.length; index++) {
    const byte = bytes[from + index] ?? 0;
    if (lower[index] !== (byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte)) return false;
  }
  return true;
}

function asciiLower(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function matching(pattern: string, ignoreCase: boolean): Condition {
  const flags = ignoreCase ? "i" : "";
  const regexp = RegExp(pattern, flags);
  const search = new TextSearch(pattern, flags);
  return (record) => {
    const { bytes, valueFrom } = record;
    if (record.isOriginal && isText(bytes[valueFrom] ?? 0) && !search.mayMatch(bytes, valueFrom, record.valueTo)) return false;
    const text = record.text();
    return text !== undefined && regexp.test(text.length > searchedMax ? text.slice(0, searchedMax) : text);
  };
}

/** Text that reads as a number is compared as one: logfmt and regular expressions give text. */
function compared(holds: (value: number) => boolean): Condition {
  return (record) => {
    const { bytes, valueFrom } = record;
    const value = numberOf(bytes, valueFrom);
    if (value !== undefined) return holds(value);
    if (!isText(bytes[valueFrom] ?? 0) || record.valueTo - valueFrom > 64) return false;
    const text = (record.text() ?? "").trim();
    return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text) && holds(Number(text));
  };
}
