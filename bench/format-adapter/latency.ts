// From the rename of a report of 100 KB until its old form stands there, durable; and the cold start to readiness.
//
//   npm run bench format-adapter/latency      five rounds of 100 reports, 60 ms apart, and five starts; ROUNDS=n for more
//
// The old form is renamed to its name before its folder is synced; the figure counts until the ledger's line, which comes after both.
import { closeSync, fdatasyncSync, fsyncSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, watch, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { median, observeCircumstances, spread, writeReport } from "../report.ts";
import { bundleAdapter, makePlace, makeReport, start, type Place, type Program } from "./adapter.ts";

const rounds = Number(process.env["ROUNDS"] ?? "5");
const reportsPerRound = 100;
const apartMs = 60;

const quantile = (values: readonly number[], share: number): number => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

/** What the disk alone takes for a file of that size to be durable under its name: written and synced, renamed, its folder synced. */
async function diskAlone(place: Place, count: number): Promise<readonly number[]> {
  const content = Buffer.from(makeReport(100_000, 1)), durationsMs: number[] = [];
  for (let index = 0; index < count; index++) {
    await sleep(apartMs);
    const beganMs = performance.now(), temporary = join(place.legacy, ".disk-alone"), file = openSync(temporary, "w");
    writeSync(file, content);
    fdatasyncSync(file);
    closeSync(file);
    renameSync(temporary, join(place.legacy, `disk-alone-${index}`));
    const folder = openSync(place.legacy, "r");
    fsyncSync(folder);
    closeSync(folder);
    durationsMs.push(performance.now() - beganMs);
  }
  return durationsMs;
}

async function round(program: Program): Promise<{ readonly readyMs: number; readonly latenciesMs: readonly number[]; readonly diskMs: readonly number[]; readonly peakMiB: number }> {
  const place = makePlace();
  const adapter = await start(program, place);
  const ledger = join(place.directory, "state/ledger.log");
  const latenciesMs: number[] = [];
  for (let index = -10; index < reportsPerRound; index++) {
    const name = `r${index + 10}.csv`;
    writeFileSync(join(place.stage, name), makeReport(100_000, index + 100));
    await sleep(apartMs);
    const done = Promise.withResolvers<number>();
    const look = (): void => {
      if (readFileSync(ledger, "utf8").includes(`/${name}"`)) done.resolve(performance.now());
    };
    const watcher = watch(ledger, look);
    const renamedMs = performance.now();
    renameSync(join(place.stage, name), join(place.reports, name));
    const giveUp = setTimeout(() => done.reject(new Error(`${name} was not adapted within 10 s`)), 10_000);
    const latencyMs = (await done.promise) - renamedMs;
    clearTimeout(giveUp);
    watcher.close();
    if (index >= 0) latenciesMs.push(latencyMs); // the first ones warm up
  }
  const peakMiB = adapter.peakMiB();
  const diskMs = await diskAlone(place, reportsPerRound / 4);
  await adapter.end();
  return { readyMs: adapter.readyMs, latenciesMs, diskMs, peakMiB };
}

const circumstances = observeCircumstances("no engine");
const directory = mkdtempSync(join(tmpdir(), "podkit-bench-latency-"));
const program = await bundleAdapter(directory);
const results = [];
for (let index = 0; index < rounds; index++) {
  const result = await round(program);
  console.error(`round ${index + 1}: ready after ${result.readyMs.toFixed(0)} ms, p50 ${quantile(result.latenciesMs, 0.5).toFixed(1)} ms, p99 ${quantile(result.latenciesMs, 0.99).toFixed(1)} ms`);
  results.push(result);
}
rmSync(directory, { recursive: true });
const verdict = (measured: number, most: number, unit: string): string => `${most} ${unit}: ${measured <= most ? "met" : "NOT MET"}`;
const all = results.flatMap(({ latenciesMs }) => latenciesMs);
const disk = results.flatMap(({ diskMs }) => diskMs);
await writeReport("format-adapter-latency", {
  title: "The format adapter: from rename to durable old form",
  circumstances: circumstances(Date.now()),
  columns: ["figure", "measured", "goal"],
  rows: [
    ["100 KB report, p50", `${quantile(all, 0.5).toFixed(1)} ms (rounds: ${spread(results.map(({ latenciesMs }) => quantile(latenciesMs, 0.5)), 1)})`, verdict(quantile(all, 0.5), 8, "ms")],
    ["100 KB report, p99", `${quantile(all, 0.99).toFixed(1)} ms (rounds: ${spread(results.map(({ latenciesMs }) => quantile(latenciesMs, 0.99)), 1)})`, verdict(quantile(all, 0.99), 40, "ms")],
    ["the disk alone: write, sync, rename, sync of the folder", `p50 ${quantile(disk, 0.5).toFixed(1)} ms, p99 ${quantile(disk, 0.99).toFixed(1)} ms`, ""],
    ["cold start to ready", `${spread(results.map(({ readyMs }) => readyMs), 0)} ms`, verdict(median(results.map(({ readyMs }) => readyMs)), 150, "ms")],
    ["peak resident memory", `${spread(results.map(({ peakMiB }) => peakMiB), 0)} MiB`, verdict(median(results.map(({ peakMiB }) => peakMiB)), 96, "MiB")],
  ],
  remarks: [
    `${rounds} rounds of ${reportsPerRound} reports, ${apartMs} ms apart, through the bundled program as its image starts it (flags, settings, compile cache) and its defaults (rename, complete; fsync of file and folder; ledger). The reader's own event is in each figure.`,
    `Median of all ${median(all).toFixed(1)} ms. Readiness is asked every 2 ms.`,
  ],
  values: results,
});
