// pure
/** What the demo application can be told by its environment. */
export type Settings = {
  readonly redis: { readonly host: string; readonly port: number };
  readonly fluent: { readonly host: string; readonly port: number };
  readonly logFile: string;
  readonly logBytesMax: number;
  readonly reportsDirectory: string;
  readonly ordersPerSecond: number;
  readonly reportSeconds: number;
};

export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const number = (name: string, fallback: number, max: number): number => {
    const value = Number(env[name] ?? fallback);
    if (!Number.isFinite(value) || value <= 0 || value > max) throw new Error(`${name}: expected a number above 0 and at most ${max}, got "${env[name] ?? ""}"`);
    return value;
  };
  return {
    redis: { host: env["REDIS_HOST"] ?? "127.0.0.1", port: number("REDIS_PORT", 6379, 65_535) },
    fluent: { host: env["FLUENT_HOST"] ?? "127.0.0.1", port: number("FLUENT_PORT", 24224, 65_535) },
    logFile: env["LOG_FILE"] ?? "/var/log/app/app.log",
    logBytesMax: number("LOG_BYTES_MAX", 65_536, 1e9),
    reportsDirectory: env["REPORTS_DIRECTORY"] ?? "/reports",
    ordersPerSecond: number("ORDERS_PER_SECOND", 20, 1000),
    reportSeconds: number("REPORT_SECONDS", 5, 3600),
  };
}
