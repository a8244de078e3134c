// Runs one conversion as a process of its own and measures it.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { peakResidentMiB } from "../log-shipper/host.ts";
import type { Program } from "./adapter.ts";
import type { Case } from "./cases.ts";

export type Reading = { readonly cpuSeconds: number; readonly wallSeconds: number; readonly peakMiB: number };

const timedMax = 300_000;
const lookMs = 20;

/** Processor time of the process and those it waited for (as the shell's `time` has it), time by the clock, most memory seen. */
export async function timed(command: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Reading> {
  const child = spawn("bash", ["-c", "TIMEFORMAT='%3U %3S %3R'; time \"$@\"", "bash", ...command], { stdio: ["ignore", "ignore", "pipe"], timeout: timedMax, env: { ...process.env, ...environment } });
  let errors = "";
  child.stderr.on("data", (part: Buffer) => (errors += part.toString()));
  let peakMiB = 0;
  const look = setInterval(() => (peakMiB = Math.max(peakMiB, peakOf(child.pid ?? 0) || 0)), lookMs);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  clearInterval(look);
  const [user, system, wall] = errors.trimEnd().split("\n").at(-1)?.split(" ").map(Number) ?? [];
  if (code !== 0 || user === undefined || system === undefined || wall === undefined || Number.isNaN(wall)) throw new Error(`${command.join(" ")} ended with ${code}: ${errors.slice(-2_000)}`);
  return { cpuSeconds: user + system, wallSeconds: wall, peakMiB };
}

function peakOf(shell: number): number {
  try {
    const [child] = readFileSync(`/proc/${shell}/task/${shell}/children`, "utf8").split(" ");
    // NaN for one that has ended and was not waited for yet.
    return child === undefined || child === "" ? 0 : peakResidentMiB(Number(child));
  } catch {
    return 0; // it has just ended
  }
}

export async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const block of createReadStream(path)) hash.update(block as Buffer);
  return hash.digest("hex");
}

/** How a conversion is started, and where what comes of it will be. */
export type Run = { readonly command: readonly string[]; readonly environment: Readonly<Record<string, string>>; readonly output: string };

/** The whole role as it ships: it finds the report, checks, converts, hashes, syncs, renames and remembers it. */
export function adapterCommand(o: { readonly program: Program; readonly directory: string; readonly mapping: Case["mapping"]; readonly input: string }): Run {
  const [reports, legacy, state, config] = ["reports", "legacy", "state", "adapter.yaml"].map((name) => join(o.directory, name));
  if (reports === undefined || legacy === undefined || state === undefined || config === undefined) throw new Error("No folders");
  for (const folder of [reports, legacy, state]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  linkSync(o.input, join(reports, basename(o.input)));
  const output = join(legacy, `${basename(o.input).replace(/\.[^.]+$/, "")}.out`);
  writeFileSync(config, `stateDirectory: ${state}\nlog: {level: warn}\nwatch: {dir: ${reports}}\nmappings:\n  bench:\n    in: ${o.mapping.in}\n    out: {format: ${o.mapping.out}, file: "${legacy}/{name}.out"}\n    fields: ${o.mapping.fields}\n`);
  return { command: [...o.program.command, "run", "--once", "--config", config], environment: o.program.environment, output };
}
