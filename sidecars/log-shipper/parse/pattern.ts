// pure
import { flattened, nothing, readPattern, type Characters, type Part } from "./pattern-parts.ts";

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

/** What is wrong with a pattern and where, as a continuation of "expected …"; undefined when it may be used. */
export function patternFault(source: string, flags = ""): string | undefined {
  try {
    const part = readPattern(source, flags);
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
