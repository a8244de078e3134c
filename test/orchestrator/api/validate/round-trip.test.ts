import assert from "node:assert/strict";
import { test } from "node:test";
import { listFields } from "../../../../orchestrator/api/validate/schema.ts";
import { schemas, validateObject } from "../../../../orchestrator/api/validate/validate-object.ts";
import { fullObjects, fullPods, smallPod, valuePaths, withValues } from "./examples.ts";

for (const object of [smallPod(), ...fullPods, ...fullObjects])
  test(`a valid ${String(object["kind"])} (${Object.keys(object).join(", ")}) comes back as it was`, () => assert.deepEqual(validateObject(object), { kind: "ok", object }));

/** Paths below these are free maps. */
const isCovered = (field: string, present: ReadonlySet<string>): boolean => (field.endsWith("[*]") ? [...present].some((path) => path.startsWith(`${field.slice(0, -3)}.`)) : present.has(field));

for (const [kind, schema] of Object.entries(schemas))
  test(`the examples of ${kind} use every supported field`, () => {
    const examples = [...fullPods, ...fullObjects].filter((object) => object["kind"] === kind);
    const present = new Set(examples.flatMap((object) => valuePaths(object)));
    const missing = listFields(schema).filter((field) => !field.endsWith("(refused)") && !isCovered(field, present));
    // Init containers have the fields of containers, whose examples stand for both, as hooks and probes share their handlers. Two
    // fields that the types share are refused in one of their places.
    // So do all kinds share their metadata, which the Pods show.
    const shared = kind === "Pod" ? /\.initContainers\[\]|\.initContainerStatuses\[\]|\.containers\[\]\.restartPolicy|readinessProbe\.terminationGrace|\.lifecycle\.|Probe\.(exec|httpGet|tcpSocket|grpc)\./ : /^metadata\./;
    assert.deepEqual(missing.filter((field) => !shared.test(field)), []);
    assert.ok(present.size > 5);
  });

test("every field refused by name is refused with its own words", () => {
  const value = { someField: 1 };
  for (const field of listFields(schemas.Pod).filter((path) => path.startsWith("spec.") && path.endsWith(" (refused)"))) {
    const path = field.slice(0, -" (refused)".length).replaceAll("[]", "[0]");
    const result = validateObject(withValues(smallPod(), { [path]: value }));
    assert.ok(result.kind === "invalid", path);
    const name = path.slice(path.lastIndexOf(".") + 1);
    assert.ok(result.causes.some((cause) => cause.path === path && cause.message.startsWith(`Forbidden: ${name} is not supported by podkit`)), `${path}: ${JSON.stringify(result.causes)}`);
  }
});

const absent: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ["null", { "spec.volumes": null, "spec.hostname": null, "spec.containers[0].livenessProbe": null, status: null }],
  ["empty lists and maps", { "spec.volumes": [], "spec.nodeSelector": {}, "metadata.labels": {}, "spec.containers[0].args": [] }],
  ["empty texts", { "spec.hostname": "", "spec.dnsPolicy": "", "spec.containers[0].imagePullPolicy": "" }],
  ["false where Kubernetes has no third state", { "spec.hostNetwork": false, "spec.containers[0].tty": false }],
  ["what only the server writes", { "metadata.managedFields": [{ manager: "kubectl" }], "metadata.selfLink": "/x" }],
  ["harmless values of unsupported fields", { "spec.affinity": {}, "spec.topologySpreadConstraints": [], "spec.imagePullSecrets": [], "spec.priorityClassName": "", "spec.containers[0].volumeDevices": [], "spec.securityContext": undefined }],
];
for (const [name, values] of absent) test(`${name} count as absent`, () => assert.deepEqual(validateObject(withValues(smallPod(), values)), { kind: "ok", object: smallPod() }));

test("quantities are accepted as numbers and come back in canonical form", () => {
  const result = validateObject(withValues(smallPod(), { "spec.containers[0].resources.limits": { cpu: 0.5, memory: 1_073_741_824 } }));
  assert.ok(result.kind === "ok" && result.object.kind === "Pod");
  assert.deepEqual(result.object.spec.containers[0]?.resources, { limits: { cpu: "500m", memory: "1073741824" } });
});

test("an own key named __proto__ is an unknown field and changes no prototype", () => {
  const result = validateObject(JSON.parse('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"d"},"data":{"__proto__":"x"},"__proto__":{"a":1}}'));
  assert.ok(result.kind === "invalid");
  assert.deepEqual(result.causes.map((cause) => cause.path), ["__proto__"]);
  const plain = validateObject(JSON.parse('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"d"},"data":{"__proto__":"x"}}'));
  assert.ok(plain.kind === "ok" && plain.object.kind === "ConfigMap");
  assert.deepEqual(Object.keys(plain.object.data ?? {}), ["__proto__"]);
});
