import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { entry, running } from "./adapter-process.ts";

export type Ended = { readonly code: number | null; readonly stdout: string; /** The words on stderr, without what the log says there. */ readonly told: string };

/** Runs a command of the image to its end. */
export async function runCommand(...argv: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [entry, ...argv], { env: {}, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, stdout, told: stderr.split("\n").filter((line) => !line.startsWith('{"level"')).join("\n") };
}
