// pure
/**
 * What a regular expression may look like here. JavaScript's engine backtracks and cannot be interrupted, and the text comes from
 * applications, or from whoever talks to them. So two things bound what one line can cost: texts are searched in pieces of at
 * most `searchedMax` characters, and a pattern that can need time exponential in the length of its text is refused when it is
 * configured: `(a+)+`, `(\w|\d)*`, `(a?b?)+`.
 *
 * The test is a sufficient one: it also refuses some repetitions that happen to be harmless. A repeated group passes when its parts of variable
 * length are told apart by a mandatory part with characters that none of the others has, as in `(?:\w+\s+)*` and `(?:\d[ -]?){13,19}`.
 * Not promised: linear time. `.*a.*b` takes time quadratic in the piece, some milliseconds for the longest.
 */
export const searchedMax = 8_192;

/** A set of characters: one bit for each ASCII character and one for all others together. */
type Characters = bigint;
type Part =
  | { readonly kind: "characters"; readonly set: Characters; /** The one character that it can match. */ readonly literal?: string }
  /** Takes no characters: an anchor, a look-around, an empty alternative. */
  | { readonly kind: "nothing" }
  | { readonly kind: "sequence"; readonly parts: readonly Part[] }
  | { readonly kind: "choice"; readonly options: readonly Part[] }
  | { readonly kind: "repeat"; readonly part: Part; readonly min: number; readonly max: number; readonly at: number };

const beyondAscii = 1n << 128n;
const everything: Characters = (1n << 129n) - 1n;

/** What is wrong with a pattern and where, as a continuation of "expected …"; undefined when it may be used. */
export function patternFault(source: string, flags = ""): string | undefined {
  try {
    const part = new PatternReader(source, flags).read();
    RegExp(source, flags);
    const slow = exponentialAt(part);
    if (slow === undefined) return undefined;
    return `a pattern without a repetition inside a repetition that can divide one text in many ways: the one that ends at character ${slow} can take exponential time; put a character between its parts that none of them can match, or repeat only once`;
  } catch (error) {
    return `a JavaScript regular expression: ${error instanceof Error ? error.message.replace(/^Invalid regular expression: .*\/[a-z]*: /s, "") : String(error)}`;
  }
}

/** The names of the pattern's groups, in order. */
export function groupNames(source: string): readonly string[] {
  return [...new Set(Array.from(source.replaceAll(/\\[^]|\[(?:\\[^]|[^\]\\])*\]/g, "").matchAll(/\(\?<([^=!>][^>]*)>/g), (match) => match[1] ?? ""))];
}

/** The longest text found that every match of the pattern contains; empty when none is seen. Whoever searches much text can look for it first. */
export function requiredText(source: string, flags = ""): string {
  return longestRun(flattened(new PatternReader(source, flags).read()));
}

/** Texts of which every match of the pattern contains at least one, as long ones as are found; empty when none are seen. */
export function requiredTexts(source: string, flags = ""): readonly string[] {
  return alternatives(new PatternReader(source, flags).read());
}

function longestRun(parts: readonly Part[]): string {
  let longest = "";
  let run = "";
  for (const part of parts) {
    const single = part.kind === "repeat" && part.min > 0 ? part.part : part;
    const literal = single.kind === "characters" ? single.literal : undefined;
    if (part.kind === "nothing") continue;
    run = literal === undefined ? "" : run + literal;
    if (run.length > longest.length) longest = run;
    if (part.kind === "repeat") run = "";
  }
  return longest;
}

function alternatives(whole: Part): readonly string[] {
  const parts = flattened(whole);
  const run = longestRun(parts);
  let best: readonly string[] = run === "" ? [] : [run];
  for (const part of parts) {
    const found = part.kind === "repeat" && part.min > 0 ? alternatives(part.part) : part.kind === "choice" ? ofEach(part.options) : [];
    if (shortestOf(found) > shortestOf(best)) best = found;
  }
  return best;
}

function ofEach(options: readonly Part[]): readonly string[] {
  const texts = options.map(alternatives);
  return texts.some((each) => each.length === 0) ? [] : texts.flat();
}

