// 30,000 reports renamed into the folder as fast as one process can: all adapted, none twice.
//
//   npm run bench format-adapter/burst      FILES=n for another number; STALL=1 also stops the adapter while they come, so that
//                                           the kernel's event queue (16,384 by default) overflows
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { observeCircumstances, writeReport } from "../report.ts";
import { bundleAdapter, makePlace, start } from "./adapter.ts";

const files = Number(process.env["FILES"] ?? "30000");
const stalls = process.env["STALL"] === "1" ? [true] : [false, true];

type Result = { readonly stalled: boolean; readonly seconds: number; readonly cpuSeconds: number; readonly peakMiB: number; readonly adapted: number; readonly unchanged: number; readonly missed: number; readonly right: number };

const textOf = (index: number): string => `id,amount,qty,name\n${index},${index % 1000}.50,2,customer ${index}\n`;
const expected = (index: number): string => `order_id,customer,total\n${index},customer ${index},${(index % 1000) * 2 + 1}.00\n`;

async function burst(program: string, stalled: boolean): Promise<Result> {
  const place = makePlace();
  const adapter = await start(program, place);
  for (let index = 0; index < files; index++) writeFileSync(join(place.stage, `r${index}.csv`), textOf(index));
  const cpuBefore = adapter.cpuSeconds();
  const beganMs = performance.now();
  if (stalled) adapter.child.kill("SIGSTOP");
  for (let index = 0; index < files; index++) renameSync(join(place.stage, `r${index}.csv`), join(place.reports, `r${index}.csv`));
  if (stalled) adapter.child.kill("SIGCONT");
  const count = (): number => readdirSync(place.legacy).filter((name) => !name.startsWith(".")).length;
  while (count() < files && performance.now() - beganMs < 600_000) await sleep(250);
  const seconds = (performance.now() - beganMs) / 1000;
  const cpuSeconds = adapter.cpuSeconds() - cpuBefore;
  // Two scans more: what events missed is counted, and what would be adapted twice would be by now.
  await sleep(13_000);
  const metrics = await adapter.metrics();
  const sum = (name: string): number => [...metrics.matchAll(new RegExp(`^podkit_format_adapter_${name}\\{[^}]*\\} (\\d+)$`, "gm"))].reduce((total, match) => total + Number(match[1]), 0);
  let right = 0;
  for (let index = 0; index < files; index++) if (readFileSync(join(place.legacy, `r${index}.csv`), "utf8") === expected(index)) right++;
  const result = { stalled, seconds, cpuSeconds, peakMiB: adapter.peakMiB(), adapted: sum("files_adapted_total"), unchanged: sum("files_unchanged_total"), missed: sum("files_missed_by_events_total"), right };
  await adapter.end();
  return result;
}

const circumstances = observeCircumstances("no engine");
const program = await bundleAdapter();
const results: Result[] = [];
for (const stalled of stalls) results.push(await burst(program, stalled));
await writeReport("format-adapter-burst", {
  title: `The format adapter: a burst of ${files} reports`,
  circumstances: circumstances(Date.now()),
  columns: ["burst", "right", "adapted", "again", "missed by events, found by scan", "seconds", "CPU seconds", "peak MiB"],
  rows: results.map((each) => [each.stalled ? "the adapter stopped meanwhile" : "the adapter at work", String(each.right), String(each.adapted), String(each.unchanged), String(each.missed), each.seconds.toFixed(1), each.cpuSeconds.toFixed(1), each.peakMiB.toFixed(0)]),
  remarks: ["Small reports of one record, bundled program, the image's flags, defaults (fsync of each file, of the folder, ledger). `right`: outputs equal to what was expected, byte for byte."],
  values: results,
});
for (const each of results) if (each.right !== files || each.adapted !== files || each.unchanged !== 0) process.exitCode = 1;
