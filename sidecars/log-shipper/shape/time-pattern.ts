// pure
import { nearest } from "../../../kit/nearest.ts";
import { daysBefore, type TimeParts } from "./time-parts.ts";

/**
 * Time patterns in the manner of strptime, over bytes. Space in a pattern stands for any amount of it, none included; names of months and days are English,
 * in any case; the whole field must be used up.
 */
type Step = (cursor: PatternCursor, parts: TimeParts) => boolean;
export type TimePattern = { readonly steps: readonly Step[]; readonly fault: undefined } | { readonly steps: undefined; readonly fault: string };

type PatternCursor = { readonly bytes: Buffer; at: number; readonly to: number };

const months = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const shorthands: ReadonlyMap<string, string> = new Map([["T", "%H:%M:%S"], ["R", "%H:%M"], ["F", "%Y-%m-%d"], ["D", "%m/%d/%y"], ["h", "%b"], ["L", "%f"], ["N", "%f"]]);

/** Reads digits, at least one and at most `most`; -1 if there are none. */
function digits(cursor: PatternCursor, most: number): number {
  let value = -1;
  for (let count = 0; count < most && cursor.at < cursor.to; count++) {
    const digit = (cursor.bytes[cursor.at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = Math.max(value, 0) * 10 + digit;
    cursor.at++;
  }
  return value;
}

function number(most: number, low: number, high: number, set: (parts: TimeParts, value: number) => void): Step {
  return (cursor, parts) => {
    const value = digits(cursor, most);
    if (value < low || value > high) return false;
    set(parts, value);
    return true;
  };
}

/** One of the names, or the first three letters of one. */
function named(names: readonly string[], set: (parts: TimeParts, index: number) => void): Step {
  return (cursor, parts) => {
    const from = cursor.at;
    while (cursor.at < cursor.to && isLetter(cursor.bytes[cursor.at] ?? 0)) cursor.at++;
    const word = cursor.bytes.toString("latin1", from, cursor.at).toLowerCase();
    const index = names.findIndex((name) => name === word || (word.length === 3 && name.startsWith(word)));
    if (index >= 0) set(parts, index);
    return index >= 0;
  };
}

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

const directives: ReadonlyMap<string, Step> = new Map<string, Step>([
  ["Y", number(4, 0, 9999, (parts, value) => (parts.year = value))],
  ["y", number(2, 0, 99, (parts, value) => (parts.year = value < 69 ? 2000 + value : 1900 + value))],
  ["m", number(2, 1, 12, (parts, value) => (parts.month = value))],
  ["d", number(2, 1, 31, (parts, value) => (parts.day = value))],
  ["e", (cursor, parts) => skipSpace(cursor) && number(2, 1, 31, (each, value) => (each.day = value))(cursor, parts)],
  ["j", number(3, 1, 366, (parts, value) => (parts.dayOfYear = value))],
  ["H", number(2, 0, 23, (parts, value) => (parts.hour = value))],
  ["I", number(2, 1, 12, (parts, value) => (parts.hour = value % 12))],
  ["M", number(2, 0, 59, (parts, value) => (parts.minute = value))],
  ["S", number(2, 0, 60, (parts, value) => (parts.second = value))],
  ["s", number(12, 0, Infinity, (parts, value) => (parts.epoch = value))],
  ["b", named(months, (parts, index) => (parts.month = index + 1))],
  ["B", named(months, (parts, index) => (parts.month = index + 1))],
  ["a", named(days, () => undefined)],
  ["A", named(days, () => undefined)],
  ["p", named(["am", "pm"], (parts, index) => (parts.afternoon = index === 1))],
  ["f", (cursor, parts) => readFraction(cursor, parts)],
  ["z", (cursor, parts) => readOffset(cursor, parts)],
  ["n", skipSpace],
  ["t", skipSpace],
  ["%", (cursor) => literal(cursor, 0x25)],
]);

export function compileTimePattern(pattern: string): TimePattern {
  const steps: Step[] = [];
  const seen = new Set<string>();
  let rest = pattern.replaceAll(/%([TRFDhLN])/g, (_, letter: string) => shorthands.get(letter) ?? "");
  while (rest !== "") {
    if (!rest.startsWith("%")) {
      const [text = ""] = /^(?: +|[^ %]+)/.exec(rest) ?? [];
      const bytes = Buffer.from(text);
      steps.push(text.startsWith(" ") ? skipSpace : (cursor) => bytes.every((byte) => literal(cursor, byte)));
      rest = rest.slice(text.length);
      continue;
    }
    const letter = rest.slice(1, 2);
    if (letter === "") return fault('a time pattern that does not end in a single "%"; a percent sign is "%%"');
    const step = directives.get(letter);
    if (step === undefined) return fault(`a time pattern of the directives ${[...directives.keys(), ...shorthands.keys()].map((each) => `%${each}`).join(" ")} (%${letter} is none of them${suggestion(letter)})`);
    steps.push(step);
    seen.add(letter);
    rest = rest.slice(2);
  }
  return lacking(seen) ?? { steps, fault: undefined };
}

function fault(expected: string): TimePattern {
  return { steps: undefined, fault: expected };
}

function suggestion(letter: string): string {
  const near = nearest(letter, [...directives.keys()].filter((each) => each.toLowerCase() === letter.toLowerCase()));
  return near === undefined ? "" : `; did you mean %${near}?`;
}

function lacking(seen: ReadonlySet<string>): TimePattern | undefined {
  if (seen.has("s")) return undefined;
  const day = (seen.has("d") || seen.has("e")) && (seen.has("m") || seen.has("b") || seen.has("B"));
  if (!day && !seen.has("j")) return fault("a time pattern that tells the day (%m and %d, or %b and %e, or %j, or %s alone)");
  if (seen.has("j") && !seen.has("Y") && !seen.has("y")) return fault("a time pattern that tells the year (%Y) beside the day of the year");
  if (!seen.has("H") && !(seen.has("I") && seen.has("p"))) return fault("a time pattern that tells the hour (%H, or %I and %p)");
  return undefined;
}

/** Reads `bytes[from, to)` into `parts`; false when it has another form. */
export function readTimePattern(steps: readonly Step[], bytes: Buffer, from: number, to: number, parts: TimeParts): boolean {
  const cursor = { bytes, at: from, to };
  for (const step of steps) if (!step(cursor, parts)) return false;
  if (cursor.at !== to) return false;
  if (parts.afternoon) parts.hour += 12;
  if (parts.dayOfYear > 0) takeDayOfYear(parts);
  return true;
}

function takeDayOfYear(parts: TimeParts): void {
  let month = 12;
  while (month > 1 && daysBefore(parts.year, month) >= parts.dayOfYear) month--;
  parts.month = month;
  parts.day = parts.dayOfYear - daysBefore(parts.year, month);
}

function skipSpace(cursor: PatternCursor): boolean {
  while (cursor.at < cursor.to && (cursor.bytes[cursor.at] === 0x20 || cursor.bytes[cursor.at] === 0x09)) cursor.at++;
  return true;
}

function literal(cursor: PatternCursor, byte: number): boolean {
  return cursor.at < cursor.to && cursor.bytes[cursor.at++] === byte;
}

/** One to nine digits after the point; further ones are passed over. */
export function readFraction(cursor: PatternCursor, parts: TimeParts): boolean {
  const from = cursor.at;
  let nanoseconds = 0;
  let scale = 100_000_000;
  for (; cursor.at < cursor.to; cursor.at++) {
    const digit = (cursor.bytes[cursor.at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    nanoseconds += digit * scale;
    scale = scale === 1 ? 0 : scale / 10;
  }
  parts.nanoseconds = nanoseconds;
  return cursor.at > from;
}

/** Z, UTC, GMT, +hh, +hhmm or +hh:mm. */
export function readOffset(cursor: PatternCursor, parts: TimeParts): boolean {
  const sign = cursor.bytes[cursor.at];
  if (cursor.at >= cursor.to) return false;
  parts.hasOffset = true;
  if (sign !== 0x2b && sign !== 0x2d) return readUtcName(cursor, parts);
  cursor.at++;
  const from = cursor.at;
  const hours = digits(cursor, 2);
  if (cursor.at !== from + 2 || hours > 15) return false;
  let minutes = 0;
  if (cursor.at < cursor.to && cursor.bytes[cursor.at] === 0x3a) cursor.at++;
  const minutesFrom = cursor.at;
  minutes = digits(cursor, 2);
  if (minutes < 0) minutes = 0;
  else if (cursor.at !== minutesFrom + 2 || minutes > 59) return false;
  parts.offset = (hours * 60 + minutes) * (sign === 0x2d ? -60 : 60);
  return true;
}

function readUtcName(cursor: PatternCursor, parts: TimeParts): boolean {
  const from = cursor.at;
  while (cursor.at < cursor.to && isLetter(cursor.bytes[cursor.at] ?? 0)) cursor.at++;
  parts.offset = 0;
  return /^(?:z|utc|gmt)$/i.test(cursor.bytes.toString("latin1", from, cursor.at));
}
