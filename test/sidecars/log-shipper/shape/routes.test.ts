import assert from "node:assert/strict";
import { test } from "node:test";
import { createRateLimits, createShaper, outletIndexes, outletsOf } from "../../../../sidecars/log-shipper/shape/create-shaper.ts";
import { Bench, batchOf, decodeAll, shaping } from "./shaping.ts";

const routes = `sinks:
  - { name: central }
  - { name: errors, match: { when: { field: level, in: [error, fatal] } } }
  - { name: archive }
  - { name: pager, match: { when: { field: level, in: [error, fatal] } } }
  - { name: web, match: { tags: ['web.*'] } }
`;

test("Sinks that match the same share an outlet", () => {
  const { sinks } = shaping(routes);
  assert.deepEqual(outletsOf(sinks).map((outlet) => outlet.sinks), [["central", "archive"], ["errors", "pager"], ["web"]]);
  assert.deepEqual(outletIndexes(sinks), [0, 1, 0, 1, 2]);
});

test("Each outlet gets what it matches, with the records' places", () => {
  const bench = new Bench(routes);
  const { outlets, filteredBytes } = bench.shape(batchOf([{ level: "info" }, { level: "error", n: 1 }, { n: 2 }, { level: "fatal" }]), { tag: "app" });
  assert.deepEqual(outlets.map((outlet) => decodeAll(outlet).map(({ record }) => record)), [[{ level: "info" }, { level: "error", n: 1 }, { n: 2 }, { level: "fatal" }], [{ level: "error", n: 1 }, { level: "fatal" }], []]);
  assert.deepEqual(outlets.map(({ spans }) => [...spans]), [[0, 90, 100, 90, 200, 90, 300, 90], [100, 90, 300, 90], []]);
  assert.equal(filteredBytes, 0);
  assert.deepEqual(bench.told.routed, { central: 4, archive: 4, errors: 2, pager: 2 });
  assert.equal(bench.shape(batchOf([{ level: "info" }]), { tag: "web.front" }).outlets[2]?.records, 1);
});

test("Changed records go to every outlet that takes them", () => {
  const { outlets } = new Bench(`filters: [{ type: add, fields: { env: prod } }]\n${routes}`).shape(batchOf([{ level: "error" }, { level: "info" }]));
  assert.deepEqual(outlets.map((outlet) => decodeAll(outlet).map(({ record }) => record)), [[{ level: "error", env: "prod" }, { level: "info", env: "prod" }], [{ level: "error", env: "prod" }], []]);
});

test("Records that match no sink go nowhere, and their bytes are told", () => {
  const onlyErrors = "sinks: [{ name: a, match: { when: { field: l, equals: error } } }]";
  const bench = new Bench(onlyErrors);
  assert.equal(bench.shape(batchOf([{ l: "info" }, { l: "error" }])).filteredBytes, 90);
  assert.equal(bench.told.unrouted, 1);
  const byTag = new Bench("sinks: [{ name: a, match: { tags: [x] } }]");
  assert.equal(byTag.shape(batchOf([{ l: "info" }, { l: "error" }]), { tag: "y" }).filteredBytes, 180);
  assert.equal(byTag.told.unrouted, 2);
});

test("An outlet's bytes are its own: the next range does not change them", () => {
  const bench = new Bench(routes);
  const first = bench.shape(batchOf([{ level: "error", n: 1 }]));
  const before = Buffer.from(first.outlets[1]?.entries ?? []);
  const spans = [...(first.outlets[1]?.spans ?? [])];
  bench.shape(batchOf([{ n: 3 }, { level: "error", n: 2 }]));
  assert.deepEqual(Buffer.from(first.outlets[1]?.entries ?? []), before);
  assert.deepEqual([...(first.outlets[1]?.spans ?? [])], spans);
});

test("Nothing to do is no shaper", () => {
  const create = (yaml: string): unknown => {
    const config = shaping(yaml);
    return createShaper({ config, time: config.time, limits: createRateLimits(config.filters), events: { filtered: () => undefined, routed: () => undefined, unrouted: () => undefined, untimed: () => undefined } });
  };
  assert.equal(create("sinks: [{ name: a }, { name: b }]"), undefined);
  assert.notEqual(create("sinks: [{ name: a, match: { tags: [x] } }]"), undefined);
  assert.notEqual(create("sinks: [{ name: a }, { name: b, match: { tags: [x] } }]"), undefined);
  assert.notEqual(create("time: { field: t }"), undefined);
  assert.notEqual(create("filters: [{ type: drop, when: { field: a, exists: true } }]"), undefined);
});

test("Tags that an application invents cost no memory", () => {
  const bench = new Bench(routes);
  for (let tag = 0; tag < 2_000; tag++) assert.equal(bench.shape(batchOf([{ level: "error" }]), { tag: `tag${tag}` }).outlets[1]?.records, 1);
});
