// pure
export const logLevelNames = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