function shortestOf(texts: readonly string[]): number {
  return texts.length === 0 ? 0 : Math.min(...texts.map((text) => text.length));
}

/** How many characters every match has at least. */
export function shortestMatch(source: string, flags = ""): number {
  return shortest(new PatternReader(source, flags).read());
}

function shortest(part: Part): number {
  switch (part.kind) {
    case "characters":
      return 1;
    case "sequence":
      return part.parts.reduce((sum, each) => sum + shortest(each), 0);
    case "choice":
      return Math.min(...part.options.map(shortest));
    case "repeat":
      return shortest(part.part) * part.min;
    default:
      return 0;
  }
}

class PatternReader {
  readonly #source: string;
  #ignoreCase: boolean;
  #at = 0;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#ignoreCase = flags.includes("i");
  }

  read(): Part {
    const part = this.#choice();
    if (this.#at < this.#source.length) throw new SyntaxError(`at character ${this.#at + 1} ")" closes no group`);
    return part;
  }

  #choice(): Part {
    const options = [this.#sequence()];
    while (this.#source[this.#at] === "|") {
      this.#at++;
      options.push(this.#sequence());
    }
    return options.length === 1 ? (options[0] ?? nothing) : { kind: "choice", options };
  }

  #sequence(): Part {
    const parts: Part[] = [];
    while (this.#at < this.#source.length && this.#source[this.#at] !== "|" && this.#source[this.#at] !== ")") parts.push(this.#quantified());
    return parts.length === 1 ? (parts[0] ?? nothing) : { kind: "sequence", parts };
  }

  #quantified(): Part {
    const part = this.#single();
    const match = /[*+?]|\{(\d+)(?:(,)(\d*))?\}/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#source);
    if (found === null) return part;
    const at = this.#at + found[0].length;
    this.#at = this.#source[at] === "?" ? at + 1 : at;
    const [whole, least, comma, most] = found;
    if (whole === "*") return { kind: "repeat", part, min: 0, max: Infinity, at };
    if (whole === "+") return { kind: "repeat", part, min: 1, max: Infinity, at };
    if (whole === "?") return { kind: "repeat", part, min: 0, max: 1, at };
    const min = Number(least);
    return { kind: "repeat", part, min, max: comma === undefined ? min : most === undefined || most === "" ? Infinity : Number(most), at };
  }

  #single(): Part {
    const character = this.#source[this.#at] ?? "";
    if (character === "(") return this.#group();
    if (character === "[") return this.#characterClass();
    if (character === "\\") return this.#escape();
    if (/[*+?]/.test(character)) throw new SyntaxError(`at character ${this.#at + 1} "${character}" has nothing before it to repeat`);
    this.#at++;
    if (character === "." ) return { kind: "characters", set: everything };
    if (character === "^" || character === "$") return nothing;
    return this.#literal(character);
  }

  #literal(character: string): Part {
    return { kind: "characters", set: this.#setOf(character), ...(this.#ignoreCase || /[\ud800-\udfff\ufffd]/.test(character) ? {} : { literal: character }) };
  }

  #group(): Part {
    const from = this.#at;
    const opening = /\((?:\?(?:[:=!]|<[=!]|<([^>]*)>|[-ims]*:))?/y;
    opening.lastIndex = from;
    const head = opening.exec(this.#source)?.[0] ?? "(";
    this.#at += head.length;
    const outside = this.#ignoreCase;
    const [, on = "", off = ""] = /^\(\?([ims]*)(?:-([ims]*))?:/.exec(head) ?? [];
    this.#ignoreCase = (outside || on.includes("i")) && !off.includes("i");
    const part = this.#choice();
    this.#ignoreCase = outside;
    if (this.#source[this.#at] !== ")") throw new SyntaxError(`the group that begins at character ${from + 1} is not closed`);
    this.#at++;
    return /^\(\?<?[=!]/.test(head) ? nothing : part;
  }

  #characterClass(): Part {
    const from = this.#at++;
    const negated = this.#source[this.#at] === "^";
    if (negated) this.#at++;
    let set = 0n;
    while (this.#source[this.#at] !== "]") {
      if (this.#at >= this.#source.length) throw new SyntaxError(`the character class that begins at character ${from + 1} is not closed`);
      const low = this.#classMember();
      if (low.length !== 1 || this.#source[this.#at] !== "-" || this.#source[this.#at + 1] === "]" || this.#at + 1 >= this.#source.length) {
        set |= low.length === 1 ? this.#setOf(low) : classes.get(low) ?? everything;
        continue;
      }
      this.#at++;
      const high = this.#classMember();
      for (let code = low.charCodeAt(0); code <= Math.min(high.charCodeAt(0), 127); code++) set |= this.#setOf(String.fromCharCode(code));
      if (high.charCodeAt(0) > 127) set |= beyondAscii;
    }
    this.#at++;
    return { kind: "characters", set: negated ? everything & ~(set & ~beyondAscii) : set };
  }

  /** One character, or the escape of a class as it is written. */
  #classMember(): string {
    const character = this.#source[this.#at] ?? "";
    this.#at++;
    if (character !== "\\") return character;
    return this.#escaped(true);
  }

  #escape(): Part {
    this.#at++;
    const escaped = this.#escaped(false);
    if (escaped === "\\b" || escaped === "\\B") return nothing;
    // What a group has matched, perhaps nothing.
    if (/^\\(?:[1-9]|k<)/.test(escaped)) return { kind: "repeat", part: { kind: "characters", set: everything }, min: 0, max: Infinity, at: this.#at };
    return escaped.length === 1 ? this.#literal(escaped) : { kind: "characters", set: classes.get(escaped) ?? everything };
  }

  #escaped(inClass: boolean): string {
    const match = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|c[A-Za-z]|[1-9]\d*|[pP]\{[^}]*\}|k<[^>]*>|[^]/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#source);
    if (found === null) throw new SyntaxError(`at character ${this.#at} "\\" escapes nothing`);
    this.#at += found[0].length;
    const hex = found[1] ?? found[2];
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    const letter = found[0];
    if (letter === "b" && inClass) return "\b";
    const control = controls.get(letter);
    if (control !== undefined) return control;
    return letter.length > 1 || /[dDwWsSbB]|^[1-9]/.test(letter) ? `\\${letter}` : letter;
  }

  #setOf(character: string): Characters {
    if (!this.#ignoreCase) return bitOf(character);
    return bitOf(character.toLowerCase()) | bitOf(character.toUpperCase());
  }
}

