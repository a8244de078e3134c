// pure
/** A moment, exact to the digits that were written. */
export type Moment = { readonly epochMs: number; readonly fraction: string };

/** The number that the two digits at `at` are, NaN when they are none. */
function twoDigits(text: string, at: number): number {
  const [tens, ones] = [text.charCodeAt(at) - 48, text.charCodeAt(at + 1) - 48];
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

function daysOf(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : (monthDays[month - 1] ?? 0);
}

const zoneAndFraction = /^(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/**
 * RFC 3339 with a zone, from the year 100 on. Undefined for anything else, also for days that do not exist. A leap second (:60) is refused: no
 * clock here can hold it. By hand, not by one regular expression: this is the costliest step of most mappings.
 */
export function parseTimestamp(text: string): Moment | undefined {
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const [month, day] = [twoDigits(text, 5), twoDigits(text, 8)];
  const [hour, minute, second] = [twoDigits(text, 11), twoDigits(text, 14), twoDigits(text, 17)];
  const between = text.charCodeAt(10);
  const isForm = text[4] === "-" && text[7] === "-" && (between === 84 || between === 32) && text[13] === ":" && text[16] === ":";
  const exists = year >= 100 && day >= 1 && day <= daysOf(year, month) && hour < 24 && minute < 60 && second < 60;
  if (!isForm || !exists) return undefined;
  const at = Date.UTC(year, month - 1, day, hour, minute, second);
  if (text.length === 20 && text[19] === "Z") return { epochMs: at, fraction: "" };
  const match = zoneAndFraction.exec(text.slice(19));
  if (match === null) return undefined;
  const [, fraction = "", sign, hours = "0", minutes = "0"] = match;
  return { epochMs: at - (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000, fraction };
}

const letters = /yyyy|MM|dd|HH|mm|ss|S+|'(?:[^']|'')*'/g;

export type DateFormat = (moment: Moment) => string;

/**
 * A formatter for a pattern of yyyy MM dd HH mm ss S… and 'quoted text', in UTC or an IANA zone. Undefined with the reason when the pattern or
 * the zone is not known.
 */
export function compileDateFormat(pattern: string, zone: string): { readonly kind: "ok"; readonly format: DateFormat } | { readonly kind: "wrong"; readonly reason: string } {
  const unknown = pattern.replace(letters, "").match(/[A-Za-z]+/)?.[0];
  if (unknown !== undefined) return { kind: "wrong", reason: `the letters "${unknown}" mean nothing in a date pattern; there are yyyy MM dd HH mm ss S and 'text'` };
  const parts = compileZone(zone);
  if (parts === undefined) return { kind: "wrong", reason: `the time zone "${zone}" is not known; give UTC or an IANA name such as Europe/Berlin` };
  const pieces = compilePieces(pattern);
  return {
    kind: "ok",
    format(moment) {
      const fields = parts(moment.epochMs);
      let text = "";
      for (const piece of pieces) text += piece(fields, moment.fraction);
      return text;
    },
  };
}

type Piece = (fields: DateFields, fraction: string) => string;

function compilePieces(pattern: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  const literal = (text: string): void => {
    if (text !== "") pieces.push(() => text);
  };
  for (const { 0: token, index } of pattern.matchAll(letters)) {
    literal(pattern.slice(from, index));
    from = index + token.length;
    if (token.startsWith("'")) literal(token === "''" ? "'" : token.slice(1, -1).replaceAll("''", "'"));
    else if (token.startsWith("S")) pieces.push((_, fraction) => fraction.padEnd(token.length, "0").slice(0, token.length));
    else pieces.push((fields) => fields[token] ?? "");
  }
  literal(pattern.slice(from));
  return pieces;
}

type DateFields = Readonly<Record<string, string>>;
const two = (value: number): string => (value < 10 ? `0${value}` : String(value));

function compileZone(zone: string): ((epochMs: number) => DateFields) | undefined {
  if (zone === "UTC") {
    return (epochMs) => {
      const date = new Date(epochMs);
      return { yyyy: String(date.getUTCFullYear()).padStart(4, "0"), MM: two(date.getUTCMonth() + 1), dd: two(date.getUTCDate()), HH: two(date.getUTCHours()), mm: two(date.getUTCMinutes()), ss: two(date.getUTCSeconds()) };
    };
  }
  try {
    const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    return (epochMs) => {
      const found = Object.fromEntries(format.formatToParts(epochMs).map((part) => [part.type, part.value]));
      return { yyyy: (found["year"] ?? "").padStart(4, "0"), MM: found["month"] ?? "", dd: found["day"] ?? "", HH: found["hour"] ?? "", mm: found["minute"] ?? "", ss: found["second"] ?? "" };
    };
  } catch {
    return undefined; // RangeError: not a zone
  }
}
