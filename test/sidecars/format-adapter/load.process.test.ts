// Many reports at once, large ones, and a machine that gives less than it should.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { copyConfig, end, makePlace, metricsOf, mountTmpfs, published, read, ready, rename, running, start, standStill, startFaulty, type Adapter, type Place } from "./adapter-process.ts";

const isRoot = process.getuid?.() === 0;
const sum = (text: string, name: string): number => [...text.matchAll(new RegExp(`^podkit_format_adapter_${name}(?:\\{[^}]*\\})? (\\d+)$`, "gm"))].reduce((total, match) => total + Number(match[1]), 0);

test("two thousand reports that come while the process is stopped are all adapted, none twice", async () => {
  const place = makePlace();
  copyConfig(place);
  const adapter = await start(place);
  await ready(adapter);
  const count = 2_000;
  await standStill(adapter);
  for (let index = 0; index < count; index++) rename(place, `r${index}.csv`, `a\n${index}\n`);
  adapter.child.kill("SIGCONT");
  await eventually(() => published(place).length === count, { timeoutMs: 120_000, intervalMs: 100 });
  // What would be adapted twice is by the time a later report is there, and another look was taken.
  for (const name of ["later", "last"]) {
    rename(place, `${name}.csv`, "a\n0\n");
    await eventually(() => published(place).includes(`${name}.csv`));
  }
  for (let index = 0; index < count; index += 97) assert.equal(read(place, `r${index}.csv`), `a\n${index}\n`);
  // A report has its name before it is counted.
  const metrics = await eventually(async () => {
    const body = await metricsOf(adapter);
    return sum(body, "files_adapted_total") >= count + 2 ? body : false;
  });
  assert.deepEqual([sum(metrics, "files_adapted_total"), sum(metrics, "files_unchanged_total")], [count + 2, 0]);
  await end(adapter);
});

test("/livez and /metrics answer in the middle of a long conversion, and SIGTERM ends it", async () => {
  const place = makePlace();
  // Made record by record, which is slow.
  copyConfig(place, { mappings: `      slow: {in: {format: csv, columns: {a: string}}, out: {format: csv, file: "${place.legacy}/{name}.csv"}, fields: {b: {expr: "upper(replace(a, 'x', 'yy'))", type: string}, c: {expr: "matches(a, '^(x|[0-9])+$')", type: bool}}}\n` });
  // It stops itself at the beginning, so that this process is there from then on.
  const { adapter, signalled } = await startFaulty(place, "signal SIGSTOP 100000");
  await ready(adapter);
  writeFileSync(join(place.reports, ".r.tmp"), `a\n${"xxxxxxxxxxxx12345678\n".repeat(3_000_000)}`);
  renameSync(join(place.reports, ".r.tmp"), join(place.reports, "r.csv"));
  const sizeInWork = (): number => readdirSync(place.legacy).filter((name) => name.startsWith(".")).map((name) => statSync(join(place.legacy, name), { throwIfNoEntry: false })?.size ?? 0)[0] ?? 0;
  await signalled();
  adapter.child.kill("SIGCONT");
  const sizes = new Set<number>();
  for (let answers = 0; sizes.size < 5; answers++) {
    assert.deepEqual(published(place), [], "no answer came before the report was done");
    assert.equal((await adapter.get(answers % 2 === 0 ? "/livez" : "/metrics")).status, 200);
    sizes.add(sizeInWork());
  }
  await end(adapter);
  assert.deepEqual(readdirSync(place.legacy), []);
});

test("a mapping that changes while reports wait for their turn holds for all of them in the end", async () => {
  const place = makePlace();
  copyConfig(place, { rules: "    concurrency: 1\n" });
  const adapter = await start(place);
  await ready(adapter);
  const count = 400;
  for (let index = 0; index < count; index++) writeFileSync(join(place.reports, `.r${index}`), `a\n${index}\n`);
  for (let index = 0; index < count; index++) renameSync(join(place.reports, `.r${index}`), join(place.reports, `r${index}.csv`));
  await eventually(() => published(place).length > 0, { intervalMs: 1 });
  copyConfig(place, { rules: "    concurrency: 1\n", fields: "{renamed: a}" });
  await eventually(() => published(place).length === count && published(place).every((name) => read(place, name).startsWith("renamed\n")), { timeoutMs: 120_000, intervalMs: 100 });
  for (let index = 0; index < count; index += 37) assert.equal(read(place, `r${index}.csv`), `renamed\n${index}\n`);
  await ready(adapter);
  await end(adapter);
});

