// pure
import { presetRules, type PresetName, type Rule } from "./multi-line-presets.ts";

/**
 * Which lines go on with the record before them. Patterns see the first 2,048 bytes of a line.
 *
 * - `start` alone: a line that matches begins a record, every other goes on with the one before.
 * - `continue` alone: a line that matches goes on with the record before.
 * - Both: a line goes on if it matches `continue` and not `start`.
 * - Presets: stack traces of languages. A line that no preset knows is a record of its own.
 *
 * What a line is depends on its record's lines before it alone, never on an earlier record.
 */
export type LineGrouping = {
  readonly start: string | undefined;
  readonly continue: string | undefined;
  readonly presets: readonly PresetName[];
};

/** What is wrong with a choice of patterns; undefined when it can be used. */
export function multiLineFault({ start, continue: continuing, presets }: LineGrouping): string | undefined {
  if (start === undefined && continuing === undefined && presets.length === 0) return "needs start, continue or presets";
  return start !== undefined && presets.length > 0 ? "add nothing to start, with which every other line goes on; leave one of them out" : undefined;
}

export type Place =
  /** Goes on with the open record. */
  | "continue"
  /** Begins a record, which may go on. */
  | "begin"
  /** Is a record by itself: no line can go on with it. */
  | "single";

export const matchedBytesMax = 2_048;

/** What is known of the open record of one stream. */
export class OpenRecord {
  /** By preset: where in its stack trace the record is; 0 when it is in none. */
  readonly states: number[] = [];
  isOpen = false;

  close(): void {
    this.isOpen = false;
    this.states.fill(0);
  }
}

export class MultiLine {
  readonly #start: RegExp | undefined;
  readonly #continue: RegExp | undefined;
  readonly #presets: readonly (readonly Rule[])[];
  /** Matches what any preset can begin with: nearly all lines are none of that. */
  readonly #beginnings: RegExp;

  constructor(grouping: LineGrouping) {
    this.#start = grouping.start === undefined ? undefined : RegExp(grouping.start);
    this.#continue = grouping.continue === undefined ? undefined : RegExp(grouping.continue);
    this.#presets = grouping.presets.map((name) => presetRules[name]);
    const beginnings = this.#presets.flat().filter(({ from }) => from.includes(0));
    this.#beginnings = RegExp(beginnings.length === 0 ? "(?!)" : beginnings.map(({ pattern }) => `(?:${pattern.source})`).join("|"));
  }

  /** Tells the place of the line in `bytes[from, to)`, UTF-8, and notes it in `open`. */
  place(open: OpenRecord, bytes: Buffer, from: number, to: number): Place {
    const text = bytes.toString("utf8", from, Math.min(to, from + matchedBytesMax));
    const place = this.#placeOf(open, text);
    open.isOpen = place !== "single";
    return place;
  }

  #placeOf(open: OpenRecord, text: string): Place {
    const goesOn = open.isOpen ? "continue" : "begin";
    if (this.#start !== undefined) return this.#start.test(text) || this.#continue?.test(text) === false ? "begin" : goesOn;
    if (open.isOpen && this.#advance(open.states, text, false)) return "continue";
    if (this.#continue?.test(text) === true) return goesOn;
    if (this.#beginnings.test(text) && this.#advance(open.states, text, true)) return "begin";
    if (open.isOpen) open.close();
    return this.#continue === undefined ? "single" : "begin";
  }

  /** Moves every preset by the line, from the beginning or from where it is. False when no preset knows the line. */
  #advance(states: number[], text: string, fromBeginning: boolean): boolean {
    let known = false;
    const next = this.#presets.map((rules, index) => {
      const state = fromBeginning ? 0 : (states[index] ?? 0);
      if (state === 0 && !fromBeginning) return 0;
      const to = rules.find((rule) => rule.from.includes(state) && rule.pattern.test(text))?.to ?? 0;
      if (to !== 0) known = true;
      return to;
    });
    if (known || fromBeginning) states.splice(0, states.length, ...next);
    return known;
  }
}
