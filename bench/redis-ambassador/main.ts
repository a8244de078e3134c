// Commands through the Redis ambassador, twemproxy and a naive proxy, and without any: processor time of the proxy per
// operation, operations per second, and how long a batch takes.
//
//   npm run bench redis-ambassador        all cases, five rounds, the candidates in turn; about seven minutes
//   node bench/redis-ambassador/main.ts --only=get-16,set-16 --rounds=3 --candidates=twemproxy,pod --window-ms=600
//
//   … --candidates=before,pod --before=/path/to/another/checkout     compares two versions of the ambassador
//   … --candidates=pod --profile=/tmp/profiles                       writes processor profiles of the Node candidates
//
// With --only, --candidates or less than five rounds nothing is written to bench/results.
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median, observeCircumstances, writeReport } from "../report.ts";
import { cases, type Case } from "./cases.ts";
import { judge, type Medians } from "./goals.ts";
import { formatOrder, parseResult, type Order, type Result } from "./order.ts";
import { Scene, type Candidate } from "./scene.ts";

const connections = 50, warmUpMs = 250;
const roundsWanted = 5;

/** The generator's process; one order at a time. */
class Generator {
  readonly #child = spawn(process.execPath, [join(import.meta.dirname, "load.ts")], { stdio: ["pipe", "pipe", "inherit"] });
  readonly #lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();

  async run(order: Order): Promise<Result> {
    this.#child.stdin.write(`${formatOrder(order)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("The load generator has ended");
    const result = parseResult(value);
    if (typeof result === "string") throw new Error(`Cannot measure ${order.spec.id} at port ${order.port}: ${result}`);
    return result;
  }

  end(): void {
    this.#child.stdin.end();
  }
}

type Readings = Map<string, Map<string, Result[]>>;

function medianResult(results: readonly Result[]): Medians[string][string] {
  return { cpuMicrosPerOp: median(results.map((each) => each.cpuMicrosPerOp ?? Number.NaN)), opsPerSecond: median(results.map((each) => each.opsPerSecond)), p99Ms: median(results.map((each) => each.p99Ms)) };
}

function mediansOf(readings: Readings): Medians {
  return Object.fromEntries([...readings].map(([id, byName]) => [id, Object.fromEntries([...byName].map(([name, results]) => [name, medianResult(results)]))]));
}

async function measure(generator: Generator, candidates: readonly Candidate[], chosen: readonly Case[], rounds: number, windowMs: number): Promise<Readings> {
  const readings: Readings = new Map();
  for (const spec of chosen) {
    const byName = new Map<string, Result[]>();
    readings.set(spec.id, byName);
    // What the naive proxy does with long values tells nothing.
    const able = candidates.filter(({ name }) => name !== "naive" || spec.valueBytes < 1024);
    for (let round = 0; round < rounds; round += 1) {
      for (let index = 0; index < able.length; index += 1) {
        const candidate = able[(index + round) % able.length];
        if (candidate === undefined) continue;
        const result = await generator.run({ spec, port: candidate.port, pid: candidate.pid, connections, warmUpMs, windowMs });
        byName.set(candidate.name, [...(byName.get(candidate.name) ?? []), result]);
      }
    }
    console.log(`${spec.id}: ${able.map(({ name }) => {
      const { cpuMicrosPerOp, opsPerSecond, p99Ms } = medianResult(byName.get(name) ?? []);
      return `${name} ${Number.isNaN(cpuMicrosPerOp) ? "" : `${cpuMicrosPerOp.toFixed(2)} us, `}${(opsPerSecond / 1000).toFixed(1)} k/s, p99 ${p99Ms.toFixed(1)} ms`;
    }).join("; ")}`);
  }
  return readings;
}

