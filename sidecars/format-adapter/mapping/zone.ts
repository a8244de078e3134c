// pure
const minuteMs = 60_000;
/** No zone of our time changes its offset but on a quarter of an hour; older changes are found by looking at both ends. */
const stepMs = 15 * minuteMs;
const dayMs = 86_400_000;
const rememberedMax = 20_000;

/** A time zone: how far its clocks are ahead of UTC at a moment. */
export type Zone = { readonly offsetMs: (epochMs: number) => number; readonly isUtc: boolean };

/** UTC or an IANA zone; undefined when there is none of that name. The rules are those of the runtime's own time zone data. */
export function findZone(name: string): Zone | undefined {
  if (name === "UTC") return { offsetMs: () => 0, isUtc: true };
  if (/^[-+]/.test(name)) return undefined;
  try {
    const format = new Intl.DateTimeFormat("en-GB", { timeZone: name, hourCycle: "h23", era: "short", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    return { offsetMs: remembering((epochMs) => measure(format, epochMs)), isUtc: false };
  } catch {
    return undefined; // RangeError: not a zone
  }
}

function measure(format: Intl.DateTimeFormat, epochMs: number): number {
  const found = Object.fromEntries(format.formatToParts(epochMs).map((part) => [part.type, part.value]));
  const part = (type: string): number => Number(found[type]);
  const local = new Date(0);
  local.setUTCFullYear(found["era"] === "BC" ? 1 - part("year") : part("year"), part("month") - 1, part("day"));
  local.setUTCHours(part("hour"), part("minute"), part("second"));
  return local.getTime() - Math.floor(epochMs / 1000) * 1000;
}

/** Asking the runtime takes microseconds; most moments of a report are near each other. */
function remembering(offsetMs: (epochMs: number) => number): (epochMs: number) => number {
  let known = new Map<number, number | undefined>();
  return (epochMs) => {
    const step = Math.floor(epochMs / stepMs);
    if (!known.has(step)) {
      if (known.size >= rememberedMax) known = new Map();
      const first = offsetMs(step * stepMs);
      known.set(step, first === offsetMs((step + 1) * stepMs - 1) ? first : undefined);
    }
    return known.get(step) ?? offsetMs(epochMs);
  };
}

/** Which moment is meant when clocks are set back and show a time twice. */
export type Overlap = "earlier" | "later" | "error";
/** What is made of a time that clocks passed over: an error, or the time as far behind the change as it was meant to be behind it. */
export type Gap = "error" | "shift";

/** The moment at which clocks of the zone show this time, given as if it were UTC. Undefined when there is none, or two. */
export function momentOf(zone: Zone, localMs: number, rules: { readonly overlap: Overlap; readonly gap: Gap }): number | undefined {
  if (zone.isUtc) return localMs;
  const [before, after] = [zone.offsetMs(localMs - dayMs), zone.offsetMs(localMs + dayMs)];
  const moments = [...new Set([before, after])].map((offset) => localMs - offset).filter((moment) => moment + zone.offsetMs(moment) === localMs).toSorted((left, right) => left - right);
  const [first, second] = moments;
  if (first === undefined) return rules.gap === "shift" ? localMs - before : undefined;
  if (second === undefined) return first;
  return rules.overlap === "error" ? undefined : rules.overlap === "earlier" ? first : second;
}
