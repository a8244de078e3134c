// pure
/** A moment, exact to the digits that were written. */
export type Moment = { readonly epochMs: number; readonly fraction: string };

const form = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** RFC 3339 with a zone. Undefined for anything else, also for days that do not exist. A leap second (:60) is refused: no clock here can hold it. */
export function parseTimestamp(text: string): Moment | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", zone = "Z"] = match;
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const date = new Date(at);
  const exists = date.getUTCFullYear() === Number(year) && date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day) && Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  if (!exists) return undefined;
  if (zone === "Z") return { epochMs: at, fraction };
  const [hours = 0, minutes = 0] = zone.slice(1).split(":").map(Number);
  if (hours > 23 || minutes > 59) return undefined;
  return { epochMs: at - (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes) * 60_000, fraction };
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
  return {
    kind: "ok",
    format(moment) {
      const fields = parts(moment.epochMs);
      return pattern.replace(letters, (token) => {
        if (token.startsWith("'")) return token === "''" ? "'" : token.slice(1, -1).replaceAll("''", "'");
        if (token.startsWith("S")) return moment.fraction.padEnd(token.length, "0").slice(0, token.length);
        return fields[token] ?? "";
      });
    },
  };
}

type DateFields = Readonly<Record<string, string>>;
const two = (value: number): string => String(value).padStart(2, "0");

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
