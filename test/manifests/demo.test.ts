import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { makeOrder, toCsvReport, toJsonReport } from "../../manifests/demo/app/orders.ts";
import { createLedger } from "../../manifests/demo/receiver/ledger.ts";
import { checkOldReport } from "../../manifests/demo/report-reader/old-report.ts";
import { readManifests } from "../../orchestrator/api/manifest/read-manifests.ts";
import type { ConfigMap } from "../../orchestrator/api/types/config-map.ts";
import { convertText } from "../../sidecars/format-adapter/convert.ts";
import { runExamples } from "../../sidecars/format-adapter/examples.ts";
import { parseConfig } from "../sidecars/format-adapter/support.ts";

const demo = join(import.meta.dirname, "../../manifests/demo");
const text = (name: string): string => readFileSync(join(demo, name), "utf8");
const roles = ["log-shipper", "redis-ambassador", "format-adapter"] as const;

const manifests = readManifests(["redis.yaml", "receiver.yaml", "pod.yaml"].map((name) => ({ name, text: text(name) })), { defaultNamespace: "default" });

test("the demo's manifests are accepted whole", () => {
  assert.deepEqual(manifests.kind === "invalid" ? manifests.problems : [], []);
  assert.ok(manifests.kind === "ok" && manifests.objects.length === 10);
});

for (const role of roles) {
  test(`the ConfigMap of the ${role} and the file that compose mounts say the same`, () => {
    assert.ok(manifests.kind === "ok");
    const map = manifests.objects.find((object) => object.kind === "ConfigMap" && object.metadata.name === `demo-${role}`) as ConfigMap | undefined;
    assert.equal(map?.data?.[`${role}.yaml`], text(`config/${role}.yaml`));
  });
}

test("the compose file names the same images as the manifests", () => {
  const compose = parse(text("compose/compose.yaml"), { merge: true }) as { readonly services: Readonly<Record<string, { readonly image: string }>> };
  const images = (source: string): string[] => [...new Set(source.match(/podkit\/[a-z-]+:[0-9.]+/g))].toSorted();
  assert.deepEqual([...new Set(Object.values(compose.services).map((service) => service.image))].filter((image) => !image.startsWith("podkit/pause")).toSorted(), images(text("pod.yaml") + text("redis.yaml") + text("receiver.yaml")));
});

test("what the application writes is adapted by the demo's mappings to what the old reader accepts", () => {
  const outcome = parseConfig(text("config/format-adapter.yaml"));
  assert.ok("config" in outcome, JSON.stringify(outcome));
  const [orders, stock] = outcome.config.adapters.map((adapter) => adapter.mappings[0] ?? assert.fail());
  assert.ok(orders && stock);
  assert.deepEqual(runExamples([orders, stock]), []);
  const some = Array.from({ length: 1000 }, (_, index) => makeOrder(index + 1, new Date(Date.UTC(2026, 0, 1, 0, index))));
  for (const [name, mapping, report] of [["orders-1.csv", orders, toCsvReport(some)], ["stock-1.csv", stock, toJsonReport(some)]] as const) {
    const result = convertText(mapping, report);
    assert.ok(result.kind === "converted", JSON.stringify(result));
    assert.deepEqual(checkOldReport(name, result.text), { kind: "rows", rows: 1000 });
    assert.equal(checkOldReport(name, result.text.slice(0, -2)).kind, "wrong");
    assert.equal(checkOldReport(name, result.text.slice(0, result.text.length / 2)).kind, "wrong");
    assert.equal(checkOldReport(name, report).kind, "wrong");
  }
});

test("the receiver's ledger tells distinct, repeated and missing records in any order", () => {
  const ledger = createLedger();
  for (const sequence of [1, 2, 5, 4, 2, 9]) ledger.add("a", sequence);
  ledger.add("b", 1);
  assert.deepEqual(ledger.totals(), { distinct: 6, repeated: 1, missing: 4 });
  for (const sequence of [3, 6, 7, 8]) ledger.add("a", sequence);
  assert.deepEqual(ledger.totals(), { distinct: 10, repeated: 1, missing: 0 });
});

test("the manifest in the README is accepted", () => {
  const readme = readFileSync(join(demo, "../../README.md"), "utf8");
  const manifest = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? assert.fail("the README has no manifest");
  const outcome = readManifests([{ name: "README.md", text: manifest }], { defaultNamespace: "default" });
  assert.deepEqual(outcome.kind === "invalid" ? outcome.problems : outcome.objects.map((object) => object.kind), ["Pod"]);
});
