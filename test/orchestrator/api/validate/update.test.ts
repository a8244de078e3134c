import assert from "node:assert/strict";
import { test } from "node:test";
import { withDefaults } from "../../../../orchestrator/api/defaults/with-defaults.ts";
import type { ApiObject } from "../../../../orchestrator/api/types/meta.ts";
import { validateObject } from "../../../../orchestrator/api/validate/validate-object.ts";
import { validateUpdate } from "../../../../orchestrator/api/validate/validate-update.ts";
import { fullObjects, smallPod, withValues, type Json } from "./examples.ts";

function valid(object: Json): ApiObject {
  const result = validateObject(object);
  assert.ok(result.kind === "ok", JSON.stringify(result));
  return withDefaults(result.object);
}

const pod = withValues(smallPod(), { "spec.activeDeadlineSeconds": 60, "spec.tolerations": [{ key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 1 }], "spec.initContainers": [{ name: "i", image: "i" }], "metadata.uid": "u" });
const [service = {}, , configMap = {}, secret = {}, , node = {}, , slice = {}] = fullObjects;
const frozen = "field is immutable when `immutable` is set";

function check(old: Json, values: Readonly<Record<string, unknown>>, ...faults: readonly string[]): void {
  const name = Object.entries(values).map(([path, value]) => `${path} = ${JSON.stringify(value)}`).join(", ");
  test(`${faults.length === 0 ? "accepts" : "refuses"} updating a ${String(old["kind"])} to ${name}`, () => {
    assert.deepEqual(validateUpdate(valid(old), valid(withValues(old, values))).map((cause) => `${cause.path}: ${cause.message}`), faults);
  });
}

const frozenSpec = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

check(pod, { "metadata.labels": { a: "b" } });
check(pod, { "spec.containers[0].image": "nginx:1.28", "spec.initContainers[0].image": "j", "spec.containers[0].imagePullPolicy": "IfNotPresent" });
check(pod, { "spec.activeDeadlineSeconds": 30 });
check(pod, { "spec.activeDeadlineSeconds": 61 }, "spec.activeDeadlineSeconds: Invalid value: 61: must be less than or equal to previous value");
check(pod, { "spec.activeDeadlineSeconds": undefined }, "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value");
check(pod, { "spec.tolerations[1]": { operator: "Exists" }, "spec.tolerations[0].tolerationSeconds": 9 });
check(pod, { "spec.tolerations": [] }, "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds");
check(pod, { "spec.containers[0].command": ["a"] }, frozenSpec);
check(pod, { "spec.hostname": "a" }, frozenSpec);
check(pod, { "spec.restartPolicy": "Always", "spec.containers[0].tty": false });
check(pod, { "spec.containers[1]": { name: "b", image: "b" } }, "spec.containers: Forbidden: pod updates may not add or remove containers");
check(pod, { "metadata.name": "other", "metadata.uid": "v" }, 'metadata.name: Invalid value: "other": field is immutable', 'metadata.uid: Invalid value: "v": field is immutable');
check(configMap, { "data[a.conf]": "y", "metadata.labels": { a: "b" } }, `data: Forbidden: ${frozen}`);
check(configMap, { immutable: false, binaryData: undefined }, `immutable: Forbidden: ${frozen}`, `binaryData: Forbidden: ${frozen}`);
check({ ...configMap, immutable: false }, { "data[a.conf]": "y", immutable: true });
check(secret, { type: "Opaque" }, 'type: Invalid value: "Opaque": field is immutable');
check({ ...secret, immutable: true }, { "stringData[tls.key]": "other" }, `data: Forbidden: ${frozen}`);
check(service, { "spec.selector": { app: "other" }, "spec.ports[0].port": 81 });
check(withValues(service, { "spec.clusterIP": undefined, "spec.clusterIPs": undefined }), { "spec.clusterIP": "None" }, 'spec.clusterIPs[0]: Invalid value: "None": may not change once set');
check(node, { "spec.podCIDRs": ["10.1.0.0/24"], "spec.unschedulable": false }, 'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid');
check(slice, { addressType: "FQDN", "endpoints[0].addresses": ["a.example"] }, 'addressType: Invalid value: "FQDN": field is immutable');
check(node, { "spec.providerID": "podkit://other" }, 'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid');
test("refuses turning one kind into another", () => assert.deepEqual(validateUpdate(valid(configMap), { ...valid(configMap), kind: "Secret" }).map((cause) => `${cause.path}: ${cause.message}`), ['kind: Invalid value: "Secret": field is immutable']));
