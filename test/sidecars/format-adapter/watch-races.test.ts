// What others do between two system calls of a look.
import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test, type TestContext } from "node:test";
import { systemClock, type Clock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import { MetricRegistry } from "../../../kit/metrics.ts";
import { registerAdapterMetrics } from "../../../sidecars/format-adapter/adapter-metrics.ts";
import { DirectorySync } from "../../../sidecars/format-adapter/publish/directory-sync.ts";
import type { AdapterOptions } from "../../../sidecars/format-adapter/record.ts";
import { statKey } from "../../../sidecars/format-adapter/stat-key.ts";
import { Ledger } from "../../../sidecars/format-adapter/state/ledger.ts";
import type { Candidate } from "../../../sidecars/format-adapter/watch/candidates.ts";
import { GrowingReports } from "../../../sidecars/format-adapter/watch/growing.ts";
import { Removals } from "../../../sidecars/format-adapter/watch/removals.ts";
import { parseAdapter } from "./support.ts";

type Scene = { readonly reports: string; readonly legacy: string; readonly options: AdapterOptions };

async function makeScene(context: TestContext, rules: string, settings: { readonly file?: string; readonly clock?: Clock } = {}): Promise<Scene> {
  const root = mkdtempSync(join(tmpdir(), "podkit-races-"));
  const [reports, legacy, state] = [join(root, "reports"), join(root, "legacy"), join(root, "state")];
  for (const folder of [reports, legacy]) mkdirSync(folder);
  const adapter = parseAdapter(`${rules.replace("REPORTS", reports)}mappings:\n  m: {in: {format: csv, columns: {a: int64}}, out: {format: csv, file: "${legacy}/${settings.file ?? "{name}.csv"}"}, fields: {b: a}}\n`);
  const log = createLog({ role: "test", level: "silent" });
  const ledger = await Ledger.open(state, [adapter.name], log);
  context.after(async () => {
    await ledger.close();
    rmSync(root, { recursive: true });
  });
  return { reports, legacy, options: {
    adapter, ledger, stateDirectory: state, owner: "00000000", directories: new DirectorySync(), watchedFolders: new Set([reports]), quarantine: { maxFiles: 10, maxBytes: 1_000 },
    metrics: registerAdapterMetrics(new MetricRegistry()), log, clock: settings.clock ?? systemClock, random: Math.random, signal: new AbortController().signal,
  } };
}

const candidateOf = (path: string): Candidate => ({ path, name: basename(path), stat: statKey(lstatSync(path, { bigint: true })) });
const turn = { wait: () => Promise.resolve(), pass: () => undefined };

for (const [when, areBothSeen] of [["between its listing and its opening", true], ["in the middle of the listing", false]] as const) {
  test(`a growing report that is rotated ${when} is read on under its new name`, async (context) => {
    const { reports, legacy, options } = await makeScene(context, 'watch: {dir: REPORTS, match: "*", ready: [rename, {append: {every: 50ms}}]}\n', { file: "{name}.{segment}.csv" });
    const growing = new GrowingReports(options);
    const path = join(reports, "app.csv");
    /** One look at these. */
    const look = async (candidates: readonly Candidate[]): Promise<void> => {
      await growing.followRenames(candidates);
      for (const candidate of candidates) await growing.adaptNext(candidate, "", turn);
    };
    writeFileSync(path, "a\n1\n");
    await look([candidateOf(path)]);
    const before = candidateOf(path);
    renameSync(path, `${path}.1`);
    writeFileSync(path, "a\n2\n");
    await look([areBothSeen ? before : candidateOf(path)]);
    await look([candidateOf(path), candidateOf(`${path}.1`)]);
    assert.deepEqual(readdirSync(legacy).map((name) => readFileSync(join(legacy, name), "utf8")).toSorted(), ["b\n1\n", "b\n2\n"], "each line once");
  });
}

test("a report that was missing is not taken for removed by a look that began before its time was over", async (context) => {
  let nowMs = 0;
  const { reports, legacy, options } = await makeScene(context, 'watch: {dir: REPORTS, match: "*.csv"}\nonDelete: mirror\n', { clock: { ...systemClock, monotonicMs: () => nowMs } });
  const output = join(legacy, "r.csv");
  writeFileSync(output, "b\n1\n");
  await options.ledger.put({ path: join(reports, "r.csv"), adapter: options.adapter.name, stat: "1.1", content: "", mapping: "m", mappingHash: "", outcome: "adapted", output, rows: 1, published: "another", folder: "folder" });
  const removals = new Removals(options);
  const follow = async (lookedMs: number): Promise<number> => (await removals.followDeletions(new Set(), "folder", lookedMs)).pending;
  assert.equal(await follow(0), 1);
  // The process stood still for long behind the listing: the report may be there again.
  nowMs = 60_000;
  assert.equal(await follow(10), 1);
  assert.equal(options.ledger.entriesOf(options.adapter.name).length, 1);
  assert.equal(await follow(1_000), 0);
  assert.equal(options.ledger.entriesOf(options.adapter.name).length, 0);
  assert.ok(existsSync(output), "what somebody else put there stays");
});
