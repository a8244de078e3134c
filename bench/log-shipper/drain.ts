// SIGTERM while 100 MB wait that nobody has taken yet: how long until the shipper has delivered all of it and ended.
//
//   npm run bench log-shipper/drain                          half a minute
//   node bench/log-shipper/drain.ts --rounds=2 --no-record
//   … --program=/path/to/main.cjs                            another bundle of the shipper
import { linkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median, observeCircumstances, spread, writeReport } from "../report.ts";
import { verdict } from "./goals.ts";
import { engineVersion, pause } from "./host.ts";
import { lineBytes, writeLines } from "./lines.ts";
import { makeFolder, makePlace } from "./peer.ts";
import { Receiver } from "./receiver-process.ts";
import { goalsTable } from "./results.ts";
import { bundleShipper, shipperConfig, startShipper } from "./shipper.ts";

const lines = 478_469; // 100 MB
const formats = ["raw", "json"] as const;

type Drain = { readonly deliveredMs: number; readonly endedMs: number };

/** The receiver accepts and reads nothing until the moment of the signal. */
async function drain(program: string, folder: string, format: (typeof formats)[number]): Promise<Drain> {
  const receiver = await Receiver.start(), place = makePlace(folder);
  receiver.tell({ do: "stall" });
  linkSync(join(folder, "lines"), join(place.logs, "app.log"));
  const { child, exited } = startShipper({ program, place, config: shipperConfig(format, place, receiver.forwardPort) });
  try {
    await pause(2_000);
    const all = receiver.expect({ do: "count", lines, decode: false }, 60_000), startNs = process.hrtime.bigint();
    child.kill("SIGTERM");
    receiver.tell({ do: "go" });
    const code = await exited, endNs = process.hrtime.bigint();
    if (code !== 0) throw new Error(`The shipper ended with ${String(code)} and has delivered ${(await receiver.total()).lines} of ${lines} lines`);
    return { deliveredMs: Number(BigInt((await all).atNs) - startNs) / 1e6, endedMs: Number(endNs - startNs) / 1e6 };
  } finally {
    child.kill("SIGKILL");
    await receiver.end();
    rmSync(place.folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: "string" }, program: { type: "string" }, "no-record": { type: "boolean" } } });
  const circumstances = observeCircumstances(engineVersion()), folder = makeFolder(), rounds = Number(values.rounds ?? "5");
  try {
    const program = values.program ?? await bundleShipper(join(folder, "bundle"));
    writeLines(join(folder, "lines"), 0, lines);
    const measured = new Map<string, Drain[]>(formats.map((format) => [format, []]));
    for (let round = 0; round < rounds; round += 1) for (const format of formats) measured.get(format)?.push(await drain(program, folder, format));
    const verdicts = [...measured].map(([format, list]) => verdict(`${format}: SIGTERM to the end with everything delivered, median, ms`, median(list.map((each) => each.endedMs)), { atMost: 2_000 }));
    for (const { goal, limit, measured: value, met } of verdicts) console.log(`${met ? "met    " : "NOT MET"} ${goal}: ${value} (${limit})`);
    if (values["no-record"] === true) return;
    await writeReport("log-shipper-drain", {
      title: "SIGTERM with a backlog of 100 MB",
      circumstances: circumstances(Date.now()),
      columns: ["format", "last line with the receiver, ms", "process has ended, ms"],
      rows: [...measured].map(([format, list]) => [format, spread(list.map((each) => each.deliveredMs), 0), spread(list.map((each) => each.endedMs), 0)]),
      remarks: [
        `${lines} lines, ${(lines * lineBytes / 1e6).toFixed(0)} MB; medians of ${rounds} rounds (lowest to highest). At the moment of the signal the receiver, which took nothing until then, begins to read. Exit code 0 each time, every line counted.`,
        "The shipper waits until the files have been quiet for half a second (drain.quietMs), counted from the signal; that is a part of the time.",
        ...goalsTable(verdicts),
      ],
      values: { goals: verdicts, rounds: Object.fromEntries(measured) },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
