// pure
/**
 * Regular expressions in time linear in the text: an automaton that is in several states at once and never goes back. There are
 * characters, `.` (any but a line end), [a-z] [^a-z], \d \w \s \D \W \S, groups ( ) and (?: ), |, * + ? {n} {n,m} {n,}, and ^ $ for
 * the ends of the text. There are no back-references, no look-around, no lazy or possessive repetition: whether a text matches does
 * not depend on them. Compared are code points.
 */
export type TextPattern = (text: string) => boolean;

const stepsMax = 2_000;
const repeatMax = 200;
const statesMax = 1_000;

/** A range test on code points. */
type Ranges = readonly (readonly [from: number, to: number])[];
type Step =
  | { readonly kind: "characters"; readonly ranges: Ranges; readonly negated: boolean }
  | { readonly kind: "fork"; readonly to: readonly [number, number] }
  | { readonly kind: "jump"; readonly to: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "match" };

const classes: Readonly<Record<string, Ranges>> = {
  d: [[48, 57]],
  w: [[48, 57], [65, 90], [95, 95], [97, 122]],
  s: [[9, 13], [32, 32], [0xa0, 0xa0], [0x1680, 0x1680], [0x2000, 0x200a], [0x2028, 0x2029], [0x202f, 0x202f], [0x205f, 0x205f], [0x3000, 0x3000], [0xfeff, 0xfeff]],
};
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 };
const lineEnds: Ranges = [[10, 10], [13, 13], [0x2028, 0x2029]];
const everything: Ranges = [[0, 0x10ffff]];

/** A test whether a text contains a match of the pattern; write ^…$ for the whole text. The reason when the pattern is none. */
export function compilePattern(source: string): { readonly kind: "ok"; readonly matches: TextPattern } | { readonly kind: "wrong"; readonly reason: string } {
  try {
    return { kind: "ok", matches: runner(new PatternCompiler(source).compile()) };
  } catch (error) {
    if (error instanceof PatternFault) return { kind: "wrong", reason: error.message };
    throw error;
  }
}

class PatternFault extends Error {}

/** What a part of the pattern compiles to: adds its steps, which go on behind the last one added. */
type Part = () => void;

class PatternCompiler {
  readonly #characters: readonly string[];
  readonly #steps: Step[] = [];
  #at = 0;

  constructor(source: string) {
    this.#characters = Array.from(source);
  }

