import assert from "node:assert/strict";
import { appendFileSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { configOf, startShipper, temporary } from "./support/shipper.ts";

const linesOf = (path: string): readonly Record<string, unknown>[] =>
  readFileSync(path, "utf8").trimEnd().split("\n").filter((line) => line !== "").map((line) => (JSON.parse(line) as { readonly record: Record<string, unknown> }).record);

test("each sink gets the records that match it, changed by the filters; what nobody gets is filtered in the ledger, and the sum is exact", async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const [errors, rest] = [join(place.root, "errors.ndjson"), join(place.root, "rest.ndjson")];
  const { config } = configOf(place.root, {
    state: { directory: place.state },
    sources: [{ type: "tail", paths: [`${place.logs}/*.log`], format: "json" }],
    filters: [
      { type: "drop", when: { field: "level", equals: "debug" } },
      { type: "rename", fields: { msg: "message" } },
    ],
    sinks: [
      { type: "file", name: "errors", path: errors, match: { when: { field: "level", equals: "error" } } },
      { type: "file", name: "rest", path: rest, match: { when: { not: { field: "level", equals: "error" } } } },
    ],
  });
  const shipper = startShipper(config);
  const lines = Array.from({ length: 300 }, (_, id) => `${JSON.stringify({ id, level: ["debug", "info", "error"][id % 3], msg: `m${id}` })}\n`);
  appendFileSync(join(place.logs, "app.log"), lines.join(""));
  await eventually(() => shipper.metric("ledger_bytes", 'column="read"') === lines.join("").length && shipper.metric("ledger_bytes", 'column="pending"') === 0);
  assert.equal(await shipper.stop(), 0);
  assert.deepEqual(linesOf(errors).map(({ id, message }) => [id, message]), Array.from({ length: 100 }, (_, index) => [index * 3 + 2, `m${index * 3 + 2}`]));
  assert.deepEqual(linesOf(rest).map(({ id, level }) => [id, level]), Array.from({ length: 100 }, (_, index) => [index * 3 + 1, "info"]));
  assert.equal(shipper.metric("ledger_bytes", 'column="filtered"'), lines.filter((_, id) => id % 3 === 0).join("").length);
});

test("a file that two sources match is read by the first alone, also after a restart", async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const out = join(place.root, "out.ndjson");
  const { config } = configOf(place.root, {
    state: { directory: place.state },
    sources: [{ type: "tail", paths: [`${place.logs}/app.log`], format: "json", tag: "first" }, { type: "tail", paths: [`${place.logs}/*.log`], tag: "second" }],
    sinks: [{ type: "file", path: out }],
  });
  for (const life of [1, 2]) {
    for (const name of ["app", "other"]) appendFileSync(join(place.logs, `${name}.log`), `{"${name}":${life}}\n`);
    const shipper = startShipper(config);
    await eventually(() => existsSync(out) && linesOf(out).length >= life * 2);
    assert.equal(await shipper.stop(), 0);
  }
  const shipped = readFileSync(out, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as { readonly tag: string; readonly record: unknown });
  const of = (tag: string): readonly unknown[] => shipped.filter((each) => each.tag === tag).map(({ record }) => record);
  assert.deepEqual(of("first"), [{ app: 1 }, { app: 2 }]);
  assert.deepEqual(of("second"), [{ log: '{"other":1}' }, { log: '{"other":2}' }]);
});

test("a rotated file that two sources match is read once, and so is a file under two names", async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const [out, log] = [join(place.root, "out.ndjson"), join(place.logs, "app.log")];
  const { config } = configOf(place.root, {
    state: { directory: place.state },
    sources: [{ type: "tail", paths: [log], tag: "first" }, { type: "tail", paths: [`${place.logs}/*`], tag: "second" }],
    sinks: [{ type: "file", path: out }],
  });
  const shipped = (): readonly string[] => (existsSync(out) ? readFileSync(out, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as { readonly tag: string; readonly record: { readonly log: string } }).map(({ tag, record }) => `${tag} ${record.log}`) : []);
  const expected: string[] = [];
  for (const life of [1, 2]) {
    const shipper = startShipper(config);
    appendFileSync(log, `before ${life}\n`);
    await eventually(() => shipped().includes(`first before ${life}`));
    renameSync(log, `${log}.${life}`);
    if (life === 1) linkSync(`${log}.1`, join(place.logs, "another-name"));
    appendFileSync(`${log}.${life}`, `late ${life}\n`);
    // What another source has not taken is followed, so the source that matches everything has looked at the rotated names too.
    appendFileSync(join(place.logs, `other-${life}`), `other ${life}\n`);
    expected.push(`first before ${life}`, `first late ${life}`, `second other ${life}`);
    await eventually(() => shipped().length >= expected.length);
    assert.equal(await shipper.stop(), 0);
    assert.deepEqual(shipped().toSorted(), expected.toSorted());
  }
});

test("another name of a file that the shipper writes is not followed", async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const out = join(place.root, "out.ndjson");
  const { config } = configOf(place.root, { state: { directory: place.state }, sources: [{ type: "tail", paths: [`${place.logs}/*`] }], sinks: [{ type: "file", path: out }] });
  symlinkSync(out, join(place.logs, "to-the-output"));
  symlinkSync(join(place.state, "positions.log"), join(place.logs, "to-the-positions"));
  const shipper = startShipper(config);
  const write = async (count: number): Promise<void> => {
    appendFileSync(join(place.logs, "app.log"), `line ${count}\n`);
    await eventually(() => existsSync(out) && linesOf(out).some(({ log }) => log === `line ${count}`));
  };
  await write(1);
  for (const path of ["to-the-output", "to-the-positions"]) await eventually(() => shipper.logged.some((line) => line["path"] === join(place.logs, path) && String(line["msg"]).startsWith("Not following a file that the shipper writes itself")));
  await write(2);
  assert.equal(await shipper.stop(), 0);
  assert.deepEqual(linesOf(out), [{ log: "line 1" }, { log: "line 2" }]);
  assert.equal(shipper.logged.filter((line) => String(line["msg"]).startsWith("Not following")).length, 2, "each is told once");
});
