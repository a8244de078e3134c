// pure
import { nearest } from "../kit/nearest.ts";

/** One option of a verb. Without `value` it is a switch; with it, it takes one value: `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE`. */
export type FlagSpec = {
  readonly name: string;
  readonly short?: string;
  /** How the value is called in the help, in capitals. */
  readonly value?: string;
  /** May be given more than once. Without it the last one counts for switches, and twice is an error for values. */
  readonly repeat?: true;
  /** The only values taken. */
  readonly choices?: readonly string[];
  readonly doc: string;
  /** Kept out of the help. */
  readonly hidden?: true;
};

export type ArgumentSpec = {
  readonly name: string;
  readonly flags: readonly FlagSpec[];
  readonly positionals: { readonly min: number; readonly max: number; readonly names: string };
  /** Whether words after `--` belong to somebody else (the command of `exec`). */
  readonly rest?: true;
};

export class Arguments {
  readonly positionals: readonly string[];
  /** The words after `--`, where the verb takes them. */
  readonly rest: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>, positionals: readonly string[], rest: readonly string[]) {
    this.#values = values;
    this.positionals = positionals;
    this.rest = rest;
  }

  on(flag: string): boolean {
    return this.#values.get(flag)?.at(-1) === "true";
  }

  text(flag: string): string | undefined {
    return this.#values.get(flag)?.at(-1);
  }

  texts(flag: string): readonly string[] {
    return this.#values.get(flag) ?? [];
  }
}

export type ParsedArguments =
  | { readonly kind: "ok"; readonly arguments: Arguments }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly message: string; readonly remedy?: string };

class WrongArgument extends Error {
  readonly remedy: string | undefined;
  constructor(message: string, remedy?: string) {
    super(message);
    this.remedy = remedy;
  }
}

const quoted = (words: readonly string[]): string => words.map((word) => `"${word}"`).join(", ");

/** Parses what follows the verb. Options may stand anywhere before `--`; `-it` is `-i -t`; `-` alone is a positional (standard input). */
export function parseArguments(spec: ArgumentSpec, argv: readonly string[]): ParsedArguments {
  try {
    return parse(spec, argv);
  } catch (error) {
    if (!(error instanceof WrongArgument)) throw error;
    return { kind: "wrong", message: error.message, ...(error.remedy === undefined ? {} : { remedy: error.remedy }) };
  }
}

function parse(spec: ArgumentSpec, argv: readonly string[]): ParsedArguments {
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  let rest: readonly string[] = [];
  const words = [...argv];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--") {
      if (spec.rest) rest = words.splice(0);
      else positionals.push(...words.splice(0));
    } else if (word === "--help" || word === "-h") {
      return { kind: "help" };
    } else if (word.startsWith("--")) {
      readLong(spec, word, words, values);
    } else if (word.startsWith("-") && word !== "-") {
      readShort(spec, word, words, values);
    } else {
      positionals.push(word);
    }
  }
  const { min, max, names } = spec.positionals;
  if (positionals.length < min) throw new WrongArgument(`"podkit ${spec.name}" needs ${names}`);
  if (positionals.length > max) {
    throw new WrongArgument(max === 0 ? `"podkit ${spec.name}" takes no argument: got ${quoted(positionals)}` : `"podkit ${spec.name}" takes ${names}: got ${quoted(positionals)}`);
  }
  return { kind: "ok", arguments: new Arguments(values, positionals, rest) };
}

function readLong(spec: ArgumentSpec, word: string, words: string[], values: Map<string, string[]>): void {
  const equals = word.indexOf("=");
  const name = equals === -1 ? word.slice(2) : word.slice(2, equals);
  const flag = spec.flags.find((candidate) => candidate.name === name);
  if (flag === undefined) throw unknown(spec, `--${name}`, nearest(name, spec.flags.filter((candidate) => candidate.hidden === undefined).map((candidate) => candidate.name)));
  store(flag, `--${name}`, equals === -1 ? undefined : word.slice(equals + 1), words, values);
}

function readShort(spec: ArgumentSpec, word: string, words: string[], values: Map<string, string[]>): void {
  for (let index = 1; index < word.length; index++) {
    const letter = word.charAt(index);
    const flag = spec.flags.find((candidate) => candidate.short === letter);
    if (flag === undefined) throw unknown(spec, `-${letter}`, word.length > 2 ? nearest(word.slice(1), spec.flags.map((candidate) => candidate.name)) : undefined);
    if (flag.value === undefined) {
      store(flag, `-${letter}`, undefined, words, values);
      continue;
    }
    const attached = word.slice(index + 1).replace(/^=/, "");
    store(flag, `-${letter}`, attached === "" ? undefined : attached, words, values);
    return;
  }
}

function store(flag: FlagSpec, shown: string, attached: string | undefined, words: string[], values: Map<string, string[]>): void {
  const given = values.get(flag.name) ?? [];
  if (flag.value === undefined) {
    if (attached !== undefined && attached !== "true" && attached !== "false") throw new WrongArgument(`${shown} is a switch and takes no value: got "${attached}"`);
    values.set(flag.name, [attached ?? "true"]);
    return;
  }
  const value = attached ?? words.shift();
  if (value === undefined || (attached === undefined && value === "--")) throw new WrongArgument(`${shown} needs a value: ${flag.value}`);
  if (given.length > 0 && flag.repeat === undefined) throw new WrongArgument(`${shown} is given twice: "${given[0] ?? ""}" and "${value}"`);
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    const meant = nearest(value, flag.choices);
    throw new WrongArgument(`Cannot use "${value}" for ${shown}: must be one of ${flag.choices.join(", ")}`, meant === undefined ? undefined : `Did you mean "${meant}"?`);
  }
  values.set(flag.name, [...given, value]);
}

function unknown(spec: ArgumentSpec, shown: string, meant: string | undefined): WrongArgument {
  return new WrongArgument(`"podkit ${spec.name}" has no option ${shown}`, meant === undefined ? undefined : `Did you mean --${meant}?`);
}

/** A duration as people write it on a command line: "90s", "5m", "1h30m", "500ms", or a bare number of seconds. Undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return undefined;
  const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) totalMs += Number(amount) * (unitMs[unit ?? ""] ?? 0);
  return Math.round(totalMs);
}
