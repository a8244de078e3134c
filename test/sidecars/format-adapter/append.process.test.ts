import assert from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { firstRecordEnd, lastRecordEnd } from "../../../sidecars/format-adapter/watch/record-ends.ts";
import { eventually } from "../../support/eventually.ts";
import { end, makePlace, published, read, standStill, start, type Adapter, type Place } from "./adapter-process.ts";

function appendConfig(place: Place, format: "csv" | "ndjson", match: string): void {
  writeFileSync(place.config, `stateDirectory: ${place.state}\nadapters:\n  - name: grow\n    watch: {dir: ${place.reports}, match: "${match}", ready: [rename, {append: {every: 50ms}}], reconcile: 200ms}\n    mappings:\n      grow: {in: {format: ${format}, columns: {a: int64}}, out: {format: ${format}, file: "${place.legacy}/{name}.{segment}.${format}"}, fields: {b: a}}\n`);
}

/** All that was published of one report, in the order of its segments. */
const values = (place: Place, start = ""): number[] => published(place).filter((name) => name.startsWith(start)).flatMap((name) => {
  const lines = read(place, name).split("\n").slice(0, -1);
  assert.ok(lines.length > 0);
  if (!name.endsWith("csv")) return lines.map((line) => (JSON.parse(line) as { b: number }).b);
  assert.equal(lines[0], "b", `${name} has no header`);
  return lines.slice(1).map(Number);
});

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

for (const [text, first, last] of [
  ["", 0, 0],
  ["a", 0, 0],
  ["a\n", 2, 2],
  ["a\n1\n2", 2, 4],
  ['"x\ny"\n"z\n', 6, 6],
  ['"x""\ny"\n1\n"', 8, 10],
  ['a\r\n1\r\n', 3, 6],
] as const) {
  test(`the records of ${JSON.stringify(text)} end where their line feeds outside quotes are`, () => {
    assert.deepEqual([firstRecordEnd(Buffer.from(text)), lastRecordEnd(Buffer.from(text), true)], [first, last]);
    assert.equal(lastRecordEnd(Buffer.from(text), false), text.lastIndexOf("\n") + 1);
  });
}

test("whole lines of a growing CSV are published as they land, each once, never half a one", async () => {
  const place = makePlace();
  appendConfig(place, "csv", "app.csv");
  const adapter = await start(place);
  const path = join(place.reports, "app.csv");
  writeFileSync(path, "a");
  appendFileSync(path, "\n");
  for (let number = 1; number <= 30; number++) {
    appendFileSync(path, String(number).slice(0, 1));
    if (number % 10 === 5) await eventually(() => assert.deepEqual(values(place), upTo(number - 1)) === undefined);
    appendFileSync(path, `${String(number).slice(1)}\n`);
    if (number % 10 === 0) await eventually(() => assert.deepEqual(values(place), upTo(number)) === undefined);
  }
  await eventually(async () => /waiting_files\{adapter="grow"\} 0\n/.test((await adapter.get("/metrics")).body));
  const segments = published(place);
  assert.deepEqual(segments, segments.map((_, index) => `app.${String(index + 1).padStart(6, "0")}.csv`));
  await end(adapter);
  appendFileSync(path, "31\n");
  const again = await start(place);
  await eventually(() => assert.deepEqual(values(place), upTo(31)) === undefined);
  await end(again);
});

test("killed again and again while it grows, a report's lines are published each exactly once", async () => {
  const place = makePlace();
  appendConfig(place, "ndjson", "app.ndjson*");
  const path = join(place.reports, "app.ndjson");
  let written = 0;
  const grow = (count: number): void => {
    let text = "";
    for (let index = 0; index < count; index++) text += `{"a":${++written}}\n`;
    appendFileSync(path, text);
  };
  for (let round = 0; round < 8; round++) {
    grow(round === 3 ? 60_000 : 200);
    const adapter: Adapter = await start(place);
    const before = published(place).length;
    await eventually(() => {
      grow(3);
      return published(place).length > before + (round % 3);
    }, { intervalMs: 1 });
    adapter.child.kill("SIGKILL");
    await adapter.exit;
  }
  const adapter = await start(place);
  await eventually(() => assert.equal(values(place).length, written) === undefined, { intervalMs: 100 });
  assert.deepEqual(values(place), upTo(written));
  await end(adapter);
});

test("a rotated report is read to its end under its new name, a truncated one begins anew", async () => {
  const place = makePlace();
  appendConfig(place, "csv", "app.csv*");
  const adapter = await start(place);
  const path = join(place.reports, "app.csv");
  writeFileSync(path, "a\n1\n2\n");
  await eventually(() => assert.deepEqual(values(place), [1, 2]) === undefined);
  await standStill(adapter);
  appendFileSync(path, "3\n");
  renameSync(path, `${path}.1`);
  writeFileSync(path, "a\n4\n");
  adapter.child.kill("SIGCONT");
  await eventually(() => assert.deepEqual(values(place).toSorted((left, right) => left - right), [1, 2, 3, 4]) === undefined);
  truncateSync(path, 0);
  appendFileSync(path, "a\n5\n");
  await eventually(() => assert.deepEqual(values(place).toSorted((left, right) => left - right), [1, 2, 3, 4, 5]) === undefined);
  await end(adapter);
});

test("a rotated report is read on under its new name also when no new one stands in its place", async () => {
  const place = makePlace();
  appendConfig(place, "csv", "*.csv*");
  const adapter = await start(place);
  const path = join(place.reports, "app.csv");
  writeFileSync(path, "a\n1\n2\n");
  await eventually(() => assert.deepEqual(values(place), [1, 2]) === undefined);
  renameSync(path, `${path}.1`);
  // Another report tells that a look was taken when there was none of the old name.
  writeFileSync(join(place.reports, "other.csv"), "a\n9\n");
  await eventually(() => values(place).includes(9));
  appendFileSync(`${path}.1`, "3\n");
  await eventually(() => values(place).includes(3));
  writeFileSync(path, "a\n4\n");
  await eventually(() => values(place).includes(4));
  assert.deepEqual(values(place).toSorted((left, right) => left - right), [1, 2, 3, 4, 9]);
  await end(adapter);
});

test("lines that are refused go to quarantine with their header, and the report goes on behind them", async () => {
  const place = makePlace();
  appendConfig(place, "csv", "app.csv");
  const adapter = await start(place);
  const path = join(place.reports, "app.csv");
  writeFileSync(path, "a\n1\n");
  await eventually(() => assert.deepEqual(values(place), [1]) === undefined);
  appendFileSync(path, "x\n");
  await eventually(async () => /quarantined_total\{reason="CAST"\} 1\n/.test((await adapter.get("/metrics")).body));
  appendFileSync(path, "2\n");
  await eventually(() => assert.deepEqual(values(place), [1, 2]) === undefined);
  const names = readdirSync(join(place.state, "quarantine")).filter((name) => !name.endsWith(".json"));
  assert.deepEqual(names.map((name) => readFileSync(join(place.state, "quarantine", name), "utf8")), ["a\nx\n"]);
  await end(adapter);
});
