import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigMap } from "../../../orchestrator/api/types/config-map.ts";
import type { Container, Pod } from "../../../orchestrator/api/types/pod.ts";
import type { Secret } from "../../../orchestrator/api/types/secret.ts";
import { buildEnvironment, references, type Referenced } from "../../../orchestrator/agent/env/environment.ts";
import { expand } from "../../../orchestrator/agent/env/expand.ts";

const check = (text: string, expected: string): void => {
  test(`${text} becomes ${expected}`, () => assert.equal(expand(text, (name) => ({ A: "1", B: "$(A)" })[name]), expected));
};
check("plain", "plain");
check("$(A)", "1");
check("x$(A)y$(A)", "x1y1");
check("$(B)", "$(A)");
check("$(C)", "$(C)");
check("$$(A)", "$(A)");
check("$$$(A)", "$1");
check("$$$$(A)", "$$(A)");
check("$A $( $)", "$A $( $)");
check("$(A", "$(A");

const pod = (container: Partial<Container>): Pod => ({
  apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "shop", uid: "u1", labels: { "app.kubernetes.io/name": "w" } },
  spec: { nodeName: "node-a", containers: [{ name: "a", image: "i", ...container }] },
});
const configMap = (name: string, data: Record<string, string>): [string, ConfigMap] => [name, { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "shop" }, data }];
const secret = (name: string, data: Record<string, string>): [string, Secret] => [name, { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "shop" }, data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")])) }];
const referenced: Referenced = { configMaps: new Map([configMap("settings", { color: "red", "bad=name": "x" })]), secrets: new Map([secret("keys", { token: "t" })]) };
const context = { podIp: "10.0.0.2", hostIp: "192.0.2.1", nodeName: "node-a", allocatable: { cpu: "4", memory: "8Gi" } };

const env = (name: string, container: Partial<Container>, expected: Record<string, string>): void => {
  test(name, () => {
    const object = pod(container);
    const [own] = object.spec.containers;
    assert.ok(own !== undefined);
    assert.deepEqual(Object.fromEntries(buildEnvironment(object, own, referenced, context).variables), expected);
  });
};
env("later variables see earlier ones, and override envFrom", { envFrom: [{ configMapRef: { name: "settings" } }], env: [{ name: "color", value: "dark $(color)" }, { name: "again", value: "$(color)" }] }, { color: "dark red", again: "dark red" });
env("a prefix is put before every name", { envFrom: [{ prefix: "P_", secretRef: { name: "keys" } }] }, { P_token: "t" });
env("fields of the Pod and its node", { env: ["metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.podIP", "status.hostIP", "metadata.labels['app.kubernetes.io/name']"].map((fieldPath, index) => ({ name: `F${index}`, valueFrom: { fieldRef: { fieldPath } } })) },
  { F0: "web", F1: "shop", F2: "u1", F3: "node-a", F4: "default", F5: "10.0.0.2", F6: "192.0.2.1", F7: "w" });
env("limits in units of the divisor, rounded up; without a limit what the node can give", { resources: { limits: { memory: "100Mi" }, requests: { cpu: "250m" } }, env: [["limits.memory", "1Gi"], ["limits.memory", "1"], ["requests.cpu", "1m"], ["requests.cpu", "1"], ["limits.cpu", "1"]].map(([resource = "", divisor = ""], index) => ({ name: `R${index}`, valueFrom: { resourceFieldRef: { resource, divisor } } })) },
  { R0: "1", R1: "104857600", R2: "250", R3: "1", R4: "4" });
env("optional references that do not exist are left out", { envFrom: [{ configMapRef: { name: "none", optional: true } }], env: [{ name: "A", valueFrom: { secretKeyRef: { name: "none", key: "k", optional: true } } }, { name: "B", valueFrom: { configMapKeyRef: { name: "settings", key: "none", optional: true } } }] }, {});

const refuses = (container: Partial<Container>, message: string): void => {
  test(`refuses: ${message}`, () => {
    const object = pod(container);
    const [own] = object.spec.containers;
    assert.ok(own !== undefined);
    assert.throws(() => buildEnvironment(object, own, referenced, context), { message });
  });
};
refuses({ envFrom: [{ configMapRef: { name: "none" } }] }, 'configmap "none" not found');
refuses({ envFrom: [{ secretRef: { name: "none" } }] }, 'secret "none" not found');
refuses({ env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "settings", key: "none" } } }] }, "couldn't find key none in ConfigMap shop/settings");
refuses({ env: [{ name: "A", valueFrom: { secretKeyRef: { name: "keys", key: "none" } } }] }, "couldn't find key none in Secret shop/keys");

test("names that cannot be variables are skipped and told", () => {
  const object = pod({ envFrom: [{ configMapRef: { name: "settings" } }] });
  const [own] = object.spec.containers;
  assert.ok(own !== undefined);
  assert.deepEqual(buildEnvironment(object, own, referenced, context).skipped, ["Keys [bad=name] from the EnvFrom configMap shop/settings were skipped since they are considered invalid environment variable names."]);
});

test("every ConfigMap and Secret that a Pod names is found", () => {
  const object = pod({ envFrom: [{ configMapRef: { name: "c1" } }, { secretRef: { name: "s1" } }], env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "c2", key: "k" } } }, { name: "B", valueFrom: { secretKeyRef: { name: "s2", key: "k" } } }] });
  const all = references({ ...object, spec: { ...object.spec, volumes: [{ name: "v", configMap: { name: "c3" } }, { name: "w", secret: { secretName: "s3" } }, { name: "p", projected: { sources: [{ configMap: { name: "c4" } }, { secret: { name: "s4" } }] } }] } });
  assert.deepEqual([[...all.configMaps], [...all.secrets]], [["c1", "c2", "c3", "c4"], ["s1", "s2", "s3", "s4"]]);
});
