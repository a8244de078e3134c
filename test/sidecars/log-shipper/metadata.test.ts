import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { metadataFromFiles, parseQuotedPairs } from "../../../sidecars/log-shipper/metadata/metadata.ts";
import { PodMetadataSource } from "../../../sidecars/log-shipper/metadata/pod-metadata.ts";
import { temporary } from "./support/shipper.ts";

test("Labels and annotations are unquoted as Go quotes them", () => {
  const text = String.raw`app="web"
note="a \"b\" \\ \n\t\x7f\u00a0\U0001f600 é"
nonsense
empty=""`;
  assert.deepEqual(parseQuotedPairs(text), { app: "web", note: 'a "b" \\ \n\t\u007f\u00a0😀 é', empty: "" });
});

const files = new Map([
  ["name", "web-1\n"],
  ["namespace", "shop"],
  ["uid", "u-1"],
  ["nodename", "node-7"],
  ["labels", 'app="web"\napp.kubernetes.io/name="shop"\npod-template-hash="x"'],
  ["annotations", 'team="a"\nkubectl.kubernetes.io/last-applied-configuration="{...}"'],
  ["other", "ignored"],
]);
const pod = { pod_name: "web-1", namespace_name: "shop", pod_id: "u-1", host: "node-7" };

test("The names are those of Fluent Bit, with the labels and annotations that are wanted", () => {
  assert.deepEqual(metadataFromFiles(files, { labels: ["*"], annotations: [] }), { ...pod, labels: { app: "web", "app.kubernetes.io/name": "shop", "pod-template-hash": "x" } });
  assert.deepEqual(metadataFromFiles(files, { labels: ["app*"], annotations: ["team"] }), { ...pod, labels: { app: "web", "app.kubernetes.io/name": "shop" }, annotations: { team: "a" } });
  assert.deepEqual(metadataFromFiles(files, { labels: [], annotations: [] }), pod);
});

test("What the environment tells stands over the volume, and only it can tell the address", async () => {
  using place = temporary();
  const directory = join(place.root, "podinfo");
  mkdirSync(directory);
  for (const [name, content] of files) writeFileSync(join(directory, name), content);
  const none = { pod: undefined, namespace: undefined, uid: undefined, node: undefined, container: undefined, ip: undefined, field: "kubernetes", refreshMs: 1_000, labels: ["app"], annotations: [] };
  const source = await PodMetadataSource.open({ ...none, directory, pod: "other", ip: "10.0.0.1", container: "app" });
  assert.deepEqual(source.current, { ...pod, pod_name: "other", pod_ip: "10.0.0.1", container_name: "app", labels: { app: "web" } });
  assert.deepEqual((await PodMetadataSource.open({ ...none, directory: join(place.root, "missing") })).current, {});
});