async function report(circumstances: ReturnType<ReturnType<typeof observeCircumstances>>, readings: Readings, chosen: readonly Case[], names: readonly string[], rounds: number): Promise<void> {
  const medians = mediansOf(readings);
  const cell = (id: string, name: string): string => {
    const found = medians[id]?.[name], results = readings.get(id)?.get(name);
    if (found === undefined || results === undefined) return "";
    const cpu = Number.isNaN(found.cpuMicrosPerOp) ? "-" : found.cpuMicrosPerOp.toFixed(2);
    return `${cpu}; ${(found.opsPerSecond / 1000).toFixed(1)}; ${median(results.map((each) => each.p50Ms)).toFixed(2)}; ${found.p99Ms.toFixed(2)}`;
  };
  const verdicts = judge(medians);
  await writeReport("redis-ambassador", {
    title: "Commands through the Redis ambassador",
    circumstances,
    columns: ["case", ...names],
    rows: chosen.map(({ id, title }) => [title, ...names.map((name) => cell(id, name))]),
    remarks: [
      `Processor time of the proxy per operation in microseconds; thousand operations per second; p50 and p99 of a batch in ms. Medians of ${rounds} rounds, the candidates in turn; ${connections} connections, every value of the size named.`,
      "One primary and two replicas. Direct asks the primary, twemproxy 0.5.0 sends everything to it; the naive proxy and the ambassador (consistency pod and eventual) read from the replicas. All of it, the load generator included, shares the processors.",
      "",
      "| goal (consistency pod) | limit | measured | met |",
      "| --- | --- | --- | --- |",
      ...verdicts.map(({ goal, limit, measured, met }) => `| ${goal} | ${limit} | ${measured} | ${met ? "yes" : "no"} |`),
    ],
    values: { goals: verdicts, rounds: Object.fromEntries([...readings].map(([id, byName]) => [id, Object.fromEntries(byName)])) },
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: "string" }, rounds: { type: "string" }, candidates: { type: "string" }, "window-ms": { type: "string" }, profile: { type: "string" }, before: { type: "string" } } });
  const ids = values.only?.split(","), unknown = ids?.filter((id) => !cases.some((each) => each.id === id)) ?? [];
  if (unknown.length > 0) throw new Error(`There is no case ${unknown.join(", ")}; the cases are ${cases.map(({ id }) => id).join(", ")}`);
  const chosen = cases.filter(({ id }) => ids === undefined || ids.includes(id));
  const names = values.candidates?.split(",") ?? ["direct", "twemproxy", "naive", "pod", "eventual"];
  const rounds = Number(values.rounds ?? roundsWanted), windowMs = Number(values["window-ms"] ?? 900);
  const circumstances = observeCircumstances(`Docker Engine ${spawnSync("docker", ["version", "--format", "{{.Server.Version}}"], { encoding: "utf8" }).stdout.trim()}`);
  const scene = new Scene(), generator = new Generator();
  try {
    await scene.start([...new Set(chosen.map(({ valueBytes }) => valueBytes))]);
    const flags = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
    const candidates: Candidate[] = [];
    for (const name of names) {
      if (name === "direct") candidates.push(scene.direct());
      else if (name === "twemproxy") candidates.push(await scene.twemproxy());
      else if (name === "naive") candidates.push(await scene.naive());
      else if (name === "before" && values.before !== undefined) candidates.push(await scene.ambassador(name, flags, {}, values.before));
      else if (name === "pod" || name === "eventual") candidates.push(await scene.ambassador(name, flags));
      else throw new Error(`There is no candidate ${name}; they are direct, twemproxy, naive, pod, eventual, and before (with --before)`);
    }
    const readings = await measure(generator, candidates, chosen, rounds, windowMs);
    for (const { goal, limit, measured, met } of judge(mediansOf(readings))) console.log(`${met ? "met    " : "NOT MET"} ${goal}: ${measured} (${limit})`);
    if (values.profile !== undefined) for (const candidate of candidates) await scene.end(candidate);
    if (ids === undefined && values.candidates === undefined && rounds >= roundsWanted) await report(circumstances(Date.now()), readings, chosen, names, rounds);
  } finally {
    generator.end();
    await scene.stop();
  }
}

await main();
