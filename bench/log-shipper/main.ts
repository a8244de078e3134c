// Lines of a file through the log shipper and through others: processor time per line, speed, memory.
//
//   npm run bench log-shipper             all cases, five rounds, the candidates in turn; about five minutes
//   node bench/log-shipper/main.ts --only=raw,json --rounds=3 --candidates=ours,naive
//
//   … --candidates=source                                    the sources instead of the bundle
//   … --candidates=before,ours --before=/path/to/main.cjs    compares with another build
//   … --candidates=ours --profile=/tmp/profiles              writes processor profiles of the shipper
//
// A candidate is warmed up with lines of which the receiver decodes and compares every one; then comes the measured file. rsyslog
// needs its image: node images/build.ts bases --only rsyslog. With --only, --candidates or less than five rounds nothing is
// written to bench/results.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { observeCircumstances } from "../report.ts";
import { cases, type Case } from "./cases.ts";
import { engineVersion } from "./host.ts";
import { makeFiles, measure } from "./measure.ts";
import { makeFolder, type Peer } from "./peer.ts";
import { foundPeers } from "./peers.ts";
import { report, type Readings } from "./results.ts";
import { bundleShipper, shipperPeer, shipperSource } from "./shipper.ts";

const roundsWanted = 5;
function fault(what: string, error: unknown): string {
  const causes: string[] = [];
  for (let each = error; each instanceof Error; each = each.cause) causes.push(each.message);
  return `${what}: ${causes.join(": ").slice(0, 600)}`;
}

/** What cannot be measured is told in `faults` and left out. */
async function measureAll(peers: readonly Peer[], chosen: readonly Case[], rounds: number, folder: string): Promise<{ readonly readings: Readings; readonly faults: readonly string[] }> {
  const faults: string[] = [];
  const readings: Readings = new Map(chosen.map(({ id }) => [id, new Map()]));
  for (let round = 0; round < rounds; round += 1) {
    for (const spec of chosen) {
      const able = peers.filter((peer) => peer.cases.includes(spec.id));
      for (let index = 0; index < able.length; index += 1) {
        const peer = able[(index + round) % able.length];
        if (peer === undefined) continue;
        const reading = await measure(peer, spec, folder).catch((error: unknown) => fault(`Cannot measure ${peer.name} with ${spec.title}`, error));
        if (typeof reading === "string") {
          console.error(reading);
          faults.push(reading);
          continue;
        }
        const byName = readings.get(spec.id);
        byName?.set(peer.name, [...(byName.get(peer.name) ?? []), reading]);
        console.log(`round ${round + 1}, ${spec.id}, ${peer.name}: ${reading.cpuMicrosPerLine.toFixed(3)} us/line (${reading.cpuMicrosPerLineWithStart.toFixed(3)} with its start), ${reading.megabytesPerSecond.toFixed(0)} MB/s, ${reading.peakMiB.toFixed(0)} MiB`);
      }
    }
  }
  return { readings, faults };
}

async function choosePeers(names: readonly string[] | undefined, o: { readonly folder: string; readonly before: string | undefined; readonly flags: readonly string[] }): Promise<readonly Peer[]> {
  const program = await bundleShipper(join(o.folder, "bundle"));
  const found = [shipperPeer("ours", program, o.flags), shipperPeer("ours-ts", program, o.flags, { core: "typescript" }), ...foundPeers()];
  if (names === undefined) return found;
  const more = [...found, shipperPeer("source", shipperSource, o.flags), ...(o.before === undefined ? [] : [shipperPeer("before", o.before, o.flags)])];
  return names.map((name) => {
    const peer = more.find((each) => each.name === name);
    if (peer === undefined) throw new Error(`There is no candidate ${name}; there are ${more.map((each) => each.name).join(", ")}, and before (with --before)`);
    return peer;
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: "string" }, rounds: { type: "string" }, candidates: { type: "string" }, profile: { type: "string" }, before: { type: "string" } } });
  const ids = values.only?.split(","), unknown = ids?.filter((id) => !cases.some((each) => each.id === id)) ?? [];
  if (unknown.length > 0) throw new Error(`There is no case ${unknown.join(", ")}; the cases are ${cases.map(({ id }) => id).join(", ")}`);
  const chosen = cases.filter(({ id }) => ids === undefined || ids.includes(id)), rounds = Number(values.rounds ?? roundsWanted);
  const circumstances = observeCircumstances(engineVersion());
  const folder = makeFolder();
  try {
    const flags = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
    const peers = await choosePeers(values.candidates?.split(","), { folder, before: values.before, flags });
    makeFiles(folder, peers);
    const { readings, faults } = await measureAll(peers, chosen, rounds, folder);
    await report({ circumstances: circumstances(Date.now()), readings, faults, chosen, peers, rounds, record: ids === undefined && values.candidates === undefined && rounds >= roundsWanted });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
