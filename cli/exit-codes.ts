// pure
import { exitCode } from "../kit/exit-code.ts";

/** The exit codes of the command. `exec` is the one exception: it ends with the code of the command it ran. */
export const cliExit = {
  ...exitCode,
  /** What was asked for did not come about: a Pod failed, a wait ran out, an object does not exist. */
  failed: 1,
} as const;

export const exitCodeHelp: readonly (readonly [code: number, meaning: string])[] = [
  [cliExit.ok, "what was asked for is done"],
  [cliExit.failed, "it did not come about: a Pod failed, the time ran out, an object does not exist"],
  [cliExit.usage, "the command line is wrong, or a file it names cannot be read"],
  [cliExit.unavailable, "something needed does not answer or is missing: Docker, the control plane, an image, a port, room for the output"],
  [cliExit.bug, "a defect of podkit; the message carries a stack trace"],
  [cliExit.retry, "interrupted, or another podkit is at it: the same command may succeed later"],
  [cliExit.config, "a manifest or a setting is wrong; nothing was started"],
];
