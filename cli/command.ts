import type { ReadStream, WriteStream } from "node:tty";
import type { Clock } from "../kit/clock.ts";
import type { Arguments } from "./arguments.ts";
import type { Palette } from "./print/palette.ts";

/** Where the command's own files are; told by the entry, since a bundle cannot find out by itself. */
export type Installation = {
  /** The folder of package.json. */
  readonly root: string;
  /** The bin entry, to start podkit again from here. */
  readonly entry: string;
  readonly version: string;
};

/** Everything a verb may touch of the process. */
export type CommandContext = {
  readonly arguments: Arguments;
  readonly installation: Installation;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
  /** Colours of standard output and of standard error; without a terminal, or with NO_COLOR, they do nothing. */
  readonly palette: Palette;
  readonly stderrPalette: Palette;
  readonly clock: Clock;
  /** Ends the process now; only for what cannot be unwound, such as a third Ctrl-C. */
  readonly exit: (code: number) => never;
  /** Writes a line to standard output. */
  readonly print: (line: string) => void;
  /** Writes a line to standard error: progress and remarks that are not the answer. */
  readonly remark: (line: string) => void;
};

/** Runs one verb; resolves with the exit code. Throws CliFailure for every expected way to fail. */
export type Command = (context: CommandContext) => Promise<number>;
