import process from "node:process";
import { systemClock } from "../kit/clock.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandContext, Installation } from "./command.ts";
import { cliExit } from "./exit-codes.ts";
import { CliFailure, messageOf } from "./failure.ts";
import { overview, verbHelp } from "./help.ts";
import { choosePalette, type Palette } from "./print/palette.ts";
import { verbs } from "./verbs.ts";

/**
 * Runs the command line and leaves the exit code in process.exitCode, so that output still in the pipes is written. Called by
 * podkit.js, which knows where the files are. Only the verb that runs is loaded.
 */
export async function main(installation: Installation): Promise<void> {
  const palette = choosePalette({ isTty: process.stderr.isTTY, env: process.env });
  endWhenNothingCanBeWritten(palette);
  try {
    process.exitCode = await dispatch(installation, process.argv.slice(2), palette);
  } catch (error) {
    process.exitCode = report(error, palette);
  }
}

async function dispatch(installation: Installation, argv: readonly string[], stderrPalette: Palette): Promise<number> {
  const [name, ...words] = argv;
  const width = Math.min(process.stdout.columns ?? 100, 120);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const remark = (line: string): void => void process.stderr.write(`${line}\n`);
  if (name === undefined || name === "--help" || name === "-h") {
    const text = overview(verbs, installation.version, width);
    if (name === undefined) remark(text);
    else print(text);
    return name === undefined ? cliExit.usage : cliExit.ok;
  }
  const wanted = name === "--version" || name === "-v" ? "version" : name;
  const verb = verbs.find((candidate) => candidate.name === wanted);
  if (verb === undefined) throw (await import("./commands/help.ts")).unknownVerb(name);
  const parsed = parseArguments(verb, words);
  if (parsed.kind === "help") {
    print(verbHelp(verb, width));
    return cliExit.ok;
  }
  if (parsed.kind === "wrong") throw new CliFailure(cliExit.usage, parsed.message, { remedy: parsed.remedy, details: [`Usage: ${verb.usage}`, `podkit ${verb.name} --help explains it`] });
  const command = await verb.load();
  const context: CommandContext = {
    arguments: parsed.arguments, installation, env: process.env,
    stdin: process.stdin, stdout: process.stdout, stderr: process.stderr,
    palette: choosePalette({ isTty: process.stdout.isTTY, env: process.env }), stderrPalette,
    clock: systemClock, print, remark, exit: (code) => process.exit(code),
  };
  return await command(context);
}

/** Prints one message for whatever ended the command, and gives its exit code. */
function report(error: unknown, palette: Palette): number {
  const write = (line: string): void => void process.stderr.write(`${line}\n`);
  if (error instanceof CliFailure) {
    write(`${palette.red("error:")} ${error.message}`);
    for (const line of error.details) write(`  ${line}`);
    if (error.remedy !== undefined) write(`${palette.bold("remedy:")} ${error.remedy}`);
    return error.exitCode;
  }
  const machine = machineTrouble(error);
  if (machine !== undefined) {
    write(`${palette.red("error:")} ${messageOf(error)}`);
    write(`${palette.bold("remedy:")} ${machine}`);
    return cliExit.unavailable;
  }
  write(`${palette.red("error:")} podkit has a defect: ${messageOf(error)}`);
  if (error instanceof Error && error.stack !== undefined) write(error.stack);
  return cliExit.bug;
}

/** What to do about a disk that is full or files that are not ours; undefined when it is neither. */
function machineTrouble(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "DiskFull") return "the disk is full: free some space, then run the same command again";
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") return "use the user who owns it, or set PODKIT_HOME to a folder of yours";
  if (code === "EMFILE" || code === "ENFILE") return "too many files are open: see `ulimit -n`";
  return undefined;
}

/**
 * `podkit get pods | head -1` closes the pipe early: then there is nobody to tell, and nothing to complain about. Any other refusal,
 * such as a full disk behind `> file`, has lost output, so it ends the command at once with 69.
 */
function endWhenNothingCanBeWritten(palette: Palette): void {
  for (const [stream, name] of [[process.stdout, "standard output"], [process.stderr, "standard error"]] as const) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(process.exitCode ?? cliExit.ok);
      process.exit(report(new CliFailure(cliExit.unavailable, `Cannot write to ${name}: ${messageOf(error)}`, { remedy: machineTrouble(error), cause: error }), palette));
    });
  }
}
