// What techniques of the format adapter gave: the whole role before and after each, in turn.
//
//   npm run bench format-adapter/techniques                     about three minutes
//   node bench/format-adapter/techniques.ts --rounds=2 --no-record
//
// Before and after are two commits, which must be in this clone, or the adapter as it is without and with something that its image gives it.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median, observeCircumstances, spread, writeReport } from "../report.ts";
import { asFormerImage, bundleAdapter, type Program } from "./adapter.ts";
import { adapterCommand, hashOf, timed, type Reading } from "./candidate.ts";
import { cases, type Case } from "./cases.ts";
import { writeData, type DataFiles } from "./data.ts";

type Technique = { readonly what: string; readonly of: Case["id"] } & ({ readonly commit: string } | { readonly without: (now: Program) => Program });

/** V8 refuses what was compiled with other flags: this one says what is so anyway. */
const withoutCache = (now: Program): Program => ({ ...now, command: now.command.toSpliced(1, 0, "--stack-size=985") });
const withoutFlags = (now: Program): Program => ({ ...now, command: [process.execPath, now.path] });

const techniques: readonly Technique[] = [
  { what: "what V8 compiled is in the image", of: "csv-csv", without: withoutCache },
  { what: "the image's flags: a young generation of 1 MiB", of: "csv-csv", without: withoutFlags },
  { what: "fields computed for many records at once", of: "csv-csv", commit: "a57f758" },
  { what: "usual JSON members passed over with locals; lines counted by lanes, digits 16 at a time, short values written without a call", of: "json-csv", commit: "43242ce" },
  { what: "the same", of: "ndjson-csv", commit: "43242ce" },
  { what: "the same", of: "csv-csv", commit: "43242ce" },
  { what: "built-in modules loaded on first use", of: "csv-csv", commit: "9acd3c4" },
];

const root = join(import.meta.dirname, "../..");

function command(words: readonly string[], { input, cwd = root }: { readonly input?: Buffer; readonly cwd?: string } = {}): Buffer {
  const [executable = "", ...rest] = words;
  const answer = spawnSync(executable, rest, { cwd, maxBuffer: 2 ** 28, ...(input === undefined ? {} : { input }) });
  if (answer.status !== 0) throw new Error(`Cannot run ${words.join(" ")}: ${answer.stderr.toString()}`);
  return answer.stdout;
}

/** Run in the tree of a commit. */
const bundling = `import { bundleRole, writeBundle } from "./images/bundle.ts"; import { roles } from "./images/roles.ts";
const root = process.cwd(), role = roles.find(({ name }) => name === "format-adapter");
await writeBundle(root, role, (await bundleRole({ root, role, version: "bench" })).files);`;

/** The adapter of a commit, bundled as that commit bundles. */
function programAt(commit: string, folder: string): Program {
  const tree = join(folder, commit.replace("^", "-before"));
  mkdirSync(tree);
  command(["tar", "-x", "-C", tree], { input: command(["git", "archive", commit, "kit", "sidecars", "images", "package.json"]) });
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  command([process.execPath, "--input-type=module", "--eval", bundling], { cwd: tree });
  return asFormerImage(join(tree, "dist/format-adapter/main.cjs"));
}

function programsOf(technique: Technique, now: Program, folder: string): { readonly before: Program; readonly after: Program } {
  if ("without" in technique) return { before: technique.without(now), after: now };
  const { commit } = technique;
  return { before: programAt(`${commit}^`, mkdtempSync(join(folder, "tree-"))), after: programAt(commit, mkdtempSync(join(folder, "tree-"))) };
}

type Compared = { readonly technique: Technique; readonly before: readonly Reading[]; readonly after: readonly Reading[] };

async function compare(technique: Technique, o: { readonly now: Program; readonly folder: string; readonly files: DataFiles; readonly rounds: number }): Promise<Compared> {
  const found = cases.find(({ id }) => id === technique.of);
  if (found === undefined) throw new Error(`There is no case ${technique.of}`);
  const programs = programsOf(technique, o.now, o.folder);
  const expected = await hashOf(o.files[found.expected]);
  const readings = { before: [] as Reading[], after: [] as Reading[] };
  for (let round = 0; round < o.rounds; round++) {
    for (const which of ["before", "after"] as const) {
      const run = adapterCommand({ program: programs[which], directory: join(o.folder, "adapter"), mapping: found.mapping, input: o.files[found.input] });
      readings[which].push(await timed(run.command, run.environment));
      if ((await hashOf(run.output)) !== expected) throw new Error(`${technique.what}, ${which}: the output is not what it should be`);
    }
  }
  return { technique, ...readings };
}

function rowOf({ technique, before, after }: Compared): readonly string[] {
  const cpu = (list: readonly Reading[]): readonly number[] => list.map(({ cpuSeconds }) => cpuSeconds);
  const peak = (list: readonly Reading[]): string => median(list.map(({ peakMiB }) => peakMiB)).toFixed(0);
  return [technique.what, technique.of, "commit" in technique ? technique.commit : "as it is", spread(cpu(before), 2), spread(cpu(after), 2), `${(median(cpu(after)) / median(cpu(before))).toFixed(2)} x`, `${peak(before)} to ${peak(after)}`];
}

const { values } = parseArgs({ options: { rounds: { type: "string" }, "no-record": { type: "boolean" } } });
const circumstances = observeCircumstances("no engine");
const folder = mkdtempSync(join(tmpdir(), "podkit-bench-techniques-"));
const rounds = Number(values.rounds ?? "5");
try {
  const now = await bundleAdapter(join(folder, "program"));
  const files = writeData(join(folder, "data"), 330_000);
  const all: Compared[] = [];
  for (const technique of techniques) {
    const compared = await compare(technique, { now, folder, files, rounds });
    console.error(rowOf(compared).join("; "));
    all.push(compared);
  }
  if (values["no-record"] !== true) {
    await writeReport("format-adapter-techniques", {
      title: "What techniques of the format adapter gave",
      circumstances: circumstances(Date.now()),
      columns: ["technique", "case", "commit", "before, processor s", "after", "ratio", "peak memory, MiB"],
      rows: all.map(rowOf),
      remarks: [
        `Medians of ${rounds} rounds (lowest to highest), before and after in turn, of whole runs as in bench/format-adapter/main.ts: start, conversion of 330,000 records, fsync, rename, ledger; outputs checked. With a commit, it and its parent; else the adapter as it is, without and with the thing.`,
        "What else was tried, and what no script repeats, is in bench/format-adapter/techniques.md.",
      ],
      values: all.map(({ technique: { what, of, ...rest }, before, after }) => ({ what, of, ...("commit" in rest ? { commit: rest.commit } : {}), before, after })),
    });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
