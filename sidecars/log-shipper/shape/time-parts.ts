// pure
/** What a text says of a time. One object is filled again and again. */
export class TimeParts {
  year = -1;
  month = 1;
  day = 1;
  dayOfYear = 0;
  hour = 0;
  minute = 0;
  second = 0;
  nanoseconds = 0;
  afternoon = false;
  hasOffset = false;
  /** Seconds ahead of UTC. */
  offset = 0;
  /** Seconds since 1970, when the text says that itself. */
  epoch = -1;

  clear(): void {
    this.year = -1;
    this.month = 1;
    this.day = 1;
    this.dayOfYear = 0;
    this.hour = 0;
    this.minute = 0;
    this.second = 0;
    this.nanoseconds = 0;
    this.afternoon = false;
    this.hasOffset = false;
    this.offset = 0;
    this.epoch = -1;
  }
}

const monthStarts = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
const monthLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days of the year before the month's first (month 1 to 12). */
export function daysBefore(year: number, month: number): number {
  return (monthStarts[month - 1] ?? 0) + (month > 2 && isLeap(year) ? 1 : 0);
}

export function isDay(year: number, month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= (monthLengths[month - 1] ?? 0) + (month === 2 && isLeap(year) ? 1 : 0);
}

/** Days since 1970-01-01 of the proleptic Gregorian calendar. */
export function daysSince1970(year: number, month: number, day: number): number {
  const before = year - 1;
  return before * 365 + Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400) - 719_162 + daysBefore(year, month) + day - 1;
}
