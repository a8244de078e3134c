// pure
import { epochOf, formatEpoch, parseEpoch, parseTimestamp, type Moment } from "./timestamp.ts";
import { findZone, momentOf, type Gap, type Overlap, type Zone } from "./zone.ts";

/**
 * How times are written: `rfc3339`, `unix` (seconds since 1970), `unix-ms`, or a pattern of
 *   yyyy  MM M MMM (Jan)  dd d  HH H (0-23)  hh h (1-12) with a (AM, PM)  mm  ss  S for each digit of the fraction
 *   XXX (Z or +01:00)  'text' in quotes; '' is a quote; anything but letters stands for itself
 * in UTC or an IANA zone.
 */
export type DateForm = { readonly pattern: string; readonly zone: string };
export type DateInput = DateForm & { readonly overlap: Overlap; readonly gap: Gap };

export type DateFormat = (moment: Moment) => string | undefined;
export type DateParse = (text: string) => Moment | undefined;
/** A pattern's parts, for whoever writes them in another way: letters, or text that stands for itself. */
export type DatePiece = { readonly letters: string } | { readonly text: string };

const named = ["rfc3339", "unix", "unix-ms"] as const;
const known = ["yyyy", "MMM", "MM", "M", "dd", "d", "HH", "H", "hh", "h", "mm", "ss", "a", "XXX"] as const;
const token = /'(?:[^']|'')*'|S+|([A-Za-z])\1*|[^A-Za-z']+|'/g;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

type Wrong = { readonly kind: "wrong"; readonly reason: string };

/** The parts of a pattern; the reason when it is none. */
export function datePieces(pattern: string): { readonly kind: "ok"; readonly pieces: readonly DatePiece[] } | Wrong {
  if (pattern === "") return { kind: "wrong", reason: "the date pattern is empty; leave it out for rfc3339" };
  const pieces: DatePiece[] = [];
  for (const [part] of pattern.matchAll(token)) {
    if (part === "'") return { kind: "wrong", reason: "a quote in the date pattern is not closed" };
    if (part.startsWith("'")) pieces.push({ text: part === "''" ? "'" : part.slice(1, -1).replaceAll("''", "'") });
    else if (!/^[A-Za-z]/.test(part)) pieces.push({ text: part });
    else if (!part.startsWith("S") && !known.some((letters) => letters === part)) return { kind: "wrong", reason: `the letters "${part}" mean nothing in a date pattern; there are ${known.join(" ")} S and 'text', or the whole is one of ${named.join(", ")}` };
    else if (part.startsWith("S") && part.length > 9) return { kind: "wrong", reason: "a fraction has at most 9 digits" };
    else pieces.push({ letters: part });
  }
  return { kind: "ok", pieces };
}

/** A formatter. It gives undefined where digits would be lost, for a year that has not four digits, and for an offset that is not whole minutes. */
export function compileDateFormat(pattern: string, zoneName: string): { readonly kind: "ok"; readonly format: DateFormat } | Wrong {
  const isEpoch = pattern === "unix" || pattern === "unix-ms";
  const parts = datePieces(pattern === "rfc3339" || isEpoch ? "yyyy-MM-dd'T'HH:mm:ss" : pattern);
  if (parts.kind === "wrong") return parts;
  const zone = findZone(zoneName);
  if (zone === undefined) return noZone(zoneName);
  if (isEpoch) return { kind: "ok", format: (moment) => formatEpoch(moment, pattern === "unix" ? 0 : 3) };
  const pieces = parts.pieces.map(formatPiece);
  const writes = (letters: string): boolean => pattern === "rfc3339" || parts.pieces.some((piece) => "letters" in piece && piece.letters === letters);
  const [writesYear, writesOffset] = [writes("yyyy"), writes("XXX")];
  return {
    kind: "ok",
    format(moment) {
      const offsetMs = zone.offsetMs(moment.epochMs);
      const shown: Shown = { date: new Date(moment.epochMs + offsetMs), offsetMs, fraction: moment.fraction };
      const year = shown.date.getUTCFullYear();
      if (writesYear && (year < 0 || year > 9999)) return undefined;
      // Clocks of long ago were apart by seconds, for which an offset has no room.
      if (writesOffset && offsetMs % 60_000 !== 0) return undefined;
      let text = "";
      for (const piece of pieces) text += piece(shown);
      return pattern === "rfc3339" ? `${text}${moment.fraction === "" ? "" : `.${moment.fraction}`}${offsetText(offsetMs)}` : text;
    },
  };
}

function noZone(name: string): Wrong {
  return { kind: "wrong", reason: `the time zone "${name}" is not known; give UTC or an IANA name such as Europe/Berlin` };
}

type Shown = { readonly date: Date; readonly offsetMs: number; readonly fraction: string };
const two = (value: number): string => (value < 10 ? `0${value}` : String(value));

