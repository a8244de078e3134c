import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { cleanups, copyConfig, end, entry, makePlace, metricsOf, mountTmpfs, published, read, ready, rename, running, start, type Adapter, type Place } from "./adapter-process.ts";

const isRoot = process.getuid?.() === 0;

const waiting = async (adapter: Adapter, count: number): Promise<void> => void (await eventually(async () => (await metricsOf(adapter)).includes(`waiting_files{adapter="copy"} ${count}\n`), { what: `${count} waiting` }));

/** Where nobody listens. */
const nobody = "127.0.0.1:1";

/** Runs a command: its exit code, and all it says. It asks the adapter at `admin`, where it asks one. */
async function command(place: Place, argv: readonly string[], admin = nobody): Promise<readonly [number | null, string]> {
  const child = spawn(process.execPath, [entry, ...argv, "--config", place.config], { env: { PODKIT_ADMIN_ADDR: admin, PODKIT_LOG_LEVEL: "error" }, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (text += part.toString()));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return [code, text];
}

test("with a done-file a report waits for it, and when it is written anew, for a new one", async () => {
  const place = makePlace();
  copyConfig(place, { ready: '[rename, {done-file: {pattern: "{file}.done"}}]', match: "*" });
  const adapter = await start(place);
  rename(place, "r.csv", "a\n1\n");
  await waiting(adapter, 1);
  assert.deepEqual(published(place), []);
  writeFileSync(join(place.reports, "r.csv.done"), "");
  await eventually(() => published(place).length === 1);
  assert.deepEqual(published(place), ["r.csv"], "the done-file itself is no report");
  rename(place, "r.csv", "a\n2\n");
  // The old done-file is older than the new report.
  const old = new Date(Date.now() - 60_000);
  utimesSync(join(place.reports, "r.csv.done"), old, old);
  await waiting(adapter, 1);
  assert.equal(read(place, "r.csv"), "a\n1\n");
  writeFileSync(join(place.reports, "r.csv.done"), "again");
  await eventually(() => read(place, "r.csv") === "a\n2\n");
  await end(adapter);
});

test("with closed a report waits for its writer, however long that pauses, and not for readers", async () => {
  const place = makePlace();
  copyConfig(place, { ready: "[closed]" });
  const adapter = await start(place);
  await ready(adapter);
  const reader = openSync(join(place.reports, "..", "config.yaml"), "r");
  const writer = openSync(join(place.reports, "r.csv"), "a");
  writeSync(writer, "a\n1\n");
  await waiting(adapter, 1);
  await waiting(adapter, 1);
  assert.deepEqual(published(place), []);
  writeSync(writer, "2\n");
  const other = openSync(join(place.reports, "r.csv"), "r");
  closeSync(writer);
  await eventually(() => published(place).length === 1);
  assert.equal(read(place, "r.csv"), "a\n1\n2\n");
  for (const file of [reader, other]) closeSync(file);
  await end(adapter);
});

test("with closed, an adapter that cannot see what others have open adapts nothing and says why", { skip: isRoot ? false : "needs root: it changes users" }, async (t) => {
  const place = makePlace();
  copyConfig(place, { ready: "[closed]" });
  const stranger = 65_532;
  try {
    execFileSync(process.execPath, [entry, "--version"], { uid: stranger, gid: stranger, stdio: "ignore" });
  } catch {
    t.skip("the sources cannot be read by another user");
    return;
  }
  for (const path of [place.reports, place.legacy, join(place.reports, ".."), join(place.reports, "../..")]) execFileSync("chmod", ["777", path]);
  const adapter = await start(place, { uid: stranger });
  rename(place, "r.csv", "a\n1\n");
  await eventually(async () => /cannot see which files process .* the same runAsUser/.test((await adapter.get("/readyz")).body));
  assert.deepEqual(published(place), []);
  await end(adapter);
});

test("stable waits for the whole quiet time behind the last change", async () => {
  const place = makePlace();
  const quietMs = 600;
  copyConfig(place, { ready: `[{stable: {quiet: ${quietMs}ms, checks: 4}}]` });
  const adapter = await start(place);
  await ready(adapter);
  /** False when this process was held up so long that the report may have been quiet, which proves nothing. */
  const growsUnseen = async (name: string): Promise<boolean> => {
    writeFileSync(join(place.reports, name), "a\n");
    for (let line = 1; line <= 5; line++) {
      const at = performance.now();
      appendFileSync(join(place.reports, name), `${line}\n`);
      await eventually(() => performance.now() - at > quietMs / 2, { intervalMs: 10 });
      const isThere = published(place).includes(name);
      if (performance.now() - at >= quietMs) return false;
      assert.ok(!isThere, `${name} was published while it grew`);
    }
    return true;
  };
  let tries = 1;
  while (!(await growsUnseen(`r${tries}.csv`))) tries++;
  await eventually(() => published(place).includes(`r${tries}.csv`) && read(place, `r${tries}.csv`) === "a\n1\n2\n3\n4\n5\n");
  await end(adapter);
});

const unchangedOf = async (adapter: Adapter): Promise<number> => Number(/files_unchanged_total\{mapping="copy"\} (\d+)\n/.exec(await metricsOf(adapter))?.[1] ?? 0);

test("mirror takes the adapted form away with its report, also one removed while no adapter ran, and never that of a replaced folder", async () => {
  const place = makePlace();
  copyConfig(place, { rules: "    onDelete: mirror\n    publish: {manifest: \"{file}.json\", done: \"{file}.ok\"}\n" });
  const adapter = await start(place);
  for (const name of ["a.csv", "b.csv", "c.csv"]) rename(place, name, "a\n1\n");
  await eventually(() => published(place).length === 9);
  unlinkSync(join(place.reports, "a.csv"));
  await eventually(() => published(place).length === 6);
  // Taken away and put again within a second: that is a replacement, not a removal. Again if this process was held up for longer.
  for (let isQuick = false; !isQuick; ) {
    const [inode, unchanged] = [statSync(join(place.legacy, "b.csv"), { bigint: true }).ino, await unchangedOf(adapter)];
    const at = performance.now();
    unlinkSync(join(place.reports, "b.csv"));
    rename(place, "b.csv", "a\n1\n");
    isQuick = performance.now() - at < 1_000;
    if (isQuick) await eventually(async () => (await unchangedOf(adapter)) > unchanged);
    else await eventually(async () => published(place).length === 6 && (await metricsOf(adapter)).includes('waiting_files{adapter="copy"} 0\n'));
    if (isQuick) assert.equal(statSync(join(place.legacy, "b.csv"), { bigint: true }).ino, inode);
  }
  await end(adapter);
  unlinkSync(join(place.reports, "b.csv"));
  const again = await start(place);
  await eventually(() => published(place).length === 3);
  renameSync(place.reports, `${place.reports}.away`);
  mkdirSync(place.reports);
  rename(place, "d.csv", "a\n1\n");
  await eventually(() => published(place).includes("d.csv"));
  const from = performance.now();
  await eventually(() => performance.now() - from > 1_600, { intervalMs: 100 });
  assert.ok(published(place).includes("c.csv"), "the folder was replaced, its report was not removed");
  await end(again);
});

test("what somebody else put in the place of an adapted report is not taken away", async () => {
  const place = makePlace();
  copyConfig(place, { rules: "    onDelete: mirror\n" });
  const adapter = await start(place);
  rename(place, "r.csv", "a\n1\n");
  await eventually(() => published(place).length === 1);
  writeFileSync(join(place.legacy, "r.csv"), "mine\n");
  unlinkSync(join(place.reports, "r.csv"));
  await eventually(() => adapter.output().includes("Removed with its report"));
  assert.equal(read(place, "r.csv"), "mine\n");
  await end(adapter);
});

test("manifest and done-file stand beside each adapted report, true to its bytes, and come back when they are lost", async () => {
  const place = makePlace();
  copyConfig(place, { rules: '    publish: {manifest: "{file}.manifest.json", done: "{name}.done"}\n' });
  const adapter = await start(place);
  rename(place, "r.csv", "a\n1\n2\n");
  await eventually(() => published(place).length === 3);
  const check = (): void => {
    const manifest = JSON.parse(read(place, "r.csv.manifest.json")) as Record<string, unknown>;
    const text = read(place, "r.csv");
    assert.deepEqual({ ...manifest, mappingHash: "" }, { version: 1, file: "r.csv", rows: text.split("\n").length - 2, bytes: text.length, sha256: createHash("sha256").update(text).digest("hex"), source: "r.csv", mapping: "copy", mappingHash: "" });
    assert.match(String(manifest["mappingHash"]), /^[0-9a-f]{16}$/);
  };
  check();
  rename(place, "r.csv", "a\n1\n2\n3\n");
  await eventually(() => read(place, "r.csv.manifest.json").includes('"rows": 3'));
  check();
  await end(adapter);
  rmSync(place.state, { recursive: true });
  rmSync(join(place.legacy, "r.csv.manifest.json"));
  const inode = statSync(join(place.legacy, "r.csv"), { bigint: true }).ino;
  const again = await start(place);
  await eventually(() => published(place).length === 3);
  check();
  assert.equal(statSync(join(place.legacy, "r.csv"), { bigint: true }).ino, inode, "equal bytes are not written again");
  await end(again);
});

test("retention removes the oldest adapted inputs and outputs, never an input that is not adapted", async () => {
  const place = makePlace();
  copyConfig(place, { match: "*", rules: "    retention: {inputs: {maxCount: 2}, outputs: {maxCount: 3}}\n" });
  const adapter = await start(place);
  rename(place, "bad.csv", "b\n1\n");
  await eventually(async () => /quarantined_total\{reason="COLUMN"\} 1\n/.test(await metricsOf(adapter)));
  for (let index = 1; index <= 6; index++) {
    rename(place, `r${index}.csv`, `a\n${index}\n`);
    const at = new Date(Date.now() - 100_000 + index * 1_000);
    utimesSync(join(place.reports, `r${index}.csv`), at, at);
    await eventually(() => published(place).includes(`r${index}.csv`));
  }
  await eventually(() => assert.deepEqual(readdirSync(place.reports).toSorted(), ["bad.csv", "r5.csv", "r6.csv"]) === undefined);
  await eventually(() => assert.deepEqual(published(place), ["r4.csv", "r5.csv", "r6.csv"]) === undefined);
  await end(adapter);
  // An output that retention took away does not come back while its input is unchanged.
  const again = await start(place);
  await ready(again);
  assert.deepEqual(published(place), ["r4.csv", "r5.csv", "r6.csv"]);
  // The refused report takes no adapted one's place, though it is younger than all of them.
  assert.deepEqual(readdirSync(place.reports).toSorted(), ["bad.csv", "r5.csv", "r6.csv"]);
  await end(again);
});

test("by default nothing is ever removed from the folder of the reports, which may be mounted read-only", { skip: isRoot ? false : "needs root: it mounts" }, async () => {
  const place = makePlace();
  copyConfig(place, { match: "*" });
  for (const [name, text] of [["good.csv", "a\n1\n"], ["bad.csv", "b\n1\n"]] as const) writeFileSync(join(place.reports, name), text);
  execFileSync("mount", ["--bind", place.reports, place.reports]);
  cleanups.push(() => void execFileSync("umount", ["--lazy", place.reports]));
  execFileSync("mount", ["-o", "remount,ro,bind", place.reports]);
  assert.throws(() => writeFileSync(join(place.reports, "x"), ""), /EROFS/);
  const adapter = await start(place);
  await eventually(async () => published(place).length === 1 && /quarantined_total\{reason="COLUMN"\} 1\n/.test(await metricsOf(adapter)));
  await ready(adapter);
  assert.deepEqual(readdirSync(place.reports).toSorted(), ["bad.csv", "good.csv"]);
  await end(adapter);
});

for (const isRunning of [true, false]) {
  test(`replay takes refused reports up again, ${isRunning ? "by the running adapter" : "also when none runs"}`, async () => {
    const place = makePlace();
    copyConfig(place);
    const adapter = await start(place);
    const admin = /"admin":"([^"]+)"/.exec(adapter.output())?.[1];
    for (const name of ["here.csv", "gone.csv", "replaced.csv"]) rename(place, name, `b\n${name}\n`);
    await eventually(async () => /quarantined_total\{reason="COLUMN"\} 3\n/.test(await metricsOf(adapter)));
    unlinkSync(join(place.reports, "gone.csv"));
    rename(place, "replaced.csv", "a\nnew\n");
    await eventually(() => published(place).length === 1);
    const refused = await command(place, ["replay"], admin);
    assert.equal(refused[0], 75);
    assert.match(refused[1], /here\.csv\.[0-9a-f]{8}: refused: COLUMN on line 1/);
    assert.match(refused[1], /gone\.csv\.[0-9a-f]{8}: refused/);
    assert.match(refused[1], /replaced\.csv\.[0-9a-f]{8}: left: another report has its name now/);
    // A mapping that takes them. Reports that stand there are then taken up without being asked; the one that went is not.
    copyConfig(place, { mappings: `      copy: {in: {format: csv}, out: {format: csv, file: "${place.legacy}/{name}.csv"}, fields: {a: a}}\n      b: {in: {format: csv}, out: {format: csv, file: "${place.legacy}/{name}.csv"}, fields: {a: b}}\n`, rules: "    detect: [{when: {header: [a]}, use: copy}, {when: {header: [b]}, use: b}]\n" });
    await eventually(() => published(place).length === 2 && !readdirSync(join(place.state, "quarantine")).some((name) => name.startsWith("here.csv")));
    if (!isRunning) await end(adapter);
    const taken = await command(place, ["replay"], isRunning ? admin : nobody);
    assert.match(taken[1], /gone\.csv\.[0-9a-f]{8}: adapted: .*gone\.csv/);
    assert.match(taken[1], /2 in quarantine taken up, 1 adapted/);
    assert.deepEqual(published(place), ["gone.csv", "here.csv", "replaced.csv"]);
    assert.equal(read(place, "gone.csv"), "a\ngone.csv\n");
    assert.deepEqual(readdirSync(join(place.state, "quarantine")).filter((name) => !name.startsWith("replaced")), [], "what was adapted leaves quarantine");
    assert.match((await command(place, ["replay", "nobody"], isRunning ? admin : nobody))[1], /nobody: left: is not in quarantine/);
    if (isRunning) await end(adapter);
  });
}