  compile(): readonly Step[] {
    const part = this.#choice();
    if (this.#at < this.#characters.length) throw new PatternFault(`")" at character ${this.#at + 1} closes no group`);
    part();
    this.#add({ kind: "match" });
    return this.#steps;
  }

  #add(step: Step): number {
    if (this.#steps.length >= stepsMax) throw new PatternFault(`the pattern has more than ${stepsMax} steps; repeat less`);
    return this.#steps.push(step) - 1;
  }

  #choice(): Part {
    const first = this.#sequence();
    if (this.#characters[this.#at] !== "|") return first;
    this.#at++;
    const rest = this.#choice();
    return () => {
      const fork = this.#add({ kind: "match" });
      first();
      const jump = this.#add({ kind: "match" });
      this.#steps[fork] = { kind: "fork", to: [fork + 1, this.#steps.length] };
      rest();
      this.#steps[jump] = { kind: "jump", to: this.#steps.length };
    };
  }

  #sequence(): Part {
    const parts: Part[] = [];
    while (this.#at < this.#characters.length && this.#characters[this.#at] !== "|" && this.#characters[this.#at] !== ")") parts.push(this.#repeated());
    return () => {
      for (const part of parts) part();
    };
  }

  #repeated(): Part {
    const part = this.#single();
    const sign = this.#characters[this.#at] ?? "";
    const counts = sign === "{" ? /^\{(\d{1,4})(?:(,)(\d{0,4}))?\}/.exec(this.#characters.slice(this.#at, this.#at + 12).join("")) : null;
    if (!["*", "+", "?"].includes(sign) && counts === null) return part;
    this.#at += counts === null ? 1 : counts[0].length;
    const next = this.#characters[this.#at] ?? "";
    if (["*", "+", "?"].includes(next)) throw new PatternFault(`"${next}" at character ${this.#at + 1} repeats a repetition; there is no lazy repetition, and none is needed here`);
    const min = counts === null ? (sign === "+" ? 1 : 0) : Number(counts[1]);
    const max = counts === null ? (sign === "?" ? 1 : Infinity) : counts[2] === undefined ? min : counts[3] === "" ? Infinity : Number(counts[3]);
    if (min > max || min > repeatMax || (max !== Infinity && max > repeatMax)) throw new PatternFault(`a part is repeated up to ${repeatMax} times, from the lower number to the higher`);
    return () => this.#repeat(part, min, max);
  }

  #repeat(part: Part, min: number, max: number): void {
    for (let count = 0; count < min; count++) part();
    if (max === Infinity) {
      const fork = this.#add({ kind: "match" });
      part();
      this.#add({ kind: "jump", to: fork });
      this.#steps[fork] = { kind: "fork", to: [fork + 1, this.#steps.length] };
      return;
    }
    const forks: number[] = [];
    for (let count = min; count < max; count++) {
      forks.push(this.#add({ kind: "match" }));
      part();
    }
    for (const fork of forks) this.#steps[fork] = { kind: "fork", to: [fork + 1, this.#steps.length] };
  }

  #single(): Part {
    const character = this.#characters[this.#at++] ?? "";
    if (character === "(") return this.#group();
    if (character === "[") return this.#characterClass();
    if (character === "\\") return this.#set(this.#escaped());
    if (character === "^" || character === "$") {
      const step: Step = { kind: character === "^" ? "start" : "end" };
      return () => void this.#add(step);
    }
    if (character === ".") return this.#set({ ranges: lineEnds, negated: true });
    if (["*", "+", "?"].includes(character)) throw new PatternFault(`"${character}" at character ${this.#at} has nothing before it to repeat`);
    return this.#set({ ranges: [[codeOf(character), codeOf(character)]], negated: false });
  }

  #set(set: { readonly ranges: Ranges; readonly negated: boolean }): Part {
    return () => void this.#add({ kind: "characters", ...set });
  }

  #group(): Part {
    const from = this.#at;
    if (this.#characters[this.#at] === "?") {
      if (this.#characters[this.#at + 1] !== ":") throw new PatternFault(`the group at character ${from} begins with (?, of which there is (?: alone`);
      this.#at += 2;
    }
    const part = this.#choice();
    if (this.#characters[this.#at] !== ")") throw new PatternFault(`the group that begins at character ${from} is not closed`);
    this.#at++;
    return part;
  }

  #characterClass(): Part {
    const from = this.#at;
    const negated = this.#characters[this.#at] === "^";
    if (negated) this.#at++;
    const ranges: (readonly [number, number])[] = [];
    while (this.#characters[this.#at] !== "]") {
      if (this.#at >= this.#characters.length) throw new PatternFault(`the class that begins at character ${from} is not closed`);
      const low = this.#member();
      const single = low.length === 1 && low[0] !== undefined && low[0][0] === low[0][1] ? low[0][0] : undefined;
      if (single === undefined || this.#characters[this.#at] !== "-" || this.#characters[this.#at + 1] === "]") {
        ranges.push(...low);
        continue;
      }
      this.#at++;
      const high = this.#member()[0]?.[0] ?? 0;
      if (high < single) throw new PatternFault(`the class that begins at character ${from} has a range from the higher to the lower`);
      ranges.push([single, high]);
    }
    this.#at++;
    return this.#set({ ranges, negated });
  }

  #member(): Ranges {
    const character = this.#characters[this.#at++] ?? "";
    if (character !== "\\") return [[codeOf(character), codeOf(character)]];
    const { ranges, negated } = this.#escaped();
    return negated ? complement(ranges) : ranges;
  }

  #escaped(): { readonly ranges: Ranges; readonly negated: boolean } {
    const letter = this.#characters[this.#at++];
    if (letter === undefined) throw new PatternFault('the pattern ends with "\\", which escapes nothing');
    const known = Object.hasOwn(classes, letter.toLowerCase()) ? classes[letter.toLowerCase()] : undefined;
    if (known !== undefined) return { ranges: known, negated: letter !== letter.toLowerCase() };
    const control = Object.hasOwn(controls, letter) ? controls[letter] : undefined;
    if (control === undefined && /[A-Za-z0-9]/.test(letter)) throw new PatternFault(`"\\${letter}" at character ${this.#at - 1} is not known here`);
    const code = control ?? codeOf(letter);
    return { ranges: [[code, code]], negated: false };
  }
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

