// XML to NDJSON by the whole role, against saxes with the least program around it, which neither checks, syncs nor remembers anything.
//
//   npm run bench format-adapter/xml      five rounds of two sizes; ROUNDS=n for more
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, observeCircumstances, spread, writeReport } from "../report.ts";
import { bundleAdapter, type Program } from "./adapter.ts";
import { adapterCommand, hashOf, timed, type Reading } from "./candidate.ts";
import { columns, writeData } from "./data.ts";

const rounds = Number(process.env["ROUNDS"] ?? "5");
/** About 10 and 56 MB. */
const sizes = [27_000, 135_000];
const goal = 4;

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** The records of the NDJSON file as XML: the first column an attribute, every tenth note a CDATA section. */
function writeXml(ndjson: string, path: string): void {
  const lines = readFileSync(ndjson, "utf8").split("\n").slice(0, -1);
  const items = lines.map((line, index) => {
    const values = columns.map((column) => new RegExp(`"${column}":("(?:[^"\\\\]|\\\\.)*"|[^,}]*)`).exec(line)?.[1] ?? "").map((text) => (text.startsWith('"') ? (JSON.parse(text) as string) : text));
    const inside = columns.slice(1).map((column, at) => {
      const text = values[at + 1] ?? "";
      return `    <${column}>${column === "note" && index % 10 === 0 ? `<![CDATA[${text}]]>` : escaped(text)}</${column}>\n`;
    });
    return `  <order id="${values[0] ?? ""}">\n${inside.join("")}  </order>\n`;
  });
  writeFileSync(path, `<?xml version="1.0" encoding="UTF-8"?>\n<orders>\n${items.join("")}</orders>\n`);
}

type Readings = Record<"adapter" | "saxes", Reading[]>;

/** So many records, in so many rounds; throws when an output is not what it should be. */
async function measure(program: Program, directory: string, records: number): Promise<{ readonly megabytes: number; readonly readings: Readings }> {
  const data = writeData(join(directory, "data"), records);
  const input = join(directory, "orders.xml");
  writeXml(data.ndjson, input);
  const expected = await hashOf(data.ndjson);
  const fields = `{${columns.map((column) => `${column}: ${column === "id" ? '"@id"' : column}`).join(", ")}}`;
  const mapping = { in: '{format: xml, records: /orders/order, columns: {"@id": int64, amount: decimal(2), qty: int64, ratio: decimal(6)}}', out: "ndjson", fields };
  const readings: Readings = { adapter: [], saxes: [] };
  for (let round = 0; round < rounds; round++) {
    const ours = adapterCommand({ program, directory: join(directory, "adapter"), mapping, input });
    readings.adapter.push(await timed(ours.command, ours.environment));
    if ((await hashOf(ours.output)) !== expected) throw new Error("The adapter's output is not what it should be");
    const peer = join(directory, "saxes.ndjson");
    readings.saxes.push(await timed([process.execPath, join(import.meta.dirname, "saxes.ts"), input, peer]));
    if ((await hashOf(peer)) !== expected) throw new Error("The output of saxes is not what it should be");
  }
  return { megabytes: statSync(input).size / 1e6, readings };
}

const verdict = (ratio: number): string => `${ratio.toFixed(1)} x (goal ${goal} x: ${ratio >= goal ? "met" : "NOT MET"})`;

const directory = mkdtempSync(join(tmpdir(), "podkit-bench-xml-"));
try {
  const circumstances = observeCircumstances("no engine");
  const program = await bundleAdapter(join(directory, "program"));
  const results = [];
  for (const records of sizes) {
    results.push(await measure(program, directory, records));
    console.error(`${records} records: measured`);
  }
  const values = (readings: Readings, name: keyof Readings, what: keyof Reading): readonly number[] => readings[name].map((reading) => reading[what]);
  await writeReport("format-adapter-xml", {
    title: "The format adapter: XML to NDJSON against saxes",
    circumstances: circumstances(Date.now()),
    columns: ["XML", "candidate", "processor s", "wall s", "peak MiB", "saxes / adapter, processor"],
    rows: results.flatMap(({ megabytes, readings }) => (["adapter", "saxes"] as const).map((name) => [
      `${megabytes.toFixed(1)} MB`, name, spread(values(readings, name, "cpuSeconds"), 2), spread(values(readings, name, "wallSeconds"), 2), spread(values(readings, name, "peakMiB"), 0),
      name === "saxes" ? "" : verdict(median(values(readings, "saxes", "cpuSeconds")) / median(values(readings, "adapter", "cpuSeconds"))),
    ])),
    remarks: [
      `Medians of ${rounds} rounds. All outputs are byte-equal to a file written by itself.`,
      "The start of the process is in each figure; the adapter's is that of the whole role as its image starts it, which also checks types, syncs, renames and remembers.",
    ],
    values: results,
  });
} finally {
  rmSync(directory, { recursive: true, force: true });
}
