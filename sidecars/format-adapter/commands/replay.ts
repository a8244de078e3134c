import { lstat } from "node:fs/promises";
import type { AdaptOutcome } from "../adapt-file.ts";
import { statKey } from "../stat-key.ts";
import type { Turn } from "../watch/dispatch.ts";
import { adaptReport } from "../watch/pass.ts";
import { identityOf } from "../watch/same-folder.ts";
import { dropQuarantined, listQuarantine, type QuarantinedReport } from "../state/quarantine.ts";
import { quarantineDirectory, recordAdapted, recordRefused, type AdapterOptions } from "../record.ts";

/** What became of one report in quarantine. `left`: nothing was tried, and why. */
export type Replayed = { readonly name: string; readonly input: string; readonly outcome: "adapted" | "refused" | "left"; readonly detail: string };

/**
 * Takes reports in quarantine up again: the report itself when it stands where it was, else the copy that was kept. One whose name another report
 * has now is left, so that nothing old replaces something new. Throws on a transient fault.
 */
export async function replay(adapters: readonly AdapterOptions[], names: readonly string[]): Promise<readonly Replayed[]> {
  const [first] = adapters;
  if (first === undefined) return [];
  const all = await listQuarantine(quarantineDirectory(first));
  const unknown = names.filter((name) => !all.some(({ stem }) => stem === name)).map((name): Replayed => ({ name, input: "", outcome: "left", detail: "is not in quarantine" }));
  const results: Replayed[] = [];
  for (const report of all) {
    if (names.length > 0 && !names.includes(report.stem)) continue;
    const options = adapters.find(({ adapter }) => adapter.name === report.adapter);
    const left = (detail: string): Replayed => ({ name: report.stem, input: report.input, outcome: "left", detail });
    results.push(options === undefined ? left(`its adapter "${report.adapter ?? ""}" is not configured`) : await replayOne(options, report, left));
  }
  return [...unknown, ...results];
}

const alone: Turn = { wait: () => Promise.resolve(), pass: () => undefined };

async function replayOne(options: AdapterOptions, report: QuarantinedReport, left: (detail: string) => Replayed): Promise<Replayed> {
  const { adapter, ledger } = options;
  const { input, content } = report;
  const there = await lstat(input, { bigint: true }).catch(() => undefined);
  const entry = ledger.get(adapter.name, input);
  const isSame = there !== undefined && entry?.outcome === "quarantined" && entry.content === content && entry.stat === statKey(there);
  if (there !== undefined && !isSame) return left("another report has its name now");
  if (there === undefined && adapter.onDelete === "mirror") return left("it was removed, and onDelete is mirror");
  if (there === undefined && report.copy === undefined) return left("it was too large to be kept");
  const source = there === undefined && report.copy !== undefined ? { source: report.copy } : {};
  const outcome = await adaptReport(options, { path: input, turn: alone, ...source });
  return await tell(options, report, outcome, left);
}

async function tell(options: AdapterOptions, report: QuarantinedReport, outcome: AdaptOutcome, left: (detail: string) => Replayed): Promise<Replayed> {
  const { input, stem, content } = report;
  const folder = await identityOf(options.adapter.watch.directory).catch(() => "");
  switch (outcome.kind) {
    case "adapted":
      await recordAdapted(options, input, folder, outcome);
      await dropQuarantined(quarantineDirectory(options), input, content).catch(() => undefined); // gone with the record of it
      return { name: stem, input, outcome: "adapted", detail: outcome.output };
    case "refused":
      await recordRefused(options, input, folder, outcome);
      return { name: stem, input, outcome: "refused", detail: `${outcome.error.code} on line ${outcome.error.line}: ${outcome.error.message}` };
    case "waiting":
      return left(outcome.reason);
    case "same":
    case "torn":
    case "gone":
      return left("it changed just now; the next scan looks at it");
  }
}