const nothing: Part = { kind: "nothing" };
const controls: ReadonlyMap<string, string> = new Map([["n", "\n"], ["r", "\r"], ["t", "\t"], ["f", "\f"], ["v", "\v"], ["0", "\0"]]);

function bitOf(character: string): Characters {
  const code = character.charCodeAt(0);
  return code < 128 ? 1n << BigInt(code) : beyondAscii;
}

function bitsOf(pattern: RegExp): Characters {
  let set = 0n;
  for (let code = 0; code < 128; code++) if (pattern.test(String.fromCharCode(code))) set |= 1n << BigInt(code);
  return set;
}

const classes: ReadonlyMap<string, Characters> = new Map([
  ["\\d", bitsOf(/\d/)],
  ["\\D", bitsOf(/\D/) | beyondAscii],
  ["\\w", bitsOf(/\w/)],
  ["\\W", bitsOf(/\W/) | beyondAscii],
  ["\\s", bitsOf(/\s/) | beyondAscii],
  ["\\S", bitsOf(/\S/) | beyondAscii],
]);

/** Position after the first repetition whose text can be divided among its rounds in more than one way; undefined when there is none. */
function exponentialAt(part: Part): number | undefined {
  switch (part.kind) {
    case "sequence":
      return firstOf(part.parts);
    case "choice":
      return firstOf(part.options);
    case "repeat":
      return exponentialAt(part.part) ?? (part.max > 1 && !dividesOneWay(part.part) ? part.at : undefined);
    default:
      return undefined;
  }
}

