// How long a line needs from its append to the receiver that acknowledges it, when lines come steadily and when one comes after a
// silence, with the kernel's notifications and with polling.
//
//   npm run bench log-shipper/latency                        about a minute and a half
//   node bench/log-shipper/latency.ts --steady=200 --rare=5 --no-record
//   … --program=/path/to/main.cjs                            another bundle of the shipper
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { observeCircumstances, writeReport } from "../report.ts";
import { verdict } from "./goals.ts";
import { engineVersion, pause } from "./host.ts";
import { lineOf } from "./lines.ts";
import { makeFolder, makePlace } from "./peer.ts";
import { Receiver } from "./receiver-process.ts";
import { goalsTable } from "./results.ts";
import { bundleShipper, shipperConfig, withShipper } from "./shipper.ts";

type Pattern = { readonly title: string; readonly lines: number; /** Milliseconds between two lines, by their number. */ readonly gapMs: (index: number) => number };

/** The moment of the append is in the line. */
async function append(path: string, { lines, gapMs }: Pattern): Promise<void> {
  const file = openSync(path, "wx", 0o644);
  for (let index = 0; index < lines; index += 1) {
    writeSync(file, `{"at":"${process.hrtime.bigint()}",${lineOf(index).slice(1)}\n`);
    await pause(gapMs(index));
  }
  closeSync(file);
}

async function measure(program: string, folder: string, polling: boolean, pattern: Pattern): Promise<readonly number[]> {
  const receiver = await Receiver.start(), place = makePlace(folder);
  try {
    return await withShipper({ program, place, config: { ...shipperConfig("json", place, receiver.forwardPort), files: { polling } } }, async () => {
      const warm = receiver.expect({ do: "count", lines: 1, decode: false }, 20_000);
      await append(join(place.logs, "first.log"), { ...pattern, lines: 1 });
      await warm;
      await pause(2_000);
      const all = receiver.expect({ do: "latency", lines: pattern.lines }, 300_000);
      await append(join(place.logs, "app.log"), pattern);
      return (await all).ages;
    });
  } finally {
    await receiver.end();
  }
}

function percentile(ages: readonly number[], share: number): number {
  return ages.toSorted((a, b) => a - b)[Math.min(ages.length - 1, Math.ceil(ages.length * share) - 1)] ?? Number.NaN;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { steady: { type: "string" }, rare: { type: "string" }, program: { type: "string" }, "no-record": { type: "boolean" } } });
  const circumstances = observeCircumstances(engineVersion()), folder = makeFolder();
  const patterns: readonly Pattern[] = [
    { title: "a line every 5 to 25 ms", lines: Number(values.steady ?? "1000"), gapMs: (index) => 5 + ((index * 7) % 21) },
    { title: "a line after 1.2 to 2 s of silence", lines: Number(values.rare ?? "20"), gapMs: (index) => 1_200 + ((index * 337) % 800) },
  ];
  try {
    const program = values.program ?? await bundleShipper(join(folder, "bundle"));
    const measured: { readonly title: string; readonly polling: boolean; readonly ages: readonly number[] }[] = [];
    for (const polling of [false, true]) for (const pattern of patterns) measured.push({ title: pattern.title, polling, ages: await measure(program, folder, polling, pattern) });
    for (const { title, polling, ages } of measured) console.log(`${polling ? "polling" : "native"}, ${title}: p50 ${percentile(ages, 0.5).toFixed(1)} ms, p99 ${percentile(ages, 0.99).toFixed(1)} ms, longest ${Math.max(...ages).toFixed(1)} ms`);
    const mode = (polling: boolean): string => (polling ? "polling" : "native");
    const verdicts = measured.map(({ title, polling, ages }) => verdict(`${mode(polling)}, ${title}: p99 from append to receiver, ms`, percentile(ages, 0.99), { atMost: polling ? 150 : 60 }));
    for (const { goal, limit, measured: value, met } of verdicts) console.log(`${met ? "met    " : "NOT MET"} ${goal}: ${value} (${limit})`);
    if (values["no-record"] === true) return;
    await writeReport("log-shipper-latency", {
      title: "From the append of a line to its acknowledgement",
      circumstances: circumstances(Date.now()),
      columns: ["directories are watched", "lines", "p50, ms", "p99, ms", "longest, ms"],
      rows: measured.map(({ title, polling, ages }) => [mode(polling), `${ages.length}, ${title}`, percentile(ages, 0.5).toFixed(1), percentile(ages, 0.99).toFixed(1), Math.max(...ages).toFixed(1)]),
      remarks: ["From the moment before the write of a line to the moment at which the receiver, which acknowledges at once, has decoded it. Each with a file of its own, which begins with the first line.", ...goalsTable(verdicts)],
      values: { goals: verdicts, measured },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
