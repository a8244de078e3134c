import { destination, pino, stdTimeFunctions } from "pino";

export type LogMethod = { (fields: object, message?: string): void; (message: string): void };

/** Structured diagnostics. Never give a secret to it: fields are written as they are. */
export interface Log {
  level: string;
  readonly trace: LogMethod;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;
  child(bindings: Record<string, unknown>): Log;
}

/**
 * A pino logger that writes one JSON object a line to standard error, synchronously, so that nothing is lost at exit: time (RFC 3339),
 * level (a word), role, pod, msg. Errors given as `err` are written with stack and cause.
 */
export function createLog(options: { readonly role: string; readonly pod?: string; readonly level: string; readonly stream?: { write(text: string): void } }): Log {
  return pino(
    {
      level: options.level,
      base: { role: options.role, ...(options.pod === undefined ? {} : { pod: options.pod }) },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.stream ?? destination({ dest: 2, sync: true }),
  );
}
