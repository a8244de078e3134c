// How fast the command starts: wall and CPU time from spawn to exit, medians, side by side in one run.
//
//   node bench/cli-start.ts [ROUNDS] [--record]     (default 9; --record writes bench/cli-start.md)
//
// Measured for the bundle (dist/cli/main.cjs, built first), as an installed package runs it, and for the sources, as a checkout with
// changes runs them. "bare node" is `node -e 0`, the part that nothing of ours can shorten. `get pods` answers that no control plane
// runs, unless PODKIT_CLUSTER and PODKIT_HOME lead to one that does: then it lists what is there, and the record says so.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { buildCli } from "../cli/build-cli.ts";

const root = join(import.meta.dirname, "..");
const entry = join(root, "cli/podkit.js");
const rounds = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 9);
const goalMs = 500;
const home = process.env["PODKIT_HOME"] ?? mkdtempSync(join(tmpdir(), "podkit-bench-"));

type Subject = { readonly name: string; readonly words: readonly string[]; readonly sources: boolean };
const verbs = [["--help"], ["version"], ["get", "pods"], ["up", "--help"]];
const subjects: readonly Subject[] = [
  { name: "bare node", words: ["-e", "0"], sources: false },
  ...verbs.map((words) => ({ name: `podkit ${words.join(" ")}`, words: [entry, ...words], sources: false })),
  ...verbs.slice(0, 3).map((words) => ({ name: `podkit ${words.join(" ")} (sources)`, words: [entry, ...words], sources: true })),
];

/** Whether `get pods` had a control plane to ask. */
let listed = false;
type Reading = { readonly wallMs: number; readonly cpuMs: number };
function measure({ words, sources }: Subject): Reading {
  const inputs = join(root, "dist/cli/main.cjs.inputs.json");
  if (sources) renameSync(inputs, `${inputs}.away`); // without the list the entry takes the sources
  try {
    const cpuBefore = childCpuMs();
    const startedMs = performance.now();
    const { status, stderr } = spawnSync(process.execPath, words, { env: { ...process.env, PODKIT_HOME: home }, encoding: "utf8" });
    const wallMs = performance.now() - startedMs;
    if (words.includes("get")) listed = status === 0;
    if (status !== 0 && status !== 69) throw new Error(`${words.join(" ")} ended with ${status ?? "a signal"}: ${stderr}`);
    return { wallMs, cpuMs: childCpuMs() - cpuBefore };
  } finally {
    if (sources) renameSync(`${inputs}.away`, inputs);
  }
}

/** CPU time of all children that have been waited for (fields 16 and 17 of /proc/self/stat), in ticks of 10 ms. */
function childCpuMs(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

const median = (values: readonly number[]): number => values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;

await buildCli(root);
for (const subject of subjects) measure(subject); // fills the compile cache and the page cache
const readings = new Map<string, Reading[]>(subjects.map((subject) => [subject.name, []]));
for (let round = 0; round < rounds; round++) for (const subject of subjects) readings.get(subject.name)?.push(measure(subject));
if (process.env["PODKIT_HOME"] === undefined) rmSync(home, { recursive: true });

const lines = [
  `| command | wall ms (median of ${rounds}) | slowest | CPU ms |`, "|---|---|---|---|",
  ...[...readings].map(([name, list]) => `| ${name} | ${Math.round(median(list.map((reading) => reading.wallMs)))} | ${Math.round(Math.max(...list.map((reading) => reading.wallMs)))} | ${Math.round(median(list.map((reading) => reading.cpuMs)))} |`),
];
const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Node ${process.versions.node}, ${process.platform}/${process.arch}`;
console.log([machine, "", ...lines].join("\n"));
const slow = [...readings].filter(([name, list]) => name.startsWith("podkit") && !name.endsWith("(sources)") && median(list.map((reading) => reading.wallMs)) > goalMs);
for (const [name] of slow) console.log(`${name} is slower than the goal of ${goalMs} ms`);
if (process.argv.includes("--record")) {
  writeFileSync(join(import.meta.dirname, "cli-start.md"), [`# Start of the command`, "", `Goal: well under ${goalMs} ms from the bundle. Measured by bench/cli-start.ts on ${new Date().toISOString().slice(0, 10)}: ${machine}; other work ran on the machine. \`get pods\` ${listed ? "lists from a running control plane" : "finds no control plane"}.`, "", ...lines, ""].join("\n"));
}
process.exitCode = slow.length === 0 ? 0 : 1;