function complement(ranges: Ranges): Ranges {
  const sorted = ranges.toSorted((left, right) => left[0] - right[0]);
  const gaps: (readonly [number, number])[] = [];
  let from = 0;
  for (const [low, high] of sorted) {
    if (low > from) gaps.push([from, low - 1]);
    from = high + 1;
  }
  return from > (everything[0]?.[1] ?? 0) ? gaps : [...gaps, [from, 0x10ffff]];
}

/** A set of steps that the automaton is in, with where each kind of character leads from it; kept, so that most characters cost one look. */
type State = { readonly steps: readonly number[]; readonly matches: boolean; readonly matchesAtEnd: boolean; readonly next: Map<number, State> };

function runner(steps: readonly Step[]): TextPattern {
  const kindOf = partition(steps);
  let states = new Map<string, State>();

  const stateOf = (from: readonly number[], atStart: boolean): State => {
    const reached = closure(steps, from, { atStart, atEnd: false });
    const key = `${atStart ? "^" : ""}${reached.join()}`;
    const known = states.get(key);
    if (known !== undefined) return known;
    if (states.size >= statesMax) states = new Map();
    const state: State = { steps: reached.filter((step) => steps[step]?.kind === "characters"), matches: reached.some((step) => steps[step]?.kind === "match"), matchesAtEnd: closure(steps, from, { atStart, atEnd: true }).some((step) => steps[step]?.kind === "match"), next: new Map() };
    states.set(key, state);
    return state;
  };

  return (text) => {
    let state = stateOf([0], true);
    for (let at = 0; at < text.length && !state.matches; at++) {
      const code = text.codePointAt(at) ?? 0;
      if (code > 0xffff) at++;
      const kind = kindOf(code);
      let next = state.next.get(kind);
      if (next === undefined) {
        // A match may begin at every character: step 0 is always there.
        next = stateOf([...new Set([...state.steps.filter((step) => takes(steps[step], code)).map((step) => step + 1), 0])].toSorted((left, right) => left - right), false);
        state.next.set(kind, next);
      }
      state = next;
    }
    return state.matches || state.matchesAtEnd;
  };
}

function takes(step: Step | undefined, code: number): boolean {
  return step?.kind === "characters" && step.ranges.some(([from, to]) => code >= from && code <= to) !== step.negated;
}

/** All steps that are reached from these without a character. An end of the text is passed only where it is one. */
function closure(steps: readonly Step[], from: readonly number[], where: { readonly atStart: boolean; readonly atEnd: boolean }): readonly number[] {
  const reached = new Set<number>();
  const open = [...from];
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    if (reached.has(step)) continue;
    reached.add(step);
    const is = steps[step];
    if (is?.kind === "fork") open.push(...is.to);
    else if (is?.kind === "jump") open.push(is.to);
    else if ((is?.kind === "start" && where.atStart) || (is?.kind === "end" && where.atEnd)) open.push(step + 1);
  }
  return [...reached].toSorted((left, right) => left - right);
}

/** Numbers the kinds of characters that the steps tell apart. */
function partition(steps: readonly Step[]): (code: number) => number {
  const bounds = [...new Set(steps.flatMap((step) => (step.kind === "characters" ? step.ranges.flatMap(([from, to]) => [from, to + 1]) : [])))].toSorted((left, right) => left - right);
  const ascii = Uint16Array.from({ length: 128 }, (_, code) => bounds.filter((bound) => bound <= code).length);
  return (code) => {
    if (code < 128) return ascii[code] ?? 0;
    let [low, high] = [0, bounds.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((bounds[middle] ?? 0) <= code) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
