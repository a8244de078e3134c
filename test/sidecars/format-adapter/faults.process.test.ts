import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, chmodSync, chownSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { toCsvReport } from "../../../manifests/demo/app/orders.ts";
import { eventually } from "../../support/eventually.ts";
import { end, entry, makePlace, mountTmpfs, orders, published, read, ready, rename, running, start, startFaulty, type Adapter, type Place } from "./adapter-process.ts";

const isRoot = process.getuid?.() === 0;
const needsRoot = isRoot ? false : "needs root: it mounts a file system or changes users";
const stranger = 65_532;

async function notReady(adapter: Adapter, reason: RegExp): Promise<void> {
  await eventually(async () => {
    const { status, body } = await adapter.get("/readyz");
    assert.equal(status, 503);
    assert.match(body, reason);
    return true;
  });
}

const metric = async (adapter: Adapter, pattern: RegExp): Promise<boolean> => pattern.test((await adapter.get("/metrics")).body);

/** Replaces the place's configuration by one folder with CSV copies of the column a; `file` is the output. */
function copyConfig(place: Place, options: { readonly match?: string; readonly ready?: string; readonly file?: string; readonly extra?: string } = {}): void {
  writeFileSync(place.config, `stateDirectory: ${place.state}
${options.extra ?? ""}
adapters:
  - name: copy
    watch: {dir: ${place.reports}, match: ${JSON.stringify(options.match ?? "*")}, ready: ${options.ready ?? "[rename, complete]"}, reconcile: 200ms}
    mappings:
      copy: {in: {format: csv}, out: {format: csv, file: "${options.file ?? `${place.legacy}/{name}.csv`}"}, fields: {a: a}}
`);
}

test("a full output volume shows in readiness with the remedy, leaves nothing half-written, and is taken up when there is room", { skip: needsRoot }, async () => {
  const place = makePlace();
  mountTmpfs(place.legacy, "size=512k");
  writeFileSync(join(place.legacy, "filler"), Buffer.alloc(480 * 1024));
  const adapter = await start(place);
  rename(place, "orders-1.csv", toCsvReport(orders(5_000)));
  await notReady(adapter, /ENOSPC.*free space on the output volume/);
  await eventually(async () => await metric(adapter, /transient_faults_total\{adapter="orders"\} (?:[2-9]|\d\d)/), { what: "a second try" });
  assert.deepEqual(published(place), ["filler"]);
  await eventually(() => assert.deepEqual(readdirSync(place.legacy), ["filler"]) === undefined, { what: "no temporary file between two tries" });
  rmSync(join(place.legacy, "filler"));
  await eventually(() => published(place).length === 1);
  assert.equal(read(place, "orders-1.csv").split("\r\n").length, 5_002);
  await ready(adapter);
  await end(adapter);
});

test("an output volume mounted read-only shows in readiness with the remedy, and is used once it is writable", { skip: needsRoot }, async () => {
  const place = makePlace();
  mountTmpfs(place.legacy, "size=1m");
  execFileSync("mount", ["-o", "remount,ro", place.legacy]);
  const adapter = await start(place);
  rename(place, "orders-1.csv", toCsvReport(orders(1)));
  await notReady(adapter, /EROFS.*mount the output volume writable/);
  execFileSync("mount", ["-o", "remount,rw", place.legacy]);
  await ready(adapter);
  assert.deepEqual(published(place), ["orders-1.csv"]);
  await end(adapter);
});