function firstOf(parts: readonly Part[]): number | undefined {
  for (const part of parts) {
    const found = exponentialAt(part);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a text made of rounds of `round` can be divided into them in one way only, as far as this can be seen. */
function dividesOneWay(round: Part): boolean {
  if (containsAmbiguousChoice(round)) return false;
  if (round.kind === "choice") return disjoint(round.options.map((option) => firstCharacters(option))) && round.options.every((option) => !mayBeEmpty(option) && dividesOneWay(option));
  if (lengthOf(round) !== undefined) return true;
  const parts = flattened(round);
  const separators = parts.flatMap((part, index) => (isSeparator(part, parts.filter((_, other) => other !== index)) ? [index] : []));
  // Rounds follow each other, so the stretch after the last separator goes on with the one before the first.
  return separators.some(() => parts.length > 1) && separators.every((from, nth) => {
    const to = (separators[nth + 1] ?? (separators[0] ?? 0) + parts.length);
    const stretch = Array.from({ length: to - from - 1 }, (_, step) => parts[(from + 1 + step) % parts.length] ?? nothing);
    return disjoint(stretch.filter((part) => lengthOf(part) === undefined).map(allCharacters));
  });
}

function flattened(part: Part): readonly Part[] {
  return part.kind === "sequence" ? part.parts.flatMap(flattened) : [part];
}

/** A part that is always there, of characters that none of the others can match. If it may be longer or shorter, something always stands between it and the next one. */
function isSeparator(part: Part, others: readonly Part[]): boolean {
  if (lengthOf(part) === undefined && others.every(mayBeEmpty)) return false;
  const single = part.kind === "repeat" && part.min > 0 ? part.part : part;
  return single.kind === "characters" && others.every((other) => (allCharacters(other) & single.set) === 0n);
}

function containsAmbiguousChoice(part: Part): boolean {
  if (part.kind === "choice") return !disjoint(part.options.map((option) => firstCharacters(option))) && part.options.some((option) => lengthOf(option) !== undefined && sameText(part.options));
  if (part.kind === "sequence") return part.parts.some(containsAmbiguousChoice);
  return part.kind === "repeat" && containsAmbiguousChoice(part.part);
}

/** Two options of one length whose sets overlap at every position can match the same text. */
function sameText(options: readonly Part[]): boolean {
  return options.some((left, index) => options.slice(index + 1).some((right) => (allCharacters(left) & allCharacters(right)) !== 0n));
}

function disjoint(sets: readonly Characters[]): boolean {
  let seen = 0n;
  for (const set of sets) {
    if ((seen & set) !== 0n) return false;
    seen |= set;
  }
  return true;
}

function allCharacters(part: Part): Characters {
  switch (part.kind) {
    case "characters":
      return part.set;
    case "sequence":
      return part.parts.reduce((union, each) => union | allCharacters(each), 0n);
    case "choice":
      return part.options.reduce((union, each) => union | allCharacters(each), 0n);
    case "repeat":
      return allCharacters(part.part);
    default:
      return 0n;
  }
}

function firstCharacters(part: Part): Characters {
  if (part.kind === "sequence") {
    let set = 0n;
    for (const each of part.parts) {
      set |= firstCharacters(each);
      if (!mayBeEmpty(each)) break;
    }
    return set;
  }
  if (part.kind === "choice") return part.options.reduce((union, each) => union | firstCharacters(each), 0n);
  return allCharacters(part);
}

function mayBeEmpty(part: Part): boolean {
  switch (part.kind) {
    case "characters":
      return false;
    case "sequence":
      return part.parts.every(mayBeEmpty);
    case "choice":
      return part.options.some(mayBeEmpty);
    case "repeat":
      return part.min === 0 || mayBeEmpty(part.part);
    default:
      return true;
  }
}

/** How many characters the part takes if it is always as many, or undefined. */
function lengthOf(part: Part): number | undefined {
  switch (part.kind) {
    case "characters":
      return 1;
    case "sequence":
      return part.parts.reduce<number | undefined>((sum, each) => added(sum, lengthOf(each)), 0);
    case "choice": {
      const lengths = new Set(part.options.map((option) => lengthOf(option)));
      return lengths.size === 1 ? [...lengths][0] : undefined;
    }
    case "repeat": {
      const length = lengthOf(part.part);
      return part.min === part.max && length !== undefined ? length * part.min : undefined;
    }
    default:
      return 0;
  }
}

function added(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? undefined : left + right;
}
