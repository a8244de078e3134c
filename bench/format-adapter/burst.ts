// 30,000 reports renamed into the folder as fast as one process can: all adapted, none twice.
//
//   npm run bench format-adapter/burst      FILES=n for another number; STALL=1 also stops the adapter while they come, so that
//                                           the kernel's event queue (16,384 by default) overflows
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { observeCircumstances, writeReport } from "../report.ts";
import { bundleAdapter, makePlace, start, type Program } from "./adapter.ts";

const files = Number(process.env["FILES"] ?? "30000");
const stalls = process.env["STALL"] === "1" ? [true] : [false, true];

type Result = { readonly stalled: boolean; readonly seconds: number; readonly cpuSeconds: number; readonly peakMiB: number; readonly adapted: number; readonly unchanged: number; readonly missed: number; readonly right: number };

const textOf = (index: number): string => `id,amount,qty,name\n${index},${index % 1000}.50,2,customer ${index}\n`;
const expected = (index: number): string => `order_id,customer,total\n${index},customer ${index},${(index % 1000) * 2 + 1}.00\n`;

async function burst(program: Program, stalled: boolean): Promise<Result> {
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
const directory = mkdtempSync(join(tmpdir(), "podkit-bench-burst-"));
const program = await bundleAdapter(directory);
const results: Result[] = [];
const isRight = ({ right, adapted, unchanged }: Result): boolean => right === files && adapted === files && unchanged === 0;
for (const stalled of stalls) {
  const result = await burst(program, stalled);
  console.error(`${stalled ? "stopped meanwhile" : "at work"}: ${result.right} right, ${result.adapted} adapted, ${result.unchanged} again, ${result.seconds.toFixed(1)} s`);
  results.push(result);
}
rmSync(directory, { recursive: true });
await writeReport("format-adapter-burst", {
  title: `The format adapter: a burst of ${files} reports`,
  circumstances: circumstances(Date.now()),
  columns: ["burst", "right", "adapted", "again", "missed by events, found by scan", "seconds", "CPU seconds", "peak MiB", "goal"],
  rows: results.map((each) => [each.stalled ? "the adapter stopped meanwhile" : "the adapter at work", String(each.right), String(each.adapted), String(each.unchanged), String(each.missed), each.seconds.toFixed(1), each.cpuSeconds.toFixed(1), each.peakMiB.toFixed(0), `all, none twice: ${isRight(each) ? "met" : "NOT MET"}`]),
  remarks: ["Small reports of one record, the bundled program as its image starts it, defaults (fsync of each file, of the folder, ledger). `right`: outputs equal to what was expected, byte for byte."],
  values: results,
});
if (!results.every(isRight)) process.exitCode = 1;
