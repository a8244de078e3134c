import { linkSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Case } from "./cases.ts";
import { cpuMicros, pause, peakResidentMiB } from "./host.ts";
import { keptLines, lineBytes, writeLines } from "./lines.ts";
import { makePlace, warmUpLines, type Peer } from "./peer.ts";
import { Receiver } from "./receiver-process.ts";
import type { Reading } from "./results.ts";

const timeoutMs = 120_000;
/** After the last line has come: the position is written, and what a shipper does late counts too. */
const settleMs = 300;

/** One reading of a peer in one case, with the files that `makeFiles` has left in the folder. */
export async function measure(peer: Peer, spec: Case, folder: string): Promise<Reading> {
  const receiver = await Receiver.start();
  try {
    return await measureWith(receiver, peer, spec, folder);
  } finally {
    await receiver.end();
  }
}

async function measureWith(receiver: Receiver, peer: Peer, spec: Case, folder: string): Promise<Reading> {
  const lines = peer.lines[spec.id] ?? 0;
  const place = makePlace(folder);
  const expected = (from: number, count: number): number => (spec.kept ? keptLines(from, count) : count);
  const running = await peer.start(spec, place, receiver);
  running.died.catch(() => undefined);
  try {
    const warm = receiver.expect({ do: "check", from: 0, lines: expected(0, warmUpLines), kept: spec.kept }, timeoutMs);
    linkSync(linesFile(folder, 0, warmUpLines), join(place.logs, "warm.log"));
    await Promise.race([warm, running.died]);
    await pause(settleMs);
    const before = cpuMicros(running.pid), startNs = process.hrtime.bigint();
    const all = receiver.expect({ do: "count", lines: expected(warmUpLines, lines), decode: peer.wrongSizes === true }, timeoutMs);
    linkSync(linesFile(folder, warmUpLines, lines), join(place.logs, "main.log"));
    const done = await Promise.race([all, running.died]);
    await pause(settleMs);
    const after = cpuMicros(running.pid), seconds = Number(BigInt(done.atNs) - startNs) / 1e9;
    return {
      cpuMicrosPerLine: (after - before) / lines,
      cpuMicrosPerLineWithStart: after / (lines + warmUpLines),
      megabytesPerSecond: (lines * lineBytes) / 1e6 / seconds,
      peakMiB: peakResidentMiB(running.pid),
      sentBytesPerLine: done.bytes / lines,
    };
  } finally {
    await running.stop();
    rmSync(place.folder, { recursive: true, force: true });
  }
}

const linesFile = (folder: string, from: number, count: number): string => join(folder, `lines-${from}-${count}`);

/** The lines of the warm-up and those that the peers are measured with. */
export function makeFiles(folder: string, peers: readonly Peer[]): void {
  writeLines(linesFile(folder, 0, warmUpLines), 0, warmUpLines);
  for (const count of new Set(peers.flatMap(({ lines }) => Object.values(lines)))) writeLines(linesFile(folder, warmUpLines, count), warmUpLines, count);
}
