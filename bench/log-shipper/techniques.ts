// What each technique of the log shipper gave: the shipper before and after it, in turn.
//
//   npm run bench log-shipper/techniques                     about four minutes
//   node bench/log-shipper/techniques.ts --rounds=2 --no-record
//   node bench/log-shipper/techniques.ts --only=filters      those with the word in their description; nothing is written
//
// Before and after are two commits, which must be in this clone, or two settings of the shipper as it is.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { median, observeCircumstances, spread, writeReport } from "../report.ts";
import { cases, type Case } from "./cases.ts";
import { engineVersion } from "./host.ts";
import { makeFiles, measure } from "./measure.ts";
import { makeFolder, type Peer } from "./peer.ts";
import type { Reading } from "./results.ts";
import { bundleShipper, shipperPeer } from "./shipper.ts";

type Technique = { readonly what: string; readonly of: Case["id"] } & ({ readonly commit: string } | { readonly before: Parameters<typeof shipperPeer>[3] });

const techniques: readonly Technique[] = [
  { what: "entries made by WebAssembly instead of TypeScript", of: "raw", before: { core: "typescript" } },
  { what: "entries made by WebAssembly instead of TypeScript", of: "json", before: { core: "typescript" } },
  { what: "chunks of 1 MiB instead of 256 KiB", of: "raw", before: { chunk: { maxBytes: 262_144 } } },
  { what: "chunks of 1 MiB instead of 256 KiB", of: "json", before: { chunk: { maxBytes: 262_144 } } },
  { what: "files read into the core's memory", of: "raw", commit: "5899e83" },
  { what: "the memory of delivered chunks used again", of: "raw", commit: "308c66c" },
  { what: "no byte read twice, comparisons without the thread pool", of: "raw", commit: "3514671" },
  { what: "the checkpoint by one plain write", of: "raw", commit: "65ce1e9" },
  { what: "records shaped by few copies, short texts without calling out, memory used again", of: "shaped", commit: "acc1556" },
  { what: "filters in WebAssembly", of: "shaped", commit: "b0587f2" },
];

function git(words: readonly string[], input?: Buffer): Buffer {
  const answer = spawnSync(words[0] ?? "", words.slice(1), { cwd: join(import.meta.dirname, "../.."), maxBuffer: 2 ** 28, ...(input === undefined ? {} : { input }) });
  if (answer.status !== 0) throw new Error(`Cannot run ${words.join(" ")}: ${answer.stderr.toString()}`);
  return answer.stdout;
}

/** The program of the shipper at a commit. */
async function programAt(commit: string, folder: string): Promise<string> {
  const root = join(folder, commit.replace("^", "-before")), outfile = join(root, "main.cjs");
  mkdirSync(root);
  git(["tar", "-x", "-C", root], git(["git", "archive", commit, "kit", "sidecars/log-shipper", "package.json"]));
  symlinkSync(join(import.meta.dirname, "../../node_modules"), join(root, "node_modules"));
  await build({ absWorkingDir: root, entryPoints: ["sidecars/log-shipper/main.ts"], outfile, bundle: true, platform: "node", format: "cjs", target: "esnext", external: ["winston-transport"], define: { PODKIT_VERSION: '"0.0.0"', "import.meta.filename": "__filename" }, logLevel: "error" });
  return outfile;
}

async function peersOf(technique: Technique, now: string, folder: string): Promise<{ readonly before: Peer; readonly after: Peer }> {
  if ("before" in technique) return { before: shipperPeer("before", now, [], technique.before), after: shipperPeer("after", now, []) };
  const { commit } = technique;
  return { before: shipperPeer("before", await programAt(`${commit}^`, folder), []), after: shipperPeer("after", await programAt(commit, folder), []) };
}

type Compared = { readonly technique: Technique; readonly before: readonly Reading[]; readonly after: readonly Reading[] };

async function compare(technique: Technique, o: { readonly now: string; readonly folder: string; readonly rounds: number }): Promise<Compared> {
  const spec = cases.find(({ id }) => id === technique.of);
  if (spec === undefined) throw new Error(`There is no case ${technique.of}`);
  const peers = await peersOf(technique, o.now, o.folder), before: Reading[] = [], after: Reading[] = [];
  for (let round = 0; round < o.rounds; round += 1) {
    before.push(await measure(peers.before, spec, o.folder));
    after.push(await measure(peers.after, spec, o.folder));
  }
  return { technique, before, after };
}

function rowOf({ technique, before, after }: Compared): readonly string[] {
  const cpu = (list: readonly Reading[]): readonly number[] => list.map((each) => each.cpuMicrosPerLine), peak = (list: readonly Reading[]): string => median(list.map((each) => each.peakMiB)).toFixed(0);
  return [technique.what, technique.of, "commit" in technique ? technique.commit : "settings", spread(cpu(before), 3), spread(cpu(after), 3), `${(median(cpu(after)) / median(cpu(before))).toFixed(2)} x`, `${peak(before)} to ${peak(after)}`];
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: "string" }, only: { type: "string" }, "no-record": { type: "boolean" } } });
  const circumstances = observeCircumstances(engineVersion()), folder = makeFolder(), rounds = Number(values.rounds ?? "5");
  try {
    const now = await bundleShipper(join(folder, "bundle")), all: Compared[] = [];
    makeFiles(folder, [shipperPeer("ours", now, [])]);
    for (const technique of techniques.filter(({ what }) => what.includes(values.only ?? ""))) {
      const compared = await compare(technique, { now, folder, rounds });
      console.log(rowOf(compared).join("; "));
      all.push(compared);
    }
    if (values["no-record"] === true || values.only !== undefined) return;
    await writeReport("log-shipper-techniques", {
      title: "What each technique of the log shipper gave",
      circumstances: circumstances(Date.now()),
      columns: ["technique", "case", "commit", "before, us of processor time per line", "after", "ratio", "peak memory, MiB"],
      rows: all.map(rowOf),
      remarks: [`Medians of ${rounds} rounds (lowest to highest), before and after in turn, as in bench/log-shipper/main.ts. With a commit, it and its parent; with settings, the shipper as it is.`],
      values: all,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