test("a state volume that is full shows in readiness, work goes on, and the ledger is whole once there is room", { skip: needsRoot }, async () => {
  const place = makePlace();
  mountTmpfs(place.state, "size=64k");
  writeFileSync(join(place.state, "filler"), Buffer.alloc(60 * 1024));
  const adapter = await start(place);
  for (let index = 0; index < 30; index++) rename(place, `orders-${index}.csv`, toCsvReport(orders(1)));
  await eventually(() => published(place).length === 30);
  await notReady(adapter, /cannot write the ledger.*ENOSPC/);
  rmSync(join(place.state, "filler"));
  await ready(adapter);
  await end(adapter);
  const again = await start(place);
  await ready(again);
  assert.doesNotMatch((await again.get("/metrics")).body, /files_(adapted|unchanged)_total\{/, "the ledger forgot what was adapted while it could not be written");
  await end(again);
});

/** The sources may stand where another user may not look. */
const strangerMayRun = ((): boolean => {
  try {
    execFileSync(process.execPath, [entry, "--version"], { uid: stranger, gid: stranger, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();
const needsStranger = needsRoot === false && !strangerMayRun ? "the sources cannot be read by another user" : needsRoot;

test("without the right to write, readiness says so with the remedy; one report that may not be read does not hold up the others", { skip: needsStranger }, async () => {
  const place = makePlace();
  for (const path of [dirname(place.reports), dirname(dirname(place.reports)), place.reports]) chmodSync(path, 0o755);
  mkdirSync(place.state);
  chownSync(place.state, stranger, stranger);
  const adapter = await start(place, { uid: stranger });
  rename(place, "orders-2.csv", toCsvReport(orders(1)));
  await notReady(adapter, /EACCES.*fsGroup that owns the output volume/);
  chownSync(place.legacy, stranger, stranger);
  await ready(adapter);
  assert.deepEqual(published(place), ["orders-2.csv"]);
  writeFileSync(join(place.reports, ".orders-1.csv.tmp"), toCsvReport(orders(1)), { mode: 0o600 });
  renameSync(join(place.reports, ".orders-1.csv.tmp"), join(place.reports, "orders-1.csv"));
  await notReady(adapter, /EACCES.*orders-1\.csv.*fsGroup may read/);
  rename(place, "orders-3.csv", toCsvReport(orders(1)));
  await eventually(() => published(place).includes("orders-3.csv"));
  chmodSync(join(place.reports, "orders-1.csv"), 0o644);
  await ready(adapter);
  assert.deepEqual(published(place), ["orders-1.csv", "orders-2.csv", "orders-3.csv"]);
  await end(adapter);
});

test("hostile names: each is adapted under its own name, or said to be impossible", async () => {
  const place = makePlace();
  copyConfig(place, { file: `${place.legacy}/{name}.old` });
  const adapter = await start(place);
  const longest = "x".repeat(251);
  const tooLong = "y".repeat(252);
  for (const name of ["-rf.csv", "a\nb.csv", "$(id).csv", "..\u202E.csv", `${longest}.csv`, tooLong, "{name}.csv", "%s.csv", "\u00FF\uFFFD.csv"]) writeFileSync(join(place.reports, name), "a\n1\n");
  writeFileSync(Buffer.concat([Buffer.from(`${place.reports}/raw-`), Buffer.from([0xff, 0xfe]), Buffer.from(".csv")]), "a\n1\n");
  await eventually(async () => published(place).length >= 7 && (await metric(adapter, /quarantined_total\{reason="NAME"\} 1\n/)) && (await metric(adapter, /ignored_files\{adapter="copy",reason="encoding"\} 1\n/)));
  assert.deepEqual(published(place), ["$(id).old", "%s.old", "-rf.old", "a\nb.old", `${longest}.old`, "{name}.old", "\u00FF\uFFFD.old"].toSorted());
  assert.match(adapter.output(), /its name is not UTF-8; rename it/);
  await ready(adapter);
  await end(adapter);
});

test("pipes, sockets, links and folders are left alone, and told", { skip: process.platform === "win32" }, async () => {
  const place = makePlace();
  execFileSync("mkfifo", [join(place.reports, "orders-pipe.csv")]);
  const socket = createServer().listen(join(place.reports, "orders-socket.csv"));
  await once(socket, "listening");
  mkdirSync(join(place.reports, "orders-folder.csv"));
  writeFileSync(join(dirname(place.reports), "secret"), toCsvReport(orders(1)));
  symlinkSync("../secret", join(place.reports, "orders-link.csv"));
  symlinkSync("/dev/zero", join(place.reports, "orders-zero.csv"));
  const adapter = await start(place);
  rename(place, "orders-1.csv", toCsvReport(orders(1)));
  await eventually(() => published(place).length === 1);
  await eventually(async () => (await metric(adapter, /ignored_files\{adapter="orders",reason="link"\} 2\n/)) && (await metric(adapter, /ignored_files\{adapter="orders",reason="special"\} 2\n/)));
  assert.deepEqual(published(place), ["orders-1.csv"]);
  await ready(adapter);
  await end(adapter);
  socket.close();
});

test("a watched folder that is replaced, by a folder or by a link, is watched on", async () => {
  const place = makePlace({ reconcile: "500ms" });
  const adapter = await start(place);
  rename(place, "orders-1.csv", toCsvReport(orders(1)));
  await eventually(() => published(place).length === 1);
  renameSync(place.reports, `${place.reports}.old`);
  mkdirSync(place.reports);
  rename(place, "orders-2.csv", toCsvReport(orders(1)));
  await eventually(() => published(place).length === 2);
  renameSync(place.reports, `${place.reports}.older`);
  mkdirSync(`${place.reports}.data`);
  symlinkSync(basename(`${place.reports}.data`), place.reports);
  rename(place, "orders-3.csv", toCsvReport(orders(1)));
  await eventually(() => published(place).length === 3);
  await ready(adapter);
  await end(adapter);
});

test("an output folder that is the watched one by another name is refused before anything is overwritten", async () => {
  const place = makePlace();
  rmSync(place.legacy, { recursive: true });
  symlinkSync(place.reports, place.legacy);
  const text = toCsvReport(orders(1));
  rename(place, "orders-1.csv", text);
  const adapter = await start(place);
  await notReady(adapter, /is the watched folder .* by another name/);
  assert.equal(readFileSync(join(place.reports, "orders-1.csv"), "utf8"), text);
  await end(adapter);
});

test("two adapters may take the same inputs, each once", async () => {
  const place = makePlace();
  const mapping = (name: string): string => `  - name: ${name}\n    watch: {dir: ${place.reports}, match: "*.csv", reconcile: 100ms}\n    mappings: {${name}: {in: {format: csv}, out: {format: csv, file: "${place.legacy}/{name}.${name}.csv"}, fields: {a: a}}}\n`;
  writeFileSync(place.config, `stateDirectory: ${place.state}\nadapters:\n${mapping("one")}${mapping("two")}`);
  const adapter = await start(place);
  rename(place, "r.csv", "a\n1\n");
  await eventually(() => published(place).length === 2);
  rename(place, "s.csv", "a\n1\n");
  await eventually(() => published(place).length === 4);
  await end(adapter);
  const again = await start(place);
  await ready(again);
  const { body } = await again.get("/metrics");
  assert.doesNotMatch(body, /files_(adapted|unchanged)_total\{/);
  await end(again);
});

test("two adapter processes on the same folders publish whole reports all the same", async () => {
  const place = makePlace();
  const other: Place = { ...place, state: `${place.state}-2`, config: `${place.config}.2.yaml` };
  writeFileSync(other.config, readFileSync(place.config, "utf8").replace(place.state, other.state));
  const [one, two] = await Promise.all([start(place), start(other)]);
  for (let index = 0; index < 40; index++) rename(place, `orders-${index}.csv`, toCsvReport(orders(300, index + 1)));
  await eventually(() => published(place).length === 40);
  // Both have taken up each report, one by publishing it, the other by finding it there or publishing the same bytes.
  const takenUp = async (adapter: Adapter): Promise<number> => [...(await adapter.get("/metrics")).body.matchAll(/files_(?:adapted|unchanged)_total\{mapping="v2-to-v1"\} (\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
  await eventually(async () => (await takenUp(one)) === 40 && (await takenUp(two)) === 40);
  for (let index = 0; index < 40; index++) assert.equal(read(place, `orders-${index}.csv`).split("\r\n").length, 302);
  assert.deepEqual(readdirSync(place.legacy).filter((name) => name.startsWith(".")), []);
  await Promise.all([end(one), end(two)]);
});

test("two reports with one adapted form: the first stays, the second is refused", async () => {
  const place = makePlace();
  copyConfig(place);
  const adapter = await start(place);
  rename(place, "r.csv", "a\n1\n");
  await eventually(() => published(place).length === 1);
  rename(place, "r.txt", "a\n2\n");
  await eventually(async () => await metric(adapter, /quarantined_total\{reason="NAME"\} 1\n/));
  assert.equal(read(place, "r.csv"), "a\n1\n");
  rename(place, "r.csv", "a\n3\n");
  await eventually(() => read(place, "r.csv") === "a\n3\n");
  rmSync(join(place.reports, "r.csv"));
  rename(place, "r.txt", "a\n4\n");
  await eventually(() => read(place, "r.csv") === "a\n4\n");
  await end(adapter);
});

test("a report in no mapping's format is refused, not waited for; one whose first record is larger than a block is adapted", async () => {
  const place = makePlace();
  const mapping = (name: string, columns: string): string => `      ${name}: {in: {format: json, columns: ${columns}}, out: {format: csv, file: "${place.legacy}/{name}.csv"}, fields: {a: a}}\n`;
  writeFileSync(place.config, `stateDirectory: ${place.state}\nadapters:\n  - watch: {dir: ${place.reports}, match: "*.json", reconcile: 100ms}\n    detect: [{when: {header: [a, b]}, use: new}, {when: {header: [a]}, use: old}]\n    mappings:\n${mapping("new", "{a: string, b: string}")}${mapping("old", "{a: string}")}`);
  const adapter = await start(place);
  rename(place, "damaged.json", '[{"a":1,}]');
  await eventually(async () => await metric(adapter, /quarantined_total\{reason="VERSION"\} 1\n/));
  rename(place, "empty.json", "[]");
  await eventually(async () => await metric(adapter, /quarantined_total\{reason="VERSION"\} 2\n/));
  rename(place, "large.json", JSON.stringify([{ b: "x".repeat(3_000_000), a: "y" }]));
  await eventually(() => published(place).length === 1);
  assert.equal(read(place, "large.csv"), "a\ny\n");
  rename(place, "drift.json", '[{"a":"1","b":"2"},\r\n{"a":"1","b":"2","c":"3"}]');
  await eventually(async () => await metric(adapter, /quarantined_total\{reason="COLUMN"\} 1\n/));
  const reason = reasons(place).find((each) => each["code"] === "COLUMN");
  assert.deepEqual([reason?.["line"], reason?.["column"], reason?.["byteOffsetOfLine"]], [2, "c", '[{"a":"1","b":"2"},\r\n'.length]);
  await end(adapter);
});

function reasons(place: Place): Record<string, unknown>[] {
  const directory = join(place.state, "quarantine");
  return readdirSync(directory).filter((name) => name.endsWith(".reason.json")).map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")) as Record<string, unknown>);
}

for (const [name, lines, at] of [
  ["CR alone", "a\r1\r2,3\r", 4],
  ["CRLF", "a\r\n1\r\n2,3\r\n", 6],
  ["CR and LF inside quotes", 'a\n"x\ry\r\nz\n"\n2,3\n', 12],
] as const) {
  test(`the reason of a refused report tells the byte where the line begins: ${name}`, async () => {
    const place = makePlace();
    copyConfig(place);
    const adapter = await start(place);
    rename(place, "r.csv", lines);
    await eventually(async () => await metric(adapter, /quarantined_total\{reason="COLUMN"\} 1\n/));
    const [reason] = reasons(place);
    assert.equal(reason?.["byteOffsetOfLine"], at);
    assert.equal(lines.slice(at, at + 3), "2,3");
    await end(adapter);
  });
}

test("bytes that are not UTF-8 are told with their line, also when a character lies across two blocks", async () => {
  const place = makePlace();
  copyConfig(place);
  const adapter = await start(place);
  // Two bytes each from an odd offset: one lies across every border of blocks of any even size.
  const filler = `x${"é".repeat(300_000)}\n`;
  writeFileSync(join(place.reports, ".r.tmp"), Buffer.concat([Buffer.from(`a\n${filler}é\n`), Buffer.from([0x31, 0xff, 0x32, 0x0a])]));
  renameSync(join(place.reports, ".r.tmp"), join(place.reports, "r.csv"));
  await eventually(async () => await metric(adapter, /quarantined_total\{reason="ENCODING"\} 1\n/));
  assert.deepEqual(reasons(place).map((reason) => [reason["line"], reason["sample"]]), [[4, "ff 32 0a"]]);
  await end(adapter);
});

test("quarantine keeps within its limits, the newest first", async () => {
  const place = makePlace();
  copyConfig(place, { extra: "quarantine: {maxFiles: 3, maxBytes: 1000}" });
  const adapter = await start(place);
  for (let index = 0; index < 8; index++) {
    rename(place, `r${index}.csv`, `b\n${"x".repeat(400)}${index}\n`);
    await eventually(async () => await metric(adapter, new RegExp(`quarantined_total\\{reason="COLUMN"\\} ${index + 1}\\n`)));
  }
  rename(place, "large.csv", `b\n${"x".repeat(2000)}\n`);
  await eventually(async () => await metric(adapter, /quarantined_total\{reason="COLUMN"\} 9\n/));
  const names = readdirSync(join(place.state, "quarantine"));
  assert.deepEqual(reasons(place).map((reason) => basename(String(reason["input"]))).toSorted(), ["large.csv", "r6.csv", "r7.csv"]);
  assert.deepEqual(names.filter((name) => !name.endsWith(".reason.json")).map((name) => name.slice(0, 6)), ["r6.csv", "r7.csv"]);
  await end(adapter);
});

/** A report of about 10 MB, written in pieces so that the test stays small itself. */
function writeLargeReport(path: string): number {
  const piece = toCsvReport(orders(20_000));
  const header = piece.slice(0, piece.indexOf("\n") + 1);
  const file = openSync(path, "w");
  writeSync(file, header);
  for (let index = 0; index < 10; index++) writeSync(file, piece.slice(header.length));
  closeSync(file);
  return 10 * 20_000;
}

test("ended in the middle of a large report it leaves nothing, and adapts the report after a restart", async () => {
  const place = makePlace();
  const rows = writeLargeReport(join(place.reports, ".large"));
  const { adapter, signalled } = await startFaulty(place, "signal SIGTERM 1000000");
  await ready(adapter);
  renameSync(join(place.reports, ".large"), join(place.reports, "orders-large.csv"));
  await signalled();
  assert.deepEqual(await adapter.exit, [0, null]);
  assert.deepEqual(readdirSync(place.legacy), []);
  const again = await start(place);
  await eventually(() => published(place).length === 1, { intervalMs: 100 });
  assert.equal(read(place, "orders-large.csv").split("\r\n").length, rows + 2);
  await end(again);
});

test("run --once waits for what the stable rule wants to see, and tells by its exit code what it could not finish", async () => {
  const place = makePlace();
  copyConfig(place, { ready: "[{stable: {quiet: 300ms}}]" });
  writeFileSync(join(place.reports, "r.csv"), "a\n1\n");
  const once = async (): Promise<number | null> => {
    const child = spawn(process.execPath, [entry, "run", "--once", "--config", place.config], { stdio: "ignore" });
    running.add(child);
    return await new Promise((resolve) => child.on("close", resolve));
  };
  assert.equal(await once(), 0);
  assert.deepEqual(published(place), ["r.csv"]);
  appendFileSync(join(place.reports, "r.csv"), "1,2\n");
  assert.equal(await once(), 75);
  assert.equal(read(place, "r.csv"), "a\n1\n");
});
