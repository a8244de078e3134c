// The format adapter against Miller and DuckDB's npm package: processor time, time by the clock and memory of whole conversions
// of 330,000 records (50 MB of CSV), and the adapter's memory at 200 MB and 2 GB.
//
//   npm run bench format-adapter        five rounds, the candidates in turn; about seven minutes; needs 5 GB of disk
//   npm run bench format-adapter -- --install   installs Miller by apt first (Debian, as root)
//   node bench/format-adapter/main.ts --only=csv-csv --rounds=3 --candidates=adapter,duckdb --no-memory
//
// The adapter is measured as its image ships it: the bundled role with the image's flags, settings and compile cache, `run --once`, with
// its check for UTF-8, hash of the content, ledger, fsync and rename; the others read and write files, and nothing else. With --only, --candidates or fewer rounds nothing is written to
// bench/results.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readRecords } from "../../sidecars/format-adapter/commands/read-records.ts";
import { diffReports } from "../../sidecars/format-adapter/commands/report-diff.ts";
import { strictCsv } from "../../sidecars/format-adapter/formats/csv-dialect.ts";
import { median, observeCircumstances, spread, writeReport } from "../report.ts";
import { bundleAdapter, type Program } from "./adapter.ts";
import { adapterCommand, hashOf, timed, type Reading, type Run } from "./candidate.ts";
import { cases, type Case } from "./cases.ts";
import { repeatCsv, writeData, type DataFiles } from "./data.ts";

const records = 330_000;
const roundsWanted = 5;
const memorySizes = [["200 MB", 200e6], ["2 GB", 2e9]] as const;
const memoryMaxMiB = 96;

type Equality = "byte for byte" | "record by record" | "NOT EQUAL";
type Measured = { readonly readings: Reading[]; equality: Equality | undefined };

function millerVersion(install: boolean): string | undefined {
  const answer = spawnSync("mlr", ["--version"], { encoding: "utf8" });
  if (answer.status === 0) return answer.stdout.trim();
  if (install && spawnSync("apt-get", ["install", "--yes", "--no-install-recommends", "miller"], { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } }).status === 0) return millerVersion(false);
  console.error("Miller is not installed: NOT MEASURED. Remedy: apt-get install miller, or run this again with --install (both as root, on Debian)");
  return undefined;
}

/** What came out against what should: the tools space their JSON differently, which changes no record. */
async function compare(output: string, expected: string): Promise<Equality> {
  if ((await hashOf(output)) === (await hashOf(expected))) return "byte for byte";
  const format = expected.endsWith(".ndjson") ? "ndjson" : "csv";
  const input = format === "csv" ? ({ format, ...strictCsv(",") } as const) : ({ format } as const);
  const { different, lines } = await diffReports(readRecords(output, input), readRecords(expected, input));
  if (different > 0) console.error(lines.slice(0, 5).join("\n"));
  return different === 0 ? "record by record" : "NOT EQUAL";
}

async function measure(o: { readonly chosen: readonly Case[]; readonly candidates: readonly string[]; readonly rounds: number; readonly program: Program; readonly directory: string; readonly files: DataFiles }): Promise<Map<Case, Map<string, Measured>>> {
  const results = new Map(o.chosen.map((each) => [each, new Map(o.candidates.map((name): [string, Measured] => [name, { readings: [], equality: undefined }]))]));
  for (let round = 0; round < o.rounds; round++) {
    for (const [each, byName] of results) {
      for (const [name, measured] of byName) {
        const peer = each.peers[name];
        if (name !== "adapter" && peer === undefined) continue;
        const output = join(o.directory, `${each.id}.${name}`);
        const run: Run = peer === undefined ? adapterCommand({ program: o.program, directory: join(o.directory, "adapter"), mapping: each.mapping, input: o.files[each.input] }) : { command: peer(o.files[each.input], output), environment: {}, output };
        const reading = await timed(run.command, run.environment);
        measured.readings.push(reading);
        measured.equality ??= await compare(run.output, o.files[each.expected]);
        console.error(`${each.id} ${name}: ${reading.cpuSeconds.toFixed(2)} cpu-s, ${reading.wallSeconds.toFixed(2)} s, ${reading.peakMiB.toFixed(0)} MiB, ${measured.equality}`);
        rmSync(run.output, { force: true });
      }
    }
  }
  return results;
}

