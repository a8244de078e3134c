import { median, spread, writeReport, type Circumstances } from "../report.ts";
import type { Case } from "./cases.ts";
import { judge, type Medians, type Verdict } from "./goals.ts";
import { warmUpLines, type Peer } from "./peer.ts";

export type Reading = { readonly cpuMicrosPerLine: number; readonly cpuMicrosPerLineWithStart: number; readonly megabytesPerSecond: number; readonly peakMiB: number; readonly sentBytesPerLine: number };
export type Readings = Map<string, Map<string, Reading[]>>;

function mediansOf(readings: Readings): Medians {
  return Object.fromEntries([...readings].map(([id, byName]) => [id, Object.fromEntries([...byName].map(([name, list]) => [name, {
    cpuMicrosPerLine: median(list.map((each) => each.cpuMicrosPerLine)), megabytesPerSecond: median(list.map((each) => each.megabytesPerSecond)), peakMiB: median(list.map((each) => each.peakMiB)),
  }]))]));
}

/** The goals as a table for the end of a report. */
export function goalsTable(verdicts: readonly Verdict[]): readonly string[] {
  return ["", "| goal | limit | measured | met |", "| --- | --- | --- | --- |", ...verdicts.map(({ goal, limit, measured, met }) => `| ${goal} | ${limit} | ${measured} | ${met ? "yes" : "no"} |`)];
}

/** Prints the verdicts, and writes bench/results/log-shipper.* when the run is to be recorded. */
export async function report(o: { readonly circumstances: Circumstances; readonly readings: Readings; readonly faults: readonly string[]; readonly chosen: readonly Case[]; readonly peers: readonly Peer[]; readonly rounds: number; readonly record: boolean }): Promise<void> {
  const verdicts = judge(mediansOf(o.readings));
  const rows = o.chosen.flatMap(({ id, title }) => [...(o.readings.get(id) ?? [])].map(([name, list]) => [
    title, name, spread(list.map((each) => each.cpuMicrosPerLine), 3), median(list.map((each) => each.cpuMicrosPerLineWithStart)).toFixed(3),
    spread(list.map((each) => each.megabytesPerSecond), 0), median(list.map((each) => each.peakMiB)).toFixed(0), median(list.map((each) => each.sentBytesPerLine)).toFixed(0),
  ]));
  if (!o.record) {
    for (const row of rows) console.log(row.join("; "));
    for (const { goal, limit, measured, met } of verdicts) console.log(`${met ? "met    " : "NOT MET"} ${goal}: ${measured} (${limit})`);
    return;
  }
  await writeReport("log-shipper", {
    title: "Lines through the log shipper and through others",
    circumstances: o.circumstances,
    columns: ["case", "shipper", "processor time per line, us", "with its start", "MB/s", "peak memory, MiB", "bytes sent per line"],
    rows,
    remarks: [
      `Lines of 209 bytes. Medians of ${o.rounds} rounds (lowest to highest), the shippers in turn, each with a file that keeps it busy for a second or more: ${o.peers.map((peer) => `${peer.name} ${Object.values(peer.lines).join(", ")} lines (${peer.version})`).join("; ")}.`,
      `Processor time is of all threads, user and system, from the appearance of the file until the last acknowledgement and the position after it, following a warm-up of ${warmUpLines} lines, every one of which the receiver decoded and compared. "With its start" is all processor time of the process since it was started, over all lines.`,
      "Ours, the naive pipeline and Fluent Bit wait for acknowledgements; ours and Fluent Bit remember positions. rsyslog is a general syslog engine, gets no acknowledgement over plain TCP and remembers positions every 5,000 lines; with JSON it sends the parsed fields. With the plain name it holds what it has read in memory alone and loses it at a crash; rsyslog-disk has its queue on disk (a tmpfs here), which comes nearest to what the others promise. Shipper, receiver and bench share the processors.",
      ...o.faults,
      ...goalsTable(verdicts),
    ],
    values: { goals: verdicts, rounds: Object.fromEntries([...o.readings].map(([id, byName]) => [id, Object.fromEntries(byName)])) },
  });
}
