// Parquet and Avro by the whole role: time, and memory at 50 and at 200 MB of CSV, against DuckDB's npm package where that reads and writes the format.
//
//   npm run bench format-adapter/columnar      three rounds; ROUNDS=n for more; needs 3 GB of disk
import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, observeCircumstances, spread, writeReport } from "../report.ts";
import { bundleAdapter, type Program } from "./adapter.ts";
import { adapterCommand, hashOf, timed, type Reading } from "./candidate.ts";
import { writeData } from "./data.ts";

const rounds = Number(process.env["ROUNDS"] ?? "3");
/** About 50 and 200 MB of CSV. */
const sizes = (process.env["RECORDS"] ?? "330000,1320000").split(",").map(Number);

const types = "{id: int64, amount: decimal(2), qty: int64, ratio: decimal(6)}";
const fields = "{id: id, created_at: created_at, customer_name: customer_name, email: email, amount: amount, qty: qty, status: status, country: country, active: active, note: note, ratio: ratio, ref: ref}";
const csv = `csv, columns: ${types}`;
const duckTypes = "{id: 'BIGINT', created_at: 'VARCHAR', customer_name: 'VARCHAR', email: 'VARCHAR', amount: 'DECIMAL(12,2)', qty: 'BIGINT', status: 'VARCHAR', country: 'VARCHAR', active: 'VARCHAR', note: 'VARCHAR', ratio: 'DECIMAL(9,6)', ref: 'VARCHAR'}";

type Step = { readonly title: string; readonly from: string; readonly to: string; readonly out: string; readonly input: string; /** The statement that DuckDB does it by. */ readonly duckdb?: (input: string, output: string) => string };
const fromCsv = (input: string, output: string): string => `COPY (SELECT * FROM read_csv('${input}', auto_detect=false, header=true, delim=',', quote='"', escape='"', columns=${duckTypes})) TO '${output}' (FORMAT parquet, COMPRESSION snappy)`;
const toCsv = (input: string, output: string): string => `COPY (SELECT * FROM '${input}') TO '${output}' (FORMAT csv, HEADER)`;
const steps: readonly Step[] = [
  { title: "CSV to Parquet (snappy)", input: csv, from: "csv", out: "parquet", to: "parquet", duckdb: fromCsv },
  { title: "Parquet to CSV", input: `parquet, columns: ${types}`, from: "parquet", out: "csv", to: "csv", duckdb: toCsv },
  { title: "Parquet written by DuckDB to CSV", input: `parquet, columns: ${types}`, from: "duckdb.parquet", out: "csv", to: "csv", duckdb: toCsv },
  { title: "CSV to Avro (deflate)", input: csv, from: "csv", out: "avro", to: "avro" },
  { title: "Avro to CSV", input: `avro, columns: ${types}`, from: "avro", out: "csv", to: "csv" },
];

type Result = { readonly title: string; readonly megabytes: number; readonly inputBytes: number; readonly adapter: readonly Reading[]; readonly duckdb: readonly Reading[] };

async function measure(step: Step, o: { readonly program: Program; readonly directory: string; readonly megabytes: number; readonly csvHash: string }): Promise<Result> {
  const input = join(o.directory, `orders.${step.from}`);
  const [adapter, duckdb]: [Reading[], Reading[]] = [[], []];
  const hashes = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const run = adapterCommand({ program: o.program, directory: join(o.directory, "adapter"), mapping: { in: `{format: ${step.input}}`, out: step.out, fields }, input });
    adapter.push(await timed(run.command, run.environment));
    hashes.add(await hashOf(run.output));
    if (step.from === "csv") copyFileSync(run.output, join(o.directory, `orders.${step.to}`));
    if (step.duckdb !== undefined) duckdb.push(await timed([process.execPath, `${import.meta.dirname}/duckdb.ts`, step.duckdb(input, join(o.directory, step.from === "csv" ? "orders.duckdb.parquet" : "duckdb.csv"))]));
    const [ours, peer] = [adapter.at(-1), duckdb.at(-1)];
    console.error(`${step.title}: ${ours?.cpuSeconds.toFixed(2)} cpu-s, ${ours?.wallSeconds.toFixed(2)} s, ${ours?.peakMiB.toFixed(0)} MiB; DuckDB ${peer?.cpuSeconds.toFixed(2) ?? "-"} cpu-s, ${peer?.peakMiB.toFixed(0) ?? "-"} MiB`);
  }
  // The same bytes each time, and the way back gives the file that it began with.
  if (hashes.size !== 1) throw new Error(`${step.title}: the rounds gave different bytes`);
  if (step.from !== "csv" && !hashes.has(o.csvHash)) throw new Error(`${step.title}: the way back does not give the first file`);
  return { title: step.title, megabytes: o.megabytes, inputBytes: statSync(input).size, adapter, duckdb };
}

const directory = mkdtempSync(join(process.env["BENCH_DIR"] ?? tmpdir(), "podkit-bench-columnar-"));
try {
  const circumstances = observeCircumstances("no engine");
  const program = await bundleAdapter(join(directory, "bundle"));
  const results: Result[] = [];
  for (const records of sizes) {
    const data = writeData(directory, records);
    const o = { program, directory, megabytes: statSync(data.csv).size / 1e6, csvHash: await hashOf(data.csv) };
    for (const step of steps) results.push(await measure(step, o));
  }
  const row = ({ title, megabytes, inputBytes }: Result, name: string, readings: readonly Reading[]): readonly string[] => [
    title, `${megabytes.toFixed(0)} MB`, `${(inputBytes / 1e6).toFixed(0)} MB`, name,
    spread(readings.map((reading) => reading.cpuSeconds), 2), spread(readings.map((reading) => reading.wallSeconds), 2), spread(readings.map((reading) => reading.peakMiB), 0),
  ];
  await writeReport("format-adapter-columnar", {
    title: "The format adapter: Parquet and Avro",
    circumstances: circumstances(Date.now()),
    columns: ["conversion", "as CSV", "input", "candidate", "processor s", "wall s", "peak MiB"],
    rows: results.flatMap((result) => [row(result, "adapter", result.adapter), ...(result.duckdb.length === 0 ? [] : [row(result, "DuckDB", result.duckdb)])]),
    remarks: [
      `Medians of ${rounds} rounds. From CSV and back gives the same bytes. The adapter is the whole role, which also checks types, hashes, syncs, renames and remembers.`,
      "DuckDB's npm package reads Avro by an extension that it would fetch, and does not write it: not measured.",
      `Processor time, adapter / DuckDB: ${results.filter(({ duckdb }) => duckdb.length > 0).map(({ title, megabytes, adapter, duckdb }) => `${title}, ${megabytes.toFixed(0)} MB: ${(median(adapter.map((reading) => reading.cpuSeconds)) / median(duckdb.map((reading) => reading.cpuSeconds))).toFixed(1)}`).join("; ")}.`,
    ],
    values: results,
  });
} finally {
  rmSync(directory, { recursive: true, force: true });
}
