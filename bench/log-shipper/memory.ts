// Memory of the log shipper while its receiver is away and a large file waits, what it costs when nothing happens, and its start.
//
//   npm run bench log-shipper/memory                         about four minutes; 10 GB of disk are needed for a while
//   node bench/log-shipper/memory.ts --gigabytes=1 --away=5 --idle=10 --starts=3 --no-record
//   … --program=/path/to/main.cjs                            another bundle of the shipper
import { appendFileSync, closeSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median, observeCircumstances, spread, writeReport } from "../report.ts";
import { verdict } from "./goals.ts";
import { cpuMicros, engineVersion, pause, peakResidentMiB, residentMiB } from "./host.ts";
import { lineBytes, lineOf, writeLines } from "./lines.ts";
import { makeFolder, makePlace } from "./peer.ts";
import { Receiver } from "./receiver-process.ts";
import { goalsTable } from "./results.ts";
import { bundleShipper, shipperConfig, withShipper } from "./shipper.ts";

/** Resident memory by the second, until `until` is over. */
async function sample(pid: number, until: Promise<unknown>): Promise<readonly number[]> {
  const readings: number[] = [];
  const timer = setInterval(() => void readings.push(residentMiB(pid)), 1_000);
  await until.finally(() => clearInterval(timer));
  return [...readings, residentMiB(pid)];
}

/** One block of lines again and again; the records' numbers repeat, which only counting receivers may be given. */
function writeBacklog(path: string, folder: string, bytes: number): number {
  const block = join(folder, "block"), blockLines = 478_469;
  writeLines(block, 0, blockLines);
  const content = readFileSync(block), file = openSync(path, "wx", 0o644), times = Math.max(1, Math.round(bytes / content.length));
  for (let written = 0; written < times; written += 1) writeSync(file, content);
  closeSync(file);
  return times * blockLines;
}

type Backlog = { readonly gigabytes: number; readonly refused: readonly number[]; readonly silent: readonly number[]; readonly catchingUp: readonly number[]; readonly peakMiB: number; readonly megabytesPerSecond: number };

/** First the receiver refuses connections, then it accepts them and reads nothing, then it works. */
async function backlog(program: string, folder: string, bytes: number, awaySeconds: number): Promise<Backlog> {
  const receiver = await Receiver.start(), place = makePlace(folder);
  const lines = writeBacklog(join(place.logs, "app.log"), folder, bytes);
  receiver.tell({ do: "down" });
  try {
    return await withShipper({ program, place, config: shipperConfig("json", place, receiver.forwardPort) }, async (pid) => {
      const refused = await sample(pid, pause(awaySeconds * 1_000));
      receiver.tell({ do: "stall" });
      receiver.tell({ do: "up" });
      const silent = await sample(pid, pause(awaySeconds * 1_000));
      const startNs = process.hrtime.bigint(), all = receiver.expect({ do: "count", lines, decode: false }, 600_000);
      receiver.tell({ do: "go" });
      const catchingUp = await sample(pid, all), { atNs } = await all;
      return { gigabytes: (lines * lineBytes) / 1e9, refused, silent, catchingUp, peakMiB: peakResidentMiB(pid), megabytesPerSecond: (lines * lineBytes) / 1e6 / (Number(BigInt(atNs) - startNs) / 1e9) };
    });
  } finally {
    await receiver.end();
    rmSync(place.folder, { recursive: true, force: true });
  }
}

/** Files whose lines are all delivered and that nobody writes to. */
async function idle(program: string, folder: string, files: number, seconds: number): Promise<{ readonly percent: number; readonly residentMiB: number }> {
  const receiver = await Receiver.start(), place = makePlace(folder);
  for (let index = 0; index < files; index += 1) writeLines(join(place.logs, `app-${index}.log`), index * 100, 100);
  const all = receiver.expect({ do: "check", from: 0, lines: files * 100, kept: false }, 60_000);
  try {
    return await withShipper({ program, place, config: shipperConfig("json", place, receiver.forwardPort) }, async (pid) => {
      await all;
      await pause(8_000); // a file that grew is looked at more often for a while
      const before = cpuMicros(pid), startMs = performance.now();
      await pause(seconds * 1_000);
      return { percent: (cpuMicros(pid) - before) / 1_000 / (performance.now() - startMs) * 100, residentMiB: residentMiB(pid) };
    });
  } finally {
    await receiver.end();
  }
}

