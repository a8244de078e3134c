import assert from "node:assert/strict";
import { test } from "node:test";
import { validateObject } from "../../../../orchestrator/api/validate/validate-object.ts";
import { fullObjects, withValues, type Json } from "./examples.ts";

const [service = {}, externalName = {}, configMap = {}, secret = {}, namespace = {}, node = {}, event = {}, slice = {}] = fullObjects;

function check(object: Json, values: Readonly<Record<string, unknown>>, ...faults: readonly string[]): void {
  const name = Object.entries(values).map(([path, value]) => `${path} = ${JSON.stringify(value)?.slice(0, 80)}`).join(", ");
  test(`refuses a ${String(object["kind"])} with ${name}`, () => {
    const result = validateObject(withValues(object, values));
    assert.deepEqual(result.kind === "invalid" ? result.causes.map((cause) => `${cause.path}: ${cause.message}`) : [], faults);
  });
}

// Kinds.
check(service, { kind: "Servise" }, 'kind: "Servise" is not a kind podkit knows; did you mean "Service"?');
check(service, { kind: "Deployment", apiVersion: "apps/v1" }, 'kind: "Deployment" is a kind of Kubernetes that podkit does not support yet; apply its Pods directly');
check(service, { kind: undefined, apiVersion: 1 }, "apiVersion: Invalid value: 1: must be a string, got a number; put it in quotes", "kind: Required value");
check(slice, { apiVersion: "discovery.k8s.io/v1beta1" }, 'apiVersion: Invalid value: "discovery.k8s.io/v1beta1": EndpointSlice is served as discovery.k8s.io/v1');
test("refuses what is no map at all", () => assert.deepEqual(validateObject([1]), { kind: "invalid", causes: [{ path: "", reason: "FieldValueTypeInvalid", message: "Invalid value: [1]: must be a map, got a list" }] }));