function rowsOf(results: ReadonlyMap<Case, ReadonlyMap<string, Measured>>): readonly (readonly string[])[] {
  return [...results].flatMap(([each, byName]) => {
    const own = byName.get("adapter")?.readings ?? [];
    const ratio = (readings: readonly Reading[], of: (reading: Reading) => number): number => median(readings.map(of)) / median(own.map(of));
    return [...byName].flatMap(([name, { readings, equality }]) => {
      if (readings.length === 0) return [];
      const goal = each.goals[name];
      const cpu = ratio(readings, (reading) => reading.cpuSeconds);
      const verdict = goal === undefined ? "" : `${cpu.toFixed(1)} x (goal ${goal} x: ${cpu >= goal ? "met" : "NOT MET"})`;
      return [[each.title, name, spread(readings.map((reading) => reading.cpuSeconds), 2), spread(readings.map((reading) => reading.wallSeconds), 2), median(readings.map((reading) => reading.peakMiB)).toFixed(0), verdict, goal === undefined ? "" : `${ratio(readings, (reading) => reading.wallSeconds).toFixed(1)} x`, equality ?? ""]];
    });
  });
}

async function measureMemory(program: Program, directory: string, csv: string): Promise<readonly { readonly size: string; readonly reading: Reading }[]> {
  const readings: { size: string; reading: Reading }[] = [];
  const [mapping] = cases.filter(({ id }) => id === "csv-csv").map((each) => each.mapping);
  if (mapping === undefined) return readings;
  for (const [size, bytes] of memorySizes) {
    const large = join(directory, "large.csv");
    repeatCsv(csv, large, bytes);
    const run = adapterCommand({ program, directory: join(directory, "adapter"), mapping, input: large });
    const reading = await timed(run.command, run.environment);
    console.error(`memory at ${size}: ${reading.peakMiB.toFixed(0)} MiB, ${reading.cpuSeconds.toFixed(1)} cpu-s, ${reading.wallSeconds.toFixed(1)} s`);
    readings.push({ size, reading });
    for (const path of [large, run.output, join(directory, "adapter/reports/large.csv")]) rmSync(path, { force: true });
  }
  return readings;
}

const { values } = parseArgs({ options: { only: { type: "string" }, rounds: { type: "string" }, candidates: { type: "string" }, install: { type: "boolean" }, "no-memory": { type: "boolean" } } });
const miller = millerVersion(values.install === true);
const candidates = (values.candidates?.split(",") ?? ["adapter", "miller", "duckdb"]).filter((name) => name !== "miller" || miller !== undefined);
const chosen = cases.filter(({ id }) => values.only === undefined || values.only.split(",").includes(id));
const rounds = Number(values.rounds ?? roundsWanted);
const directory = mkdtempSync(join(tmpdir(), "podkit-bench-format-adapter-"));
try {
  const finish = observeCircumstances(`${miller ?? "without Miller"}, DuckDB by @duckdb/node-api`);
  const program = await bundleAdapter(join(directory, "program"));
  const files = writeData(directory, records);
  const results = await measure({ chosen, candidates, rounds, program, directory, files });
  const memory = values["no-memory"] === true ? [] : await measureMemory(program, directory, files.csv);
  const rows = rowsOf(results);
  const isWhole = values.only === undefined && values.candidates === undefined && rounds >= roundsWanted && memory.length > 0;
  if (isWhole) {
    await writeReport("format-adapter", {
      title: "The format adapter against Miller and DuckDB",
      circumstances: finish(Date.now()),
      columns: ["conversion", "candidate", "processor seconds", "seconds", "peak MiB", "processor time against the adapter's", "by the clock", "output equals the expected"],
      rows: [...rows, ...memory.map(({ size, reading }) => [`${size} of CSV to CSV, one run`, "adapter", reading.cpuSeconds.toFixed(2), reading.wallSeconds.toFixed(2), `${reading.peakMiB.toFixed(0)} (goal ${memoryMaxMiB}: ${reading.peakMiB <= memoryMaxMiB ? "met" : "NOT MET"})`, "", "", ""])],
      remarks: [
        `${records} records of 12 columns: 50 MB of CSV, 90 MB of JSON; medians of ${rounds} rounds, lowest to highest in brackets, the candidates in turn. Processor seconds are those of the process and its children, user and system.`,
        "The adapter is the bundled role as its image starts it (flags, settings, compile cache), with `run --once`: start, folder, UTF-8 check, hash of the content, conversion, fsync, rename, ledger. The others start, read and write one file, without fsync. DuckDB may use all cores, the adapter uses one.",
        "Where the output is not equal: DuckDB's JSON drops the zeros at the end of decimals, 1.10 becomes 1.1, so that its records are not those of the input.",
        ...(miller === undefined ? ["MILLER WAS NOT MEASURED: it is not installed."] : []),
      ],
      values: { cases: [...results].map(([each, byName]) => ({ id: each.id, candidates: Object.fromEntries(byName) })), memory },
    });
  } else for (const row of rows) console.log(row.join(" | "));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
