// pure

/** OpenTelemetry's severity numbers by the names that loggers use, in small letters. */
const numbers: ReadonlyMap<string, number> = new Map([
  ["trace", 1], ["verbose", 1], ["finest", 1], ["silly", 1],
  ["debug", 5], ["dbg", 5], ["fine", 5], ["finer", 3], ["d", 5],
  ["info", 9], ["information", 9], ["informational", 9], ["inf", 9], ["i", 9], ["config", 9], ["http", 9],
  ["notice", 10],
  ["warn", 13], ["warning", 13], ["wrn", 13], ["w", 13],
  ["error", 17], ["err", 17], ["e", 17], ["severe", 17],
  ["critical", 18], ["crit", 18], ["dpanic", 18],
  ["alert", 19],
  ["fatal", 21], ["panic", 21], ["f", 21],
  ["emergency", 22], ["emerg", 22],
]);

/** pino's and bunyan's levels. */
const numericLevels: ReadonlyMap<number, number> = new Map([[10, 1], [20, 5], [30, 9], [40, 13], [50, 17], [60, 21]]);

/** 1 (TRACE) to 24, or 0 for a level that nobody knows. */
export function severityNumber(level: string | number): number {
  return (typeof level === "number" ? numericLevels.get(level) : (numbers.get(level.trim().toLowerCase()) ?? numericLevels.get(Number(level)))) ?? 0;
}
