// pure
import { cliExit } from "./exit-codes.ts";

/**
 * An expected end of a command: one message with the place, what to do about it, and the exit code. Everything else that a
 * command throws is reported as a defect of podkit, with its stack.
 */
export class CliFailure extends Error {
  readonly exitCode: number;
  readonly remedy: string | undefined;
  /** Lines printed under the message as they are: a log's tail, a list of problems. */
  readonly details: readonly string[];

  constructor(exitCode: number, message: string, options: { readonly remedy?: string | undefined; readonly details?: readonly string[]; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "CliFailure";
    this.exitCode = exitCode;
    this.remedy = options.remedy;
    this.details = options.details ?? [];
  }
}

export const usageFailure = (message: string, remedy?: string): CliFailure => new CliFailure(cliExit.usage, message, { remedy });

/** The message of anything thrown, with the messages of its causes behind it where they add something. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message === "" ? error.name : error.message;
  if (!(error.cause instanceof Error)) return own;
  const cause = messageOf(error.cause);
  return own.includes(cause) ? own : `${own}: ${cause}`;
}