test("what a writer left in the middle of a record when it was killed is not adapted, and the whole report is when it comes", async () => {
  const place = makePlace();
  copyConfig(place);
  const adapter = await start(place);
  await ready(adapter);
  const path = join(place.reports, "r.csv");
  const writer = spawn("sh", ["-c", `printf 'a\\n1\\n"2, and' > '${path}'; kill -KILL $$`]);
  running.add(writer);
  assert.deepEqual(await once(writer, "exit"), [null, "SIGKILL"]);
  await eventually(async () => (await metricsOf(adapter)).includes('waiting_files{adapter="copy"} 1\n'));
  rename(place, "other.csv", "a\n1\n");
  await eventually(() => published(place).length > 0);
  assert.deepEqual(published(place), ["other.csv"]);
  rename(place, "r.csv", 'a\n1\n"2, and 3"\n');
  await eventually(() => published(place).includes("r.csv"));
  assert.equal(read(place, "r.csv"), 'a\n1\n"2, and 3"\n');
  await end(adapter);
});

/** A user namespace has limits of its own, so that the kernel refuses in earnest and nobody else notices. */
const limited = (limit: string, value: number): readonly string[] => ["unshare", "--user", "--map-root-user", "sh", "-c", `echo ${value} > /proc/sys/user/${limit} && exec "$@"`, "sh"];
const canLimit = spawnSync("unshare", ["--user", "--map-root-user", "test", "-w", "/proc/sys/user/max_inotify_watches"]).status === 0;

for (const [what, limit] of [
  ["no file watch (ENOSPC)", "max_inotify_watches"],
  ["no inotify instance (EMFILE)", "max_inotify_instances"],
] as const) {
  test(`when the kernel gives ${what}, the adapter says so, polls, and does not wait for the next scan`, { skip: canLimit ? false : "needs user namespaces with limits of their own" }, async () => {
    const place = makePlace();
    copyConfig(place, { reconcile: "1h" });
    const adapter = await start(place, { under: limited(limit, 0) });
    await ready(adapter);
    for (const name of ["one.csv", "two.csv"]) {
      rename(place, name, "a\n1\n");
      await eventually(() => published(place).includes(name), { what: `${name}; ${adapter.output()}` });
    }
    assert.match(adapter.output(), /The kernel refuses more file watches; polling instead/);
    await end(adapter);
  });
}

test("reports, adapted reports and state may lie on three file systems: nothing is renamed from one to another", { skip: isRoot ? false : "needs root: it mounts" }, async () => {
  const place = makePlace();
  for (const path of [place.reports, place.legacy, place.state]) mountTmpfs(path, "size=4m");
  copyConfig(place);
  const adapter = await start(place);
  rename(place, "good.csv", "a\n1\n");
  rename(place, "bad.csv", "b\n1\n");
  await eventually(async () => published(place).length === 1 && /quarantined_total\{reason="COLUMN"\} 1\n/.test(await metricsOf(adapter)));
  assert.equal(read(place, "good.csv"), "a\n1\n");
  assert.equal(readdirSync(join(place.state, "quarantine")).length, 2);
  await ready(adapter);
  await end(adapter);
});

const canMakeDevice = (place: Place): boolean => spawnSync("mknod", [join(place.reports, "device.csv"), "c", "1", "5"]).status === 0;

test("a device in the folder is never read", { skip: isRoot ? false : "needs root: it makes a device" }, async (t) => {
  const place = makePlace();
  if (!canMakeDevice(place)) return t.skip("the machine does not let devices be made");
  copyConfig(place);
  const adapter: Adapter = await start(place);
  rename(place, "r.csv", "a\n1\n");
  await eventually(async () => published(place).length === 1 && /ignored_files\{adapter="copy",reason="special"\} 1\n/.test(await metricsOf(adapter)));
  await ready(adapter);
  assert.deepEqual(published(place), ["r.csv"]);
  await end(adapter);
});
