// What the benches need of the machine: processor time and memory of processes, containers, waiting.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";

export function docker(words: readonly string[]): string {
  const answer = spawnSync("docker", words, { encoding: "utf8", timeout: 60_000 });
  if (answer.status !== 0) throw new Error(`Cannot run docker ${words.join(" ")}: ${`${answer.stdout}${answer.stderr}`.trim().slice(-1_000)}`);
  return answer.stdout.trim();
}

export const engineVersion = (): string => `Docker Engine ${spawnSync("docker", ["version", "--format", "{{.Server.Version}}"], { encoding: "utf8" }).stdout.trim()}`;

export const pause = async (delayMs: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, delayMs));

/** Microseconds that all threads of a process and of its children have run. Threads that have ended are not in it. */
export function cpuMicros(pid: number): number {
  let nanos = 0, children = "";
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
    const list = `/proc/${pid}/task/${task}/children`;
    if (existsSync(list)) children += readFileSync(list, "utf8");
  }
  return nanos / 1_000 + children.split(" ").filter(Boolean).reduce((sum, child) => sum + cpuMicros(Number(child)), 0);
}

function statusMiB(pid: number, field: string): number {
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

export const residentMiB = (pid: number): number => statusMiB(pid, "VmRSS");
export const peakResidentMiB = (pid: number): number => statusMiB(pid, "VmHWM");