/** Milliseconds from the start of the process until its first line is with the receiver. */
async function starts(program: string, folder: string, times: number): Promise<readonly number[]> {
  const receiver = await Receiver.start(), readings: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const place = makePlace(folder);
    writeFileSync(join(place.logs, "app.log"), "");
    appendFileSync(join(place.logs, "app.log"), `${lineOf(time)}\n`);
    const first = receiver.expect({ do: "count", lines: 1, decode: false }, 20_000), startNs = process.hrtime.bigint();
    await withShipper({ program, place, config: shipperConfig("json", place, receiver.forwardPort) }, async () => void readings.push(Number(BigInt((await first).atNs) - startNs) / 1e6));
  }
  await receiver.end();
  return readings;
}

const list = (readings: readonly number[]): string => (readings.length > 12 ? readings.filter((_, index) => index % Math.ceil(readings.length / 12) === 0) : readings).map((each) => each.toFixed(0)).join(", ");

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { gigabytes: { type: "string" }, away: { type: "string" }, idle: { type: "string" }, starts: { type: "string" }, program: { type: "string" }, "no-record": { type: "boolean" } } });
  const circumstances = observeCircumstances(engineVersion()), folder = makeFolder();
  const { bavail, bsize } = statfsSync(tmpdir()), gigabytes = Math.min(Number(values.gigabytes ?? "10"), Math.floor(bavail * bsize / 2e9));
  try {
    const program = values.program ?? await bundleShipper(join(folder, "bundle"));
    const files = 100, seconds = Number(values.idle ?? "30");
    const quiet = await idle(program, folder, files, seconds);
    console.log(`idle: ${quiet.percent.toFixed(2)} % of a core, ${quiet.residentMiB.toFixed(0)} MiB`);
    const toFirst = await starts(program, folder, Number(values.starts ?? "11"));
    console.log(`start: ${spread(toFirst, 0)} ms`);
    const behind = await backlog(program, folder, gigabytes * 1e9, Number(values.away ?? "20"));
    const away = [...behind.refused.slice(2), ...behind.silent], growth = Math.max(...behind.silent) - Math.max(...behind.refused);
    const verdicts = [
      verdict(`resident memory with the receiver away and ${behind.gigabytes.toFixed(0)} GB behind, MiB`, Math.max(...away), { atMost: 100 }),
      verdict("its growth from the first time away to the second, MiB", growth, { atMost: 10 }),
      verdict(`peak of resident memory, until all is delivered, MiB`, behind.peakMiB, { atMost: 100 }),
      verdict(`processor time with ${files} idle files, % of a core`, quiet.percent, { atMost: 0.5 }),
      verdict("start to first line delivered, median, ms", median(toFirst), { atMost: 150 }),
    ];
    for (const { goal, limit, measured, met } of verdicts) console.log(`${met ? "met    " : "NOT MET"} ${goal}: ${measured} (${limit})`);
    if (values["no-record"] === true) return;
    await writeReport("log-shipper-memory", {
      title: "Memory of the log shipper behind a receiver that is away, and its cost when nothing happens",
      circumstances: circumstances(Date.now()),
      columns: ["situation", "measured"],
      rows: [
        [`${behind.gigabytes.toFixed(1)} GB of JSON lines wait, the receiver refuses connections`, `${Math.max(...behind.refused).toFixed(0)} MiB at most; in turn ${list(behind.refused)}`],
        ["it accepts a connection and reads nothing", `${Math.max(...behind.silent).toFixed(0)} MiB at most; in turn ${list(behind.silent)}`],
        ["it works, until all is delivered", `${Math.max(...behind.catchingUp).toFixed(0)} MiB at most; in turn ${list(behind.catchingUp)}; ${behind.megabytesPerSecond.toFixed(0)} MB/s`],
        [`${files} files that nobody writes to, for ${seconds} s`, `${quiet.percent.toFixed(2)} % of a core, ${quiet.residentMiB.toFixed(0)} MiB`],
        ["start of the process until its first line is delivered", `${spread(toFirst, 0)} ms`],
      ],
      remarks: ["Resident memory of the process, read each second; started with the flags and the compiled code of the image, outside a container.", ...goalsTable(verdicts)],
      values: { goals: verdicts, behind, quiet, toFirst },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