function offsetText(offsetMs: number): string {
  if (offsetMs === 0) return "Z";
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  return `${offsetMs < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

const hour12 = (hour: number): number => (hour % 12 === 0 ? 12 : hour % 12);

function formatPiece(piece: DatePiece): (shown: Shown) => string {
  if ("text" in piece) return () => piece.text;
  const { letters } = piece;
  if (letters.startsWith("S")) return ({ fraction }) => fraction.padEnd(letters.length, "0").slice(0, letters.length);
  const formats: Readonly<Record<string, (shown: Shown) => string>> = {
    yyyy: ({ date }) => String(date.getUTCFullYear()).padStart(4, "0"),
    MMM: ({ date }) => months[date.getUTCMonth()] ?? "",
    MM: ({ date }) => two(date.getUTCMonth() + 1),
    M: ({ date }) => String(date.getUTCMonth() + 1),
    dd: ({ date }) => two(date.getUTCDate()),
    d: ({ date }) => String(date.getUTCDate()),
    HH: ({ date }) => two(date.getUTCHours()),
    H: ({ date }) => String(date.getUTCHours()),
    hh: ({ date }) => two(hour12(date.getUTCHours())),
    h: ({ date }) => String(hour12(date.getUTCHours())),
    mm: ({ date }) => two(date.getUTCMinutes()),
    ss: ({ date }) => two(date.getUTCSeconds()),
    a: ({ date }) => (date.getUTCHours() < 12 ? "AM" : "PM"),
    XXX: ({ offsetMs }) => offsetText(offsetMs),
  };
  return formats[letters] ?? (() => "");
}

/** A reader of times. It gives undefined for text of another form, and for times that the zone's clocks do not show, or show twice where that is an error. */
export function compileDateParse(input: DateInput): { readonly kind: "ok"; readonly parse: DateParse } | Wrong {
  const { pattern } = input;
  const zone = findZone(input.zone);
  if (zone === undefined) return noZone(input.zone);
  if (pattern === "rfc3339") return { kind: "ok", parse: parseTimestamp };
  if (pattern === "unix" || pattern === "unix-ms") return { kind: "ok", parse: (text) => parseEpoch(text, pattern === "unix" ? 0 : 3) };
  const parts = datePieces(pattern);
  if (parts.kind === "wrong") return parts;
  const letters = parts.pieces.flatMap((piece) => ("letters" in piece ? [piece.letters] : []));
  const has = (...any: readonly string[]): boolean => any.some((each) => letters.includes(each));
  const kinds = letters.map((each) => (each.startsWith("S") ? "S" : each.startsWith("M") ? "M" : each[0]));
  if (new Set(kinds).size < kinds.length) return { kind: "wrong", reason: "a part of the time stands in the date pattern twice" };
  if (!has("yyyy") || !has("MM", "M", "MMM") || !has("dd", "d")) return { kind: "wrong", reason: "to be read, a date needs its year, month and day: yyyy, MM, dd" };
  if (has("hh", "h") !== has("a") || (has("hh", "h") && has("HH", "H"))) return { kind: "wrong", reason: "hh goes with a, and not with HH" };
  const unclear = unclearPair(parts.pieces);
  if (unclear !== undefined) return { kind: "wrong", reason: `"${unclear[0]}" and "${unclear[1]}" have one digit or two, and nothing but digits is between them: a time can be read in several ways; write ${unclear.map((each) => each.repeat(2)).join(" or ")}` };
  return { kind: "ok", parse: parser(parts.pieces, zone, input) };
}

/** Two numbers of no fixed width in one run of digits: 111 would be January 11 and November 1. */
function unclearPair(pieces: readonly DatePiece[]): readonly [string, string] | undefined {
  let before: string | undefined;
  for (const piece of pieces) {
    const isDigits = "text" in piece ? /^\d*$/.test(piece.text) : !["MMM", "a", "XXX"].includes(piece.letters);
    if (!isDigits) before = undefined;
    else if ("letters" in piece && ["M", "d", "H", "h"].includes(piece.letters)) {
      if (before !== undefined) return [before, piece.letters];
      before = piece.letters;
    }
  }
  return undefined;
}

/** The text of every part, found by one regular expression without choices of length that could be tried again. */
function parser(pieces: readonly DatePiece[], zone: Zone, rules: DateInput): DateParse {
  const widths: Readonly<Record<string, string>> = { yyyy: "\\d{4}", MMM: "[A-Z][a-z]{2}", M: "\\d{1,2}", d: "\\d{1,2}", H: "\\d{1,2}", h: "\\d{1,2}", a: "AM|PM", XXX: "Z|[+-]\\d\\d:[0-5]\\d" };
  const names = pieces.flatMap((piece) => ("letters" in piece ? [piece.letters.startsWith("S") ? "S" : piece.letters] : []));
  const form = new RegExp(`^${pieces.map((piece) => ("text" in piece ? piece.text.replace(/[^A-Za-z0-9]/g, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`) : piece.letters.startsWith("S") ? `(\\d{${piece.letters.length}})` : `(${widths[piece.letters] ?? "\\d\\d"})`)).join("")}$`, "u");
  return (text) => {
    const match = text.length > 100 ? null : form.exec(text);
    if (match === null) return undefined;
    const found = new Map(names.map((name, index) => [name, match[index + 1] ?? ""]));
    const number = (...any: readonly string[]): number | undefined => {
      const name = any.find((each) => found.has(each));
      return name === undefined ? undefined : Number(found.get(name));
    };
    const half = number("hh", "h");
    if (half !== undefined && (half < 1 || half > 12)) return undefined;
    const hour = half === undefined ? (number("HH", "H") ?? 0) : (half % 12) + (found.get("a") === "PM" ? 12 : 0);
    const month = number("MM", "M") ?? months.indexOf(found.get("MMM") ?? "") + 1;
    const local = epochOf({ year: number("yyyy") ?? 0, month, day: number("dd", "d") ?? 0, hour, minute: number("mm") ?? 0, second: number("ss") ?? 0 });
    const epochMs = local === undefined ? undefined : found.has("XXX") ? shifted(local, found.get("XXX") ?? "Z") : momentOf(zone, local, rules);
    return epochMs === undefined ? undefined : { epochMs, fraction: found.get("S") ?? "" };
  };
}

function shifted(localMs: number, offset: string): number | undefined {
  if (offset === "Z") return localMs;
  const hours = Number(offset.slice(1, 3));
  return hours > 23 ? undefined : localMs - (offset.startsWith("-") ? -1 : 1) * (hours * 60 + Number(offset.slice(4))) * 60_000;
}
