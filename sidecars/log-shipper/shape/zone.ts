// pure
/** Time zones: how many seconds local clocks were ahead of UTC. Deterministic for one version of the time zone database. */
export interface Zone {
  /**
   * The instant, in seconds since 1970 UTC, at which clocks there showed `local` (seconds since 1970 as if it were UTC). Of the two
   * instants when clocks were set back, the earlier; a time that clocks skipped counts by the offset before.
   */
  toUtc(local: number): number;
}

const offsetForm = /^([+-])(\d{2}):?(\d{2})$/;

export function isZone(name: string): boolean {
  if (name === "UTC" || name === "Z" || offsetForm.test(name)) return true;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false; // what Intl throws for a name that it does not know
  }
}

export function zoneNamed(name: string): Zone {
  if (name === "UTC" || name === "Z") return { toUtc: (local) => local };
  const [, sign, hours, minutes] = offsetForm.exec(name) ?? [];
  if (sign === undefined) return new NamedZone(name);
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === "-" ? -60 : 60);
  return { toUtc: (local) => local - offset };
}

/** Offsets change at quarters of an hour only, so one answer holds for all times of the same quarter. */
const quarter = 900;
const daySeconds = 86_400;

class NamedZone implements Zone {
  readonly #format: Intl.DateTimeFormat;
  #quarter = Number.NaN;
  #offset = 0;

  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat("en", { timeZone: name, calendar: "gregory", numberingSystem: "latn", hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
  }

  toUtc(local: number): number {
    const at = Math.floor(local / quarter);
    if (at !== this.#quarter) {
      this.#quarter = at;
      this.#offset = this.#offsetOfLocal(at * quarter);
    }
    return local - this.#offset;
  }

  #offsetOfLocal(local: number): number {
    const before = this.#offsetAt(local - daySeconds);
    const after = this.#offsetAt(local + daySeconds);
    if (before === after || this.#offsetAt(local - before) === before) return before;
    return this.#offsetAt(local - after) === after ? after : before;
  }

  #offsetAt(instant: number): number {
    const parts = new Map(this.#format.formatToParts(instant * 1000).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second")) / 1000 - instant;
  }
}