// Services.
const label1035 = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
check(service, { "metadata.name": "1web" }, `metadata.name: Invalid value: "1web": ${label1035}`);
check(service, { "spec.type": "NodePort" }, "spec.type: Forbidden: NodePort is not supported by podkit: use hostPort in a Pod");
check(service, { "spec.type": "LoadBalancer" }, "spec.type: Forbidden: LoadBalancer is not supported by podkit: there is no load balancer; use hostPort in a Pod");
check(service, { "spec.type": "External" }, 'spec.type: Unsupported value: "External": supported values: "ClusterIP", "ExternalName"');
check(service, { "spec.clusterIP": "10.0.0.9", "spec.clusterIPs": undefined }, 'spec.clusterIP: Invalid value: "10.0.0.9": must be None or absent: podkit allocates no virtual addresses');
check(service, { "spec.clusterIP": undefined }, 'spec.clusterIPs: Invalid value: ["None"]: first value must match `clusterIP`');
check(service, { "spec.clusterIP": undefined, "spec.clusterIPs": undefined, "spec.ports": undefined }, "spec.ports: Required value");
check(service, { "spec.ports": [{ port: 80 }, { port: 80, name: "a" }, { port: 81, name: "a" }] }, "spec.ports[0].name: Required value", 'spec.ports[2].name: Duplicate value: "a"', 'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}');
check(service, { "spec.clusterIP": undefined, "spec.clusterIPs": undefined, "spec.ports[1].port": 53 }, "spec.ports[1].targetPort: Invalid value: 5353: must equal port (53): podkit has no virtual addresses that could translate ports yet");
check(service, { "spec.ports[0].port": 0 }, "spec.ports[0].port: Required value");
check(service, { "spec.ports[0].targetPort": "Http" }, 'spec.ports[0].targetPort: Invalid value: "Http": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
check(service, { "spec.ports[0].nodePort": 30_000 }, "spec.ports[0].nodePort: Forbidden: nodePort is not supported by podkit: use hostPort in a Pod");
check(service, { "spec.sessionAffinity": "ClientIP" }, "spec.sessionAffinity: Forbidden: ClientIP is not supported by podkit: connections go to the addresses that the client picks");
check(service, { "spec.ipFamilies": ["IPv6"] }, "spec.ipFamilies[0]: Forbidden: IPv6 is not supported by podkit: Pods have IPv4 addresses");
check(service, { "spec.selector": { app: "a b" } }, "spec.selector[app]: Invalid value: \"a b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
check(externalName, { "spec.externalName": undefined }, "spec.externalName: Required value");
check(externalName, { "spec.externalName": "db example" }, "spec.externalName: Invalid value: \"db example\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
check(service, { "spec.clusterIPs": ["None", "None"] }, 'spec.clusterIPs: Invalid value: ["None","None"]: may only hold up to 1 value');
check(externalName, { "spec.clusterIP": "None" }, "spec.clusterIP: Forbidden: may not be set when `type` is 'ExternalName'");

// ConfigMaps and Secrets.
check(configMap, { "data[b]": "x" }, 'data[b]: Invalid value: "b": duplicate of key present in binaryData');
check(configMap, { data: { "a/b": "x", "..": "y" } }, "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')", "data[..]: Invalid value: \"..\": must not be '..'");
check(configMap, { data: { port: 80 } }, "data[port]: Invalid value: 80: must be a string, got a number; put it in quotes");
check(configMap, { binaryData: { b: "AAE" } }, "binaryData[b]: Invalid value: must be base64 with padding");
check(configMap, { data: { a: "x".repeat(1_048_577) } }, "data: Too long: may not be more than 1048576 bytes");
check(configMap, { spec: {} }, 'spec: unknown field "spec"');
check(secret, { stringData: undefined }, "data[tls.key]: Required value");
check(secret, { type: "kubernetes.io/basic-auth" }, "data[username]: Required value", "data[password]: Required value");
check(secret, { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "bm90IGpzb24=" } }, 'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": must be JSON');
check(secret, { type: "kubernetes.io/service-account-token" }, "type: Forbidden: kubernetes.io/service-account-token is not supported by podkit: there are no service accounts");
check(secret, { "data[tls.crt]": "hunter2" }, "data[tls.crt]: Invalid value: must be base64 with padding");
check(secret, { "stringData[tls.key]": 12_345 }, "stringData[tls.key]: Invalid value: must be a string; put it in quotes");

test("no fault of a Secret shows a value", () => {
  const result = validateObject(withValues(secret, { data: { a: "hunter2", b: 424_242, c: { d: "hunter2" } }, stringData: { e: 424_242, f: ["hunter2"] } }));
  assert.ok(result.kind === "invalid" && result.causes.length >= 4);
  assert.doesNotMatch(JSON.stringify(result), /hunter2|424242/);
});

// The rest.
check(namespace, { "metadata.name": "a.b" }, 'metadata.name: Invalid value: "a.b": must not contain dots');
check(namespace, { "metadata.namespace": "a" }, "metadata.namespace: Forbidden: not allowed on this type");
check(namespace, { "status.phase": "Gone" }, 'status.phase: Unsupported value: "Gone": supported values: "Active", "Terminating"');
check(node, { "spec.taints": [{ key: "a", effect: "NoSchedule" }, { key: "a", effect: "NoSchedule" }] }, 'spec.taints[1]: Duplicate value: "a:NoSchedule"');
check(node, { "spec.taints": [{ effect: "Never" }] }, "spec.taints[0].key: Required value", 'spec.taints[0].effect: Unsupported value: "Never": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"');
check(node, { "status.capacity": { cpu: "-1" } }, 'status.capacity[cpu]: Invalid value: "-1": must be greater than or equal to 0');
check(event, { "involvedObject.namespace": "other" }, 'involvedObject.namespace: Invalid value: "other": does not match event.namespace');
check(slice, { "endpoints[0].addresses": ["::1"] }, 'endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address');
check(slice, { "endpoints[0].addresses": [] }, "endpoints[0].addresses: Required value");
check(slice, { addressType: undefined, endpoints: undefined }, "addressType: Required value", "endpoints: Required value");
check(slice, { ports: [{ name: "A" }, { name: "A" }] }, 'ports[1].name: Duplicate value: "A"', ...[0, 1].map((index) => `ports[${index}].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`));
check(slice, { "endpoints[0].addresses": Array.from({ length: 101 }, () => "10.0.0.1") }, "endpoints[0].addresses: Too many: 101: must have at most 100 items");
check(slice, { ports: Array.from({ length: 101 }, (_, index) => ({ name: `p${index}` })) }, "ports: Too many: 101: must have at most 100 items");
check(slice, { endpoints: Array.from({ length: 1001 }, () => ({ addresses: ["10.0.0.1"] })) }, "endpoints: Too many: 1001: must have at most 1000 items");
check(slice, { addressType: "IPv6" }, 'endpoints[0].addresses[0]: Invalid value: "10.0.0.2": must be a valid IPv6 address');
check(slice, { addressType: "FQDN", "endpoints[0].addresses": ["-"] }, "endpoints[0].addresses[0]: Invalid value: \"-\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
check(secret, { data: { a: "eA==" }, stringData: { "tls.crt": "x".repeat(1_048_577), "tls.key": "k" } }, "data: Too long: may not be more than 1048576 bytes");
check(node, { "spec.taints": [{ key: "a b", value: "c d", effect: "NoSchedule" }] }, "spec.taints[0].key: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')", "spec.taints[0].value: Invalid value: \"c d\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
