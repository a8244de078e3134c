import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import type { ConfigMap } from "../../orchestrator/api/types/config-map.ts";
import { appliedAnnotation } from "../../cli/print/kinds.ts";
import { applyOrder, missingNamespaces, planStep, removalWaves } from "../../cli/up/plan.ts";
import { podOf } from "./objects.ts";

const map = (data: Record<string, string>, metadata: Partial<ConfigMap["metadata"]> = {}): ConfigMap => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "m", namespace: "default", ...metadata }, data });

/** The object as the server holds it after it was created from the manifest: with fields of its own. */
function created(wanted: ApiObject): ApiObject {
  const step = planStep(wanted, undefined);
  assert.equal(step.kind, "create");
  if (step.kind !== "create") throw new Error("unreachable");
  return { ...step.object, metadata: { ...step.object.metadata, uid: "u", resourceVersion: "7", creationTimestamp: "2026-01-01T00:00:00Z" } };
}
const scheduled = (pod: ApiObject): ApiObject => ({ ...pod, ...("spec" in pod && typeof pod.spec === "object" ? { spec: { ...pod.spec, nodeName: "n", tolerations: [] } } : {}) });

test("an object that is as wanted is left alone, whatever the server added", () => {
  assert.equal(planStep(map({ a: "1" }), created(map({ a: "1" }))).kind, "unchanged");
  assert.equal(planStep(podOf(), scheduled(created(podOf()))).kind, "unchanged");
});

test("changed data is an update that keeps what others put there", () => {
  const live = created(map({ a: "1" }, { labels: { ours: "1", gone: "x" } }));
  const touched: ApiObject = { ...live, metadata: { ...live.metadata, labels: { ...live.metadata.labels, theirs: "1" } } };
  const step = planStep(map({ a: "2" }, { labels: { ours: "2" } }), touched);
  assert.equal(step.kind, "update");
  if (step.kind !== "update") return;
  assert.deepEqual(step.object.metadata.labels, { theirs: "1", ours: "2" });
  assert.equal(step.object.metadata.resourceVersion, "7");
  assert.deepEqual("data" in step.object ? step.object.data : undefined, { a: "2" });
});

test("a key taken out of the data is a change", () => {
  assert.equal(planStep(map({ a: "1" }), created(map({ a: "1", b: "2" }))).kind, "update");
});

test("an object that somebody else made is taken over", () => {
  const live: ApiObject = { ...map({ a: "1" }), metadata: { name: "m", namespace: "default", uid: "u" } };
  const step = planStep(map({ a: "1" }), live);
  assert.equal(step.kind, "update");
  if (step.kind === "update") assert.ok(step.object.metadata.annotations?.[appliedAnnotation]?.includes("content"));
});

const checkReplace = (what: string, before: ReturnType<typeof podOf>, after: ReturnType<typeof podOf>, changed: string): void => {
  test(`a Pod with ${what} is replaced, naming ${changed}`, () => {
    const step = planStep(after, scheduled(created(before)));
    assert.equal(step.kind, "replace");
    if (step.kind === "replace") assert.equal(step.changed, changed);
  });
};
checkReplace("another image", podOf(), podOf({ spec: { containers: [{ name: "app", image: "new" }] } }), "spec.containers[0].image");
checkReplace("one more container", podOf(), podOf({ spec: { containers: [{ name: "app", image: "img" }, { name: "b", image: "img" }] } }), "spec.containers");
checkReplace("a field taken out", podOf({ spec: { hostname: "x" } }), podOf(), "a field was taken out");

test("a Pod with other labels only is updated in place", () => {
  const step = planStep(podOf({ metadata: { labels: { a: "2" } } }), scheduled(created(podOf({ metadata: { labels: { a: "1" } } }))));
  assert.equal(step.kind, "update");
});

test("a label that is taken out of the manifest is taken off the object", () => {
  const step = planStep(podOf(), scheduled(created(podOf({ metadata: { labels: { a: "1" } } }))));
  assert.equal(step.kind, "update");
  if (step.kind === "update") assert.deepEqual(step.object.metadata.labels, {});
});

test("what Pods refer to is applied before them, otherwise in the order of the files", () => {
  const of = (kind: string, name: string): ApiObject => ({ apiVersion: "v1", kind, metadata: { name } });
  const order = applyOrder([of("Pod", "p1"), of("Service", "s"), of("Pod", "p2"), of("Secret", "x"), of("Namespace", "n"), of("ConfigMap", "c")]);
  assert.deepEqual(order.map((object) => object.metadata.name), ["n", "x", "c", "s", "p1", "p2"]);
});

test("a namespace counts as missing unless the cluster or the manifests have it", () => {
  const objects: ApiObject[] = [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "made" } }, podOf({ metadata: { namespace: "made" } }), podOf({ metadata: { namespace: "lost" } }), podOf()];
  assert.deepEqual(missingNamespaces(objects, new Set(["default"])), ["lost"]);
});

test("Pods that a Service selects end after those that may need them", () => {
  const pod = (name: string, labels: Record<string, string>, namespace = "default"): ApiObject => ({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels } });
  const service = { apiVersion: "v1", kind: "Service", metadata: { name: "db", namespace: "default" }, spec: { selector: { app: "db", tier: "1" } } };
  const objects = [pod("db", { app: "db", tier: "1", more: "x" }), pod("half", { app: "db" }), pod("elsewhere", { app: "db", tier: "1" }, "other"), service, map({}), pod("web", {})];
  assert.deepEqual(removalWaves(objects).map((wave) => wave.map((object) => object.metadata.name)), [["half", "elsewhere", "web"], ["db", "db", "m"]]);
  assert.deepEqual(removalWaves([pod("db", { app: "db", tier: "1" }), service]).length, 1);
  assert.deepEqual(removalWaves([]), []);
});
