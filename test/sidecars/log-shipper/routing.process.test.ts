import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
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
