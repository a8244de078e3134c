import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";

/** What a figure depends on besides the code. */
export type Circumstances = { readonly date: string; readonly commit: string; readonly cpu: string; readonly cores: number; readonly memoryGiB: number; readonly kernel: string; readonly node: string; readonly engine: string; readonly loadBefore: number; readonly loadAfter: number };

const root = join(import.meta.dirname, "..");

export function observeCircumstances(engine: string): (nowMs: number) => Circumstances {
  const loadBefore = loadavg()[0] ?? 0;
  return (nowMs) => ({
    date: new Date(nowMs).toISOString(),
    commit: spawnSync("git", ["-C", root, "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).stdout.trim(),
    cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), kernel: release(), node: process.version, engine,
    loadBefore, loadAfter: loadavg()[0] ?? 0,
  });
}

/** Writes bench/results/<name>.json with every single value and <name>.md with the table. */
export async function writeReport(name: string, o: { readonly title: string; readonly circumstances: Circumstances; readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[]; readonly remarks: readonly string[]; readonly values: unknown }): Promise<void> {
  const folder = join(root, "bench/results");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify({ circumstances: o.circumstances, values: o.values }, undefined, 2)}\n`);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const { date, commit, cpu, cores, memoryGiB, kernel, node, engine, loadBefore, loadAfter } = o.circumstances;
  const text = [
    `# ${o.title}`, "",
    line(o.columns), line(o.columns.map(() => "---")), ...o.rows.map(line), "",
    ...o.remarks, "",
    `${date}, commit ${commit}; ${cores} x ${cpu}, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}, ${engine}; load ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after. Every value is in ${name}.json.`, "",
  ].join("\n");
  await writeFile(join(folder, `${name}.md`), text);
  console.log(text);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** `median (lowest to highest)`. */
export function spread(values: readonly number[], digits: number): string {
  return `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;
}