/** Each folder is adapted into the other. */
function bothWays(place: Place): void {
  const one = (name: string, from: string, to: string, fields: string): string => `  - name: ${name}\n    watch: {dir: ${from}, match: "*.csv", reconcile: 100ms}\n    mappings: {${name}: {in: {format: csv}, out: {format: csv, file: "${to}/{name}.csv"}, fields: ${fields}}}\n`;
  writeFileSync(place.config, `stateDirectory: ${place.state}\nadapters:\n${one("forth", place.reports, place.legacy, "{b: a}")}${one("back", place.legacy, place.reports, "{a: b}")}`);
}

test("folders that are adapted into each other do not feed each other for ever", async () => {
  const place = makePlace();
  bothWays(place);
  const adapter = await start(place);
  rename(place, "new.csv", "a\n1\n");
  writeFileSync(join(place.legacy, ".old.tmp"), "b\n2\n");
  renameSync(join(place.legacy, ".old.tmp"), join(place.legacy, "old.csv"));
  await eventually(() => existsSync(join(place.legacy, "new.csv")) && existsSync(join(place.reports, "old.csv")));
  assert.equal(readFileSync(join(place.reports, "old.csv"), "utf8"), "a\n2\n");
  const count = async (): Promise<number> => [...(await metricsOf(adapter)).matchAll(/(?:files_adapted|files_unchanged|quarantined)_total\{[^}]*\} (\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
  await eventually(async () => (await count()) === 2);
  const from = performance.now();
  await eventually(() => performance.now() - from > 1_000);
  assert.equal(await count(), 2, "something went round");
  // A change at its own side goes over; the other side follows.
  rename(place, "new.csv", "a\n9\n");
  await eventually(() => read(place, "new.csv") === "b\n9\n");
  // Both sides wrote one name: each keeps its own.
  writeFileSync(join(place.legacy, ".x"), "b\n7\n");
  rename(place, "both.csv", "a\n8\n");
  await eventually(() => read(place, "both.csv") === "b\n8\n");
  renameSync(join(place.legacy, ".x"), join(place.legacy, "both.csv"));
  await eventually(async () => /quarantined_total\{reason="NAME"\} 1\n/.test(await metricsOf(adapter)));
  assert.equal(readFileSync(join(place.reports, "both.csv"), "utf8"), "a\n8\n", "an input was overwritten");
  assert.equal(read(place, "both.csv"), "b\n7\n");
  await end(adapter);
  // Without the ledger nobody knows who wrote what; still nothing goes round and nothing is overwritten.
  rmSync(place.state, { recursive: true });
  const again = await start(place);
  await ready(again);
  const since = performance.now();
  await eventually(() => performance.now() - since > 800);
  assert.deepEqual(["new", "old", "both"].map((name) => [readFileSync(join(place.reports, `${name}.csv`), "utf8"), read(place, `${name}.csv`)]), [["a\n9\n", "b\n9\n"], ["a\n2\n", "b\n2\n"], ["a\n8\n", "b\n7\n"]]);
  await end(again);
});

test("an input that went does not come back by the way of its adapted form", async () => {
  const place = makePlace();
  bothWays(place);
  const adapter = await start(place);
  rename(place, "r.csv", "a\n1\n");
  await eventually(() => published(place).length === 1);
  unlinkSync(join(place.reports, "r.csv"));
  const since = performance.now();
  await eventually(() => performance.now() - since > 700);
  assert.deepEqual(readdirSync(place.reports), []);
  assert.equal(read(place, "r.csv"), "b\n1\n");
  await end(adapter);
});

test("a second adapter with the same state waits for the first one's end", async () => {
  const place = makePlace();
  copyConfig(place);
  const first = await start(place);
  rename(place, "r.csv", "a\n1\n");
  await eventually(() => published(place).length === 1);
  const second = await start(place);
  await eventually(async () => /another adapter is at work with/.test((await second.get("/readyz")).body));
  const [code, text] = await command(place, ["run", "--once"]);
  assert.equal(code, 75);
  assert.ok(text.includes(`an adapter is at work with ${place.state}`), text);
  first.child.kill("SIGKILL");
  await first.exit;
  await ready(second);
  rename(place, "s.csv", "a\n1\n");
  await eventually(() => published(place).length === 2);
  await end(second);
});

test("a changed rule that chooses the same mapping adapts nothing again; onMappingChange: ignore leaves old reports as they are", async () => {
  const place = makePlace();
  const mappings = (to: string): string => `      one: {in: {format: csv, strict: false}, out: {format: csv, file: "${place.legacy}/{name}.csv"}, fields: {${to}: a}}\n      two: {in: {format: csv, strict: false}, out: {format: csv, file: "${place.legacy}/{name}.csv"}, fields: {z: b}}\n`;
  const detect = (rules: string): string => `    detect: [${rules}]\n`;
  const [one, two] = ["{when: {header: [a]}, use: one}", "{when: {header: [b]}, use: two}"];
  copyConfig(place, { mappings: mappings("x"), rules: detect(`${one}, ${two}`) });
  const adapter = await start(place);
  rename(place, "a.csv", "a\n1\n");
  rename(place, "ab.csv", "a,b\n1,2\n");
  await eventually(() => published(place).length === 2);
  const inode = (name: string): bigint => statSync(join(place.legacy, name), { bigint: true }).ino;
  const before = inode("a.csv");
  assert.equal(read(place, "ab.csv"), "x\n1\n");
  copyConfig(place, { mappings: mappings("x"), rules: `    # the rules change their order\n${detect(`${two}, ${one}`)}` });
  await eventually(() => read(place, "ab.csv") === "z\n2\n");
  assert.equal(inode("a.csv"), before, "its mapping is the same as before");
  assert.doesNotMatch(await metricsOf(adapter), /files_unchanged_total\{/, "it was converted again for nothing");
  copyConfig(place, { mappings: mappings("y"), rules: `${detect(`${two}, ${one}`)}    onMappingChange: ignore\n` });
  await eventually(async () => {
    rename(place, "new.csv", "a\n1\n");
    return published(place).includes("new.csv") && read(place, "new.csv") === "y\n1\n";
  }, { intervalMs: 200 });
  assert.equal(read(place, "a.csv"), "x\n1\n");
  await end(adapter);
});

test("order: name publishes in that order however many are in work", async () => {
  const place = makePlace();
  copyConfig(place, { rules: "    concurrency: 8\n" });
  // The first are the largest, and would come last if each came when it is done.
  for (let index = 0; index < 12; index++) writeFileSync(join(place.reports, `r${String(index).padStart(2, "0")}.csv`), `a\n${"1\n".repeat(400_000 / 4 ** index + 1)}`);
  const adapter = await start(place);
  await eventually(() => published(place).length === 12);
  const times = published(place).map((name) => statSync(join(place.legacy, name), { bigint: true }).ctimeNs);
  assert.deepEqual(times, times.toSorted((left, right) => (left < right ? -1 : 1)));
  await end(adapter);
});

test("with publish.reads a metric tells when somebody last read an adapted report; the adapter's own reading does not count", { skip: isRoot ? false : "needs root: it mounts" }, async () => {
  const place = makePlace();
  copyConfig(place, { rules: "    publish: {reads: true}\n" });
  // Access times as Linux keeps them by default, whatever the machine's own mounts do.
  mountTmpfs(place.legacy, "size=4m,relatime");
  rename(place, "r.csv", "a\n1\n");
  const first = await start(place);
  await eventually(() => published(place).length === 1);
  await end(first);
  // Without its ledger it reads what stands there, to compare.
  rmSync(place.state, { recursive: true });
  const again = await start(place);
  await ready(again);
  const metrics = await metricsOf(again);
  assert.match(metrics, /files_unchanged_total\{mapping="copy"\} 1\n/);
  assert.doesNotMatch(metrics, /output_read_timestamp_seconds\{/);
  await end(again);
  const readAt = Date.now() / 1000;
  assert.equal(read(place, "r.csv"), "a\n1\n");
  const after = await start(place);
  const seconds = await eventually(async () => /output_read_timestamp_seconds\{adapter="copy"\} ([\d.e+]+)\n/.exec(await metricsOf(after))?.[1]);
  assert.ok(Math.abs(Number(seconds) - readAt) < 60, seconds);
  await end(after);
});
