import assert from "node:assert/strict";
import { test } from "node:test";
import { validateObject } from "../../../../orchestrator/api/validate/validate-object.ts";
import { smallPod, withValues } from "./examples.ts";

const label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const namePart = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const port = "must be between 1 and 65535, inclusive";
const id = "must be between 0 and 2147483647, inclusive";
const mode = "must be a number between 0 and 0777 (octal), both inclusive";

/** The small Pod with `values` set has exactly the faults `path: message`. */
function check(values: Readonly<Record<string, unknown>>, ...faults: readonly string[]): void {
  const name = Object.entries(values).map(([path, value]) => `${path} = ${JSON.stringify(value)?.slice(0, 80)}`).join(", ");
  test(`refuses ${name}`, () => {
    const result = validateObject(withValues(smallPod(), values));
    assert.deepEqual(result.kind === "invalid" ? result.causes.map((cause) => `${cause.path}: ${cause.message}`) : [], faults);
  });
}

const c = "spec.containers[0]";
const i = "spec.initContainers[0]";
const v = "spec.volumes[0]";

// Metadata.
check({ metadata: undefined }, "metadata: Required value");
check({ "metadata.name": undefined }, "metadata.name: Required value");
check({ "metadata.name": "Web" }, `metadata.name: Invalid value: "Web": ${subdomain}`);
check({ "metadata.name": "a".repeat(254) }, `metadata.name: Invalid value: "${"a".repeat(199)}…: must be no more than 253 characters`);
check({ "metadata.namespace": undefined }, "metadata.namespace: Required value");
check({ "metadata.namespace": "a.b" }, 'metadata.namespace: Invalid value: "a.b": must not contain dots');
check({ "metadata.labels": { "-a": "b" } }, `metadata.labels: Invalid value: "-a": ${namePart}`);
check({ "metadata.labels": { "/a": "b" } }, 'metadata.labels: Invalid value: "/a": prefix part must be non-empty');
check({ "metadata.labels": { "x.y/": "b" } }, 'metadata.labels: Invalid value: "x.y/": name part must be non-empty', `metadata.labels: Invalid value: "x.y/": ${namePart}`);
check({ "metadata.labels": { app: 1 } }, "metadata.labels[app]: Invalid value: 1: must be a string, got a number; put it in quotes");
check({ "metadata.labels": { app: "a b" } }, "metadata.labels[app]: Invalid value: \"a b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
check({ "metadata.annotations": { big: "é".repeat(131_072) } }, "metadata.annotations: Too long: may not be more than 262144 bytes");
check({ "metadata.annotations": { on: true } }, "metadata.annotations[on]: Invalid value: true: must be a string, got a boolean; put it in quotes");
check({ "metadata.finalizers": [""] }, 'metadata.finalizers[0]: Invalid value: "": name part must be non-empty', `metadata.finalizers[0]: Invalid value: "": ${namePart}`);
check({ "metadata.ownerReferences": [{ kind: "A", name: "a", uid: "u" }] }, "metadata.ownerReferences[0].apiVersion: Required value");
check({ "metadata.ownerReferences": [{ apiVersion: "v1", kind: "A", name: "a", uid: "u", controller: true }, { apiVersion: "v1", kind: "B", name: "b", uid: "v", controller: true }] }, 'metadata.ownerReferences: Invalid value: ["a","b"]: Only one reference can have Controller set to true');
check({ "metadata.labels": { ["k".repeat(64)]: "" } }, `metadata.labels: Invalid value: "${"k".repeat(64)}": name part must be no more than 63 characters`);
check({ "metadata.labels": "app=web" }, 'metadata.labels: Invalid value: "app=web": must be a map, got a string');
check({ "metadata.labels": { "a/b/c": "" } }, `metadata.labels: Invalid value: "a/b/c": ${namePart.replace("name part", "a qualified name")} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`);
check({ "metadata.labels": { "A.b/c": "" } }, `metadata.labels: Invalid value: "A.b/c": prefix part ${subdomain}`);
check({ "metadata.generateName": "Web-" }, `metadata.generateName: Invalid value: "Web-": ${subdomain}`);
check({ "metadata.lables": {} }, 'metadata.lables: unknown field "metadata.lables"; did you mean "labels"?');
check({ "metadata.creationTimestamp": "now" }, "metadata.creationTimestamp: Invalid value: \"now\": must be a time of RFC 3339 (e.g. '2026-01-31T12:00:00Z')");

// Shape of the spec.
check({ spec: undefined }, "spec: Required value");
check({ spec: [] }, "spec: Invalid value: []: must be a map, got a list");
check({ "spec.containers": [] }, "spec.containers: Required value");
check({ "spec.containers": {} }, "spec.containers: Invalid value: {}: must be a list, got a map");
check({ "spec.containers[1]": null }, "spec.containers[1]: Invalid value: null: must be a map, got null");
check({ "spec.contianers": [] }, 'spec.contianers: unknown field "spec.contianers"; did you mean "containers"?');
check({ "spec.zzzzzzzzzzzz": 1 }, 'spec.zzzzzzzzzzzz: unknown field "spec.zzzzzzzzzzzz"');
check({ "spec.restartPolicy": "Sometimes" }, 'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"');
check({ "spec.terminationGracePeriodSeconds": -1 }, "spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0");
check({ "spec.activeDeadlineSeconds": 0 }, "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive");
check({ "spec.hostNetwork": "yes" }, 'spec.hostNetwork: Invalid value: "yes": must be a boolean, got a string');
check({ "spec.hostname": "a.b" }, 'spec.hostname: Invalid value: "a.b": must not contain dots');
check({ "spec.subdomain": "A" }, `spec.subdomain: Invalid value: "A": ${label}`);
check({ "spec.nodeName": "Node" }, `spec.nodeName: Invalid value: "Node": ${subdomain}`);
check({ "spec.hostAliases": [{ ip: "1.2.3", hostnames: ["A"] }] }, 'spec.hostAliases[0].ip: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)', `spec.hostAliases[0].hostnames[0]: Invalid value: "A": ${subdomain}`);
check({ "spec.hostAliases": [{}] }, "spec.hostAliases[0].ip: Required value");
check({ "spec.dnsPolicy": "None" }, "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None");
check({ "spec.dnsPolicy": "None", "spec.dnsConfig": {} }, "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None");
check({ "spec.dnsPolicy": "Cluster" }, 'spec.dnsPolicy: Unsupported value: "Cluster": supported values: "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"');
check({ "spec.dnsConfig.nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"] }, 'spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]: must not have more than 3 nameservers');
check({ "spec.dnsConfig.searches": Array.from({ length: 33 }, () => "a") }, `spec.dnsConfig.searches: Invalid value: ${JSON.stringify(Array.from({ length: 33 }, () => "a"))}: must not have more than 32 search paths`);
check({ "spec.dnsConfig.searches": Array.from({ length: 10 }, () => `${"a".repeat(63)}.`.repeat(3) + "a".repeat(20)) }, `spec.dnsConfig.searches: Invalid value: ["${`${"a".repeat(63)}.`.repeat(3)}aaaaaa…: must not have more than 2048 characters (including spaces) in the search list`);
check({ "spec.dnsConfig.searches": ["-a"] }, `spec.dnsConfig.searches[0]: Invalid value: "-a": ${subdomain}`);
check({ "spec.dnsConfig.options": [{ value: "1" }] }, "spec.dnsConfig.options[0].name: Required value");
check({ "spec.shareProcessNamespace": true, "spec.hostPID": true }, "spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled");
check({ "spec.tolerations": [{ operator: "Equal", value: "a" }] }, 'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"');
check({ "spec.tolerations": [{ key: "a", value: "b c" }] }, "spec.tolerations[0].operator: Invalid value: \"b c\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
check({ "spec.tolerations": [{ key: "a", operator: "Exists", value: "b" }] }, 'spec.tolerations[0].operator: Invalid value: {"key":"a","operator":"Exists","value":"b"}: value must be empty when `operator` is \'Exists\'');
check({ "spec.tolerations": [{ key: "a", effect: "NoSchedule", tolerationSeconds: 1 }] }, 'spec.tolerations[0].effect: Invalid value: "NoSchedule": effect must be \'NoExecute\' when `tolerationSeconds` is set');

// What podkit decides more narrowly than Kubernetes.
check({ "spec.affinity": { podAffinity: {} } }, "spec.affinity: Forbidden: affinity is not supported by podkit: there is one node, so use nodeSelector or leave it out");
check({ "spec.imagePullSecrets": [{ name: "s" }] }, "spec.imagePullSecrets: Forbidden: imagePullSecrets is not supported by podkit: log the container engine in and pull the image beforehand, with imagePullPolicy IfNotPresent");
check({ "spec.serviceAccountName": "robot" }, 'spec.serviceAccountName: Invalid value: "robot": must be default: podkit has no service accounts');
check({ "spec.automountServiceAccountToken": true }, "spec.automountServiceAccountToken: Invalid value: true: must be false: podkit has no service accounts and mounts no token");
check({ "spec.schedulerName": "mine" }, 'spec.schedulerName: Invalid value: "mine": must be default-scheduler: there is one scheduler');
check({ "spec.priority": 5 }, "spec.priority: Invalid value: 5: must be 0: podkit has no priority classes");
check({ "spec.os": { name: "windows" } }, 'spec.os.name: Invalid value: "windows": must be linux: containers are Linux containers');
check({ "spec.hostUsers": false }, "spec.hostUsers: Invalid value: false: must be true: podkit maps no user namespaces");

// Containers.
check({ [`${c}.name`]: undefined, [`${c}.image`]: "" }, `${c}.name: Required value`, `${c}.image: Required value`);
check({ [`${c}.name`]: "Web" }, `${c}.name: Invalid value: "Web": ${label}`);
check({ [`${c}.image`]: " nginx" }, `${c}.image: Invalid value: " nginx": must not have leading or trailing whitespace`);
check({ [`${c}.imagePullPolicy`]: "always" }, `${c}.imagePullPolicy: Unsupported value: "always": supported values: "Always", "IfNotPresent", "Never"`);
check({ [`${c}.command`]: "sh -c true" }, `${c}.command: Invalid value: "sh -c true": must be a list, got a string`);
check({ [`${c}.args`]: [1] }, `${c}.args[0]: Invalid value: 1: must be a string, got a number; put it in quotes`);
check({ [`${c}.terminationMessagePolicy`]: "Log" }, `${c}.terminationMessagePolicy: Unsupported value: "Log": supported values: "FallbackToLogsOnError", "File"`);
check({ "spec.containers[1]": { name: "web", image: "a" } }, 'spec.containers[1].name: Duplicate value: "web"');
check({ "spec.initContainers": [{ name: "web", image: "a" }] }, 'spec.containers[0].name: Duplicate value: "web"');
check({ [`${c}.restartPolicy`]: "Always" }, `${c}.restartPolicy: Forbidden: may not be set for non-init containers`);
check({ [i]: { name: "i", image: "i", restartPolicy: "Never" } }, `${i}.restartPolicy: Unsupported value: "Never": supported values: "Always"`);
for (const field of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"])
  check({ [i]: { name: "i", image: "i", [field]: field === "lifecycle" ? {} : { exec: { command: ["a"] } } } }, `${i}.${field}: Forbidden: may not be set for init containers without restartPolicy=Always`);

// Ports.
check({ [`${c}.ports`]: [{}] }, `${c}.ports[0].containerPort: Required value`);
check({ [`${c}.ports`]: [{ containerPort: 65_536, hostPort: -1 }] }, `${c}.ports[0].containerPort: Invalid value: 65536: ${port}`, `${c}.ports[0].hostPort: Invalid value: -1: ${port}`);
check({ [`${c}.ports`]: [{ containerPort: "80" }] }, `${c}.ports[0].containerPort: Invalid value: "80": must be an integer, got a string`);
check({ [`${c}.ports`]: [{ containerPort: 1.5 }] }, `${c}.ports[0].containerPort: Invalid value: 1.5: must be an integer, got a number`);
check({ [`${c}.ports`]: [{ containerPort: 1, protocol: "tcp" }] }, `${c}.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"`);
check({ [`${c}.ports`]: [{ containerPort: 1, hostIP: "localhost" }] }, `${c}.ports[0].hostIP: Invalid value: "localhost": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`);
check({ [`${c}.ports`]: [{ containerPort: 1, name: "80" }] }, `${c}.ports[0].name: Invalid value: "80": must contain at least one letter (a-z)`);
check({ [`${c}.ports`]: [{ containerPort: 1, name: "-a--very-long-name" }] }, `${c}.ports[0].name: Invalid value: "-a--very-long-name": must be no more than 15 characters`, `${c}.ports[0].name: Invalid value: "-a--very-long-name": must not contain consecutive hyphens`, `${c}.ports[0].name: Invalid value: "-a--very-long-name": must not begin or end with a hyphen`);
check({ [`${c}.ports`]: [{ containerPort: 1, name: "a" }, { containerPort: 2, name: "a" }] }, `${c}.ports[1].name: Duplicate value: "a"`);
check({ [`${c}.ports`]: [{ containerPort: 1, hostPort: 9 }, { containerPort: 2, hostPort: 9, protocol: "TCP" }, { containerPort: 2, hostPort: 9, protocol: "UDP" }] }, `${c}.ports[1].hostPort: Duplicate value: "TCP//9"`);
check({ [`${c}.ports`]: [{ containerPort: 1, hostPort: 9 }], "spec.containers[1]": { name: "b", image: "b", ports: [{ containerPort: 1, hostPort: 9 }] } }, 'spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//9"');
check({ "spec.hostNetwork": true, [`${c}.ports`]: [{ containerPort: 1, hostPort: 9 }] }, `${c}.ports[0].containerPort: Invalid value: 1: must match \`hostPort\` when \`hostNetwork\` is true`);

// Environment.
check({ [`${c}.env`]: [{ name: "1A" }] }, `${c}.env[0].name: Invalid value: "1A": a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')`);
check({ [`${c}.env`]: [{ value: "a" }] }, `${c}.env[0].name: Required value`);
check({ [`${c}.env`]: [{ name: "A", value: "a", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] }, `${c}.env[0].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`);
check({ [`${c}.env`]: [{ name: "A", valueFrom: {} }] }, `${c}.env[0].valueFrom: Invalid value: "": must specify one of: \`fieldRef\`, \`resourceFieldRef\`, \`configMapKeyRef\` or \`secretKeyRef\``);
check({ [`${c}.env`]: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" }, fieldRef: { fieldPath: "metadata.name" } } }] }, `${c}.env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time`);
check({ [`${c}.env`]: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.foo" } } }] }, `${c}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label not supported: spec.foo`);
check({ [`${c}.env`]: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels" } } }] }, `${c}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`);
check({ [`${c}.env`]: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels['']" } } }] }, `${c}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "": name part must be non-empty`, `${c}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "": ${namePart}`);
check({ [`${c}.env`]: [{ name: "A", valueFrom: { resourceFieldRef: { resource: "limits.ephemeral-storage" } } }] }, `${c}.env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.ephemeral-storage": supported values: "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"`);
check({ [`${c}.env`]: [{ name: "A", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "2", containerName: "gone" } } }] }, `${c}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "2": only divisor's values 1m and 1 are supported with the cpu resource`, `${c}.env[0].valueFrom.resourceFieldRef.containerName: Not found: "gone"`);
check({ [`${c}.env`]: [{ name: "A", valueFrom: { configMapKeyRef: { key: "a/b" } } }] }, `${c}.env[0].valueFrom.configMapKeyRef.name: Required value`, `${c}.env[0].valueFrom.configMapKeyRef.key: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`);
check({ [`${c}.envFrom`]: [{ prefix: "A_" }] }, `${c}.envFrom[0]: Invalid value: "": must specify one of: \`configMapRef\` or \`secretRef\``);
check({ [`${c}.envFrom`]: [{ configMapRef: {}, secretRef: { name: "s" } }] }, `${c}.envFrom[0].configMapRef.name: Required value`, `${c}.envFrom[0]: Invalid value: "": may not have more than one field specified at a time`);

// Resources.
check({ [`${c}.resources.limits`]: { cpu: "lots" } }, `${c}.resources.limits[cpu]: Invalid value: "lots": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`);
check({ [`${c}.resources.requests`]: { cpu: "-1" } }, `${c}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0`);
check({ [`${c}.resources`]: { limits: { memory: "1Gi" }, requests: { memory: "1.5Gi" } } }, `${c}.resources.requests: Invalid value: "1536Mi": must be less than or equal to memory limit of 1Gi`);
check({ [`${c}.resources.limits`]: { "nvidia.com/gpu": 1 } }, `${c}.resources.limits[nvidia.com/gpu]: Forbidden: resource nvidia.com/gpu is not supported by podkit: only cpu and memory are`);
check({ [`${c}.resources.requests`]: { "ephemeral-storage": "1Gi" } }, `${c}.resources.requests[ephemeral-storage]: Forbidden: resource ephemeral-storage is not supported by podkit: limit each emptyDir with sizeLimit`);

// Probes and hooks.
const exec = { command: ["true"] };
check({ [`${c}.livenessProbe`]: {} }, `${c}.livenessProbe: Required value: must specify a handler type`);
check({ [`${c}.livenessProbe`]: { periodSeconds: 1 } }, `${c}.livenessProbe: Required value: must specify a handler type`);
check({ [`${c}.livenessProbe`]: { exec, tcpSocket: { port: 1 } } }, `${c}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`);
check({ [`${c}.livenessProbe`]: { exec, successThreshold: 2 } }, `${c}.livenessProbe.successThreshold: Invalid value: 2: must be 1`);
check({ [`${c}.startupProbe`]: { exec, successThreshold: 2 } }, `${c}.startupProbe.successThreshold: Invalid value: 2: must be 1`);
check({ [`${c}.readinessProbe`]: { exec, terminationGracePeriodSeconds: 1 } }, `${c}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes`);
check({ [`${c}.livenessProbe`]: { exec, terminationGracePeriodSeconds: 0 } }, `${c}.livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0`);
check({ [`${c}.readinessProbe`]: { exec: {}, periodSeconds: -1 } }, `${c}.readinessProbe.exec.command: Required value`, `${c}.readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0`);
check({ [`${c}.readinessProbe`]: { httpGet: { scheme: "http", httpHeaders: [{ name: "a b", value: "" }] } } }, `${c}.readinessProbe.httpGet.port: Required value`, `${c}.readinessProbe.httpGet.scheme: Unsupported value: "http": supported values: "HTTP", "HTTPS"`, `${c}.readinessProbe.httpGet.httpHeaders[0].name: Invalid value: "a b": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`);
check({ [`${c}.readinessProbe`]: { httpGet: { port: "web" } } }, `${c}.readinessProbe.httpGet.port: Not found: "web"`);
check({ [`${c}.readinessProbe`]: { tcpSocket: { port: 0 } } }, `${c}.readinessProbe.tcpSocket.port: Invalid value: 0: ${port}`);
check({ [`${c}.readinessProbe`]: { grpc: { port: "grpc" } } }, `${c}.readinessProbe.grpc.port: Invalid value: "grpc": must be an integer, got a string`);
check({ [`${c}.lifecycle.preStop`]: {} }, `${c}.lifecycle.preStop: Required value: must specify a handler type`);
check({ [`${c}.lifecycle.preStop`]: { sleep: { seconds: 31 } } }, `${c}.lifecycle.preStop.sleep: Invalid value: 31: must be greater than 0 and less than terminationGracePeriodSeconds (30)`);
check({ [`${c}.lifecycle.postStart`]: { tcpSocket: { port: 1 } } }, `${c}.lifecycle.postStart.tcpSocket: Forbidden: tcpSocket is not supported by podkit: in Kubernetes such a hook always fails; use exec or httpGet`);

// Volumes and mounts.
check({ "spec.volumes": [{ name: "v" }] }, `${v}: Required value: must specify a volume type`);
check({ "spec.volumes": [{ emptyDir: {} }] }, `${v}.name: Required value`);
check({ "spec.volumes": [{ name: "v", emptyDir: {}, hostPath: { path: "/" } }] }, `${v}.hostPath: Forbidden: may not specify more than 1 volume type`);
check({ "spec.volumes": [{ name: "v", persistentVolumeClaim: { claimName: "c" } }] }, `${v}.persistentVolumeClaim: Forbidden: persistentVolumeClaim is not supported by podkit: use hostPath or emptyDir`);
check({ "spec.volumes": [{ name: "v", emptydir: {} }] }, `${v}.emptydir: unknown field "${v}.emptydir"; did you mean "emptyDir"?`);
check({ "spec.volumes": [{ name: "v", emptyDir: {} }, { name: "v", emptyDir: {} }] }, 'spec.volumes[1].name: Duplicate value: "v"');
check({ [v]: { name: "v", emptyDir: { medium: "HugePages" } } }, `${v}.emptyDir.medium: Forbidden: HugePages is not supported by podkit`);
check({ [v]: { name: "v", emptyDir: { sizeLimit: "-1" } } }, `${v}.emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity`);
check({ [v]: { name: "v", hostPath: { path: "/a/../b", type: "Folder" } } }, `${v}.hostPath.path: Invalid value: "/a/../b": must not contain '..'`, `${v}.hostPath.type: Unsupported value: "Folder": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"`);
check({ [v]: { name: "v", configMap: { defaultMode: 0o1000, items: [{ path: "../a", mode: -1 }] } } }, `${v}.configMap.name: Required value`, `${v}.configMap.items[0].key: Required value`, `${v}.configMap.items[0].path: Invalid value: "../a": must not contain '..'`, `${v}.configMap.items[0].mode: Invalid value: -1: ${mode}`, `${v}.configMap.defaultMode: Invalid value: 512: ${mode}`);
check({ [v]: { name: "v", secret: { name: "s" } } }, `${v}.secret.secretName: Required value`, `${v}.secret.name: unknown field "${v}.secret.name"`);
check({ [v]: { name: "v", downwardAPI: { items: [{ path: "a" }, { path: "/b", fieldRef: { fieldPath: "status.podIP" } }] } } }, `${v}.downwardAPI.items[0]: Required value: one of fieldRef and resourceFieldRef is required`, `${v}.downwardAPI.items[1].path: Invalid value: "/b": must be a relative path`, `${v}.downwardAPI.items[1].fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"`);
check({ [v]: { name: "v", downwardAPI: { items: [{ path: "a", fieldRef: { fieldPath: "metadata.name" }, resourceFieldRef: { containerName: "web", resource: "limits.cpu" } }] } } }, `${v}.downwardAPI.items[0]: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously`);
check({ [v]: { name: "v", downwardAPI: { items: [{ path: "..a", fieldRef: { fieldPath: "metadata.name['a']", apiVersion: "v2" } }] } } }, `${v}.downwardAPI.items[0].path: Invalid value: "..a": must not start with '..'`, `${v}.downwardAPI.items[0].fieldRef.apiVersion: Invalid value: "v2": must be v1`, `${v}.downwardAPI.items[0].fieldRef.fieldPath: Invalid value: "a": subscript is not supported for field path "metadata.name"`);
check({ [v]: { name: "v", downwardAPI: { items: [{ path: "a", resourceFieldRef: { containerName: "gone", resource: "limits.memory", divisor: "3" } }] } } }, `${v}.downwardAPI.items[0].resourceFieldRef.divisor: Invalid value: "3": only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource`, `${v}.downwardAPI.items[0].resourceFieldRef.containerName: Not found: "gone"`);
check({ [v]: { name: "v", projected: { sources: [{ configMap: { name: "a" }, secret: { name: "b" } }, { downwardAPI: { items: [{ path: "a", resourceFieldRef: { containerName: "gone", resource: "limits.cpu" } }] } }] } } }, `${v}.projected.sources[0].secret: Forbidden: may not specify more than 1 volume type per source`, `${v}.projected.sources[1].downwardAPI.items[0].resourceFieldRef.containerName: Not found: "gone"`);
check({ [v]: { name: "v", downwardAPI: { items: [{ path: "a", resourceFieldRef: { resource: "limits.memory" } }] } } }, `${v}.downwardAPI.items[0].resourceFieldRef.containerName: Required value`);
check({ [v]: { name: "v", projected: { sources: [{}, { serviceAccountToken: { path: "t" } }] } } }, `${v}.projected.sources[0]: Required value: must specify a volume type`, `${v}.projected.sources[1].serviceAccountToken: Forbidden: serviceAccountToken is not supported by podkit: there are no service accounts`);
check({ [v]: { name: "v", projected: { sources: [{ configMap: { name: "a", items: [{ key: "k", path: "p" }] } }, { secret: { name: "b", items: [{ key: "k", path: "p" }] } }] } } }, `${v}.projected.sources[1].secret: Invalid value: "b": conflicting duplicate paths: p`);
check({ [`${c}.volumeMounts`]: [{ name: "v", mountPath: "/a" }] }, `${c}.volumeMounts[0].name: Not found: "v"`);
check({ [v]: { name: "v", emptyDir: {} }, [`${c}.volumeMounts`]: [{ name: "v" }, { name: "v", mountPath: "/a" }, { name: "v", mountPath: "/a" }] }, `${c}.volumeMounts[0].mountPath: Required value`, `${c}.volumeMounts[2].mountPath: Invalid value: "/a": must be unique`);
check({ [v]: { name: "v", emptyDir: {} }, [`${c}.volumeMounts`]: [{ name: "v", mountPath: "/a", subPath: "/b/../c" }] }, `${c}.volumeMounts[0].subPath: Invalid value: "/b/../c": must be a relative path`, `${c}.volumeMounts[0].subPath: Invalid value: "/b/../c": must not contain '..'`);
check({ [v]: { name: "v", emptyDir: {} }, [`${c}.volumeMounts`]: [{ name: "v", mountPath: "/a", subPath: "b", subPathExpr: "c" }] }, `${c}.volumeMounts[0].subPathExpr: Invalid value: "c": subPathExpr and subPath are mutually exclusive`);
for (const field of ["subPath", "subPathExpr"])
  check({ [v]: { name: "v", emptyDir: { medium: "Memory" } }, [`${c}.volumeMounts`]: [{ name: "v", mountPath: "/a" }, { name: "v", mountPath: "/b", [field]: "b" }] }, `${c}.volumeMounts[1].${field}: Forbidden: podkit does not support ${field} on a Memory emptyDir yet: mount the whole volume, or leave out the medium`);
check({ [v]: { name: "v", emptyDir: {} }, [`${c}.volumeMounts`]: [{ name: "v", mountPath: "/a", mountPropagation: "Bidirectional" }] }, `${c}.volumeMounts[0].mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`);

// Security.
check({ [`${c}.securityContext`]: { runAsUser: -1, runAsGroup: 2_147_483_648 } }, `${c}.securityContext.runAsUser: Invalid value: -1: ${id}`, `${c}.securityContext.runAsGroup: Invalid value: 2147483648: ${id}`);
check({ [`${c}.securityContext`]: { privileged: true, allowPrivilegeEscalation: false } }, `${c}.securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set \`allowPrivilegeEscalation\` to false and \`privileged\` to true`);
check({ [`${c}.securityContext`]: { allowPrivilegeEscalation: false, capabilities: { add: ["SYS_ADMIN"] } } }, `${c}.securityContext: Invalid value: {"allowPrivilegeEscalation":false,"capabilities":{"add":["SYS_ADMIN"]}}: cannot set \`allowPrivilegeEscalation\` to false and \`capabilities.Add\` CAP_SYS_ADMIN`);
check({ [`${c}.securityContext.capabilities`]: { add: ["CAP_NET_ADMIN"], drop: ["all"] } }, `${c}.securityContext.capabilities.add[0]: Invalid value: "CAP_NET_ADMIN": must be a Linux capability in capitals without CAP_; did you mean "NET_ADMIN"?`, `${c}.securityContext.capabilities.drop[0]: Invalid value: "all": must be a Linux capability in capitals without CAP_; did you mean "ALL"?`);
check({ [`${c}.securityContext.seccompProfile`]: { type: "Localhost" } }, `${c}.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost`);
check({ "spec.securityContext.seccompProfile": { type: "Unconfined", localhostProfile: "a" } }, 'spec.securityContext.seccompProfile.localhostProfile: Invalid value: "a": can only be set when seccomp type is Localhost');
check({ [`${c}.securityContext`]: { procMount: "Unmasked", seLinuxOptions: { level: "s0" } } }, `${c}.securityContext.procMount: Forbidden: procMount is not supported by podkit: use privileged`, `${c}.securityContext.seLinuxOptions: Forbidden: seLinuxOptions is not supported by podkit: the engine's own settings apply`);
check({ [`${c}.securityContext.fsGroup`]: 1 }, `${c}.securityContext.fsGroup: unknown field "${c}.securityContext.fsGroup"`);
check({ "spec.securityContext": { fsGroupChangePolicy: "Never", supplementalGroups: [-1] } }, 'spec.securityContext.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"', `spec.securityContext.supplementalGroups[0]: Invalid value: -1: ${id}`);
check({ "spec.securityContext.sysctls": [{ name: "vm.swappiness", value: "1" }, { name: "net.a", value: "1" }, { name: "net/a", value: "2" }] }, 'spec.securityContext.sysctls[0].name: Invalid value: "vm.swappiness": is not a sysctl of a Pod\'s own namespaces (kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*, net.*)', 'spec.securityContext.sysctls[2].name: Duplicate value: "net/a"');
check({ "spec.hostNetwork": true, "spec.securityContext.sysctls": [{ name: "net.a", value: "1" }] }, "spec.securityContext.sysctls[0].name: Invalid value: \"net.a\": may not be specified when 'hostNetwork' is true");

check({ "spec.hostIPC": true, "spec.securityContext.sysctls": [{ name: "kernel.shmmax", value: "1" }, { name: "A", value: "1" }] }, "spec.securityContext.sysctls[1].name: Invalid value: \"A\": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$", "spec.securityContext.sysctls[0].name: Invalid value: \"kernel.shmmax\": may not be specified when 'hostIPC' is true", "spec.securityContext.sysctls[1].name: Invalid value: \"A\": may not be specified when 'hostIPC' is true");
check({ [`${c}.resources.limits`]: { cpu: true } }, `${c}.resources.limits[cpu]: Invalid value: true: must be a quantity, got a boolean`);
check({ [`${c}.readinessProbe`]: { tcpSocket: { port: [] } } }, `${c}.readinessProbe.tcpSocket.port: Invalid value: []: must be an integer or a string, got a list`);
check({ [`${c}.lifecycle.preStop`]: { httpGet: { port: "gone" } } }, `${c}.lifecycle.preStop.httpGet.port: Not found: "gone"`);

// All at once, in the order of the manifest's tables.
check(
  { "metadata.name": "A", [`${c}.name`]: 1, [`${c}.imge`]: "x", [`${c}.ports`]: [{ containerPort: 0 }], "spec.affinity": { a: 1 }, [`${c}.volumeMounts`]: [{ name: "gone", mountPath: "/a" }], "spec.restartPolicy": 5, "spec.volumes": "none", other: {} },
  `metadata.name: Invalid value: "A": ${subdomain}`,
  `${c}.name: Invalid value: 1: must be a string, got a number; put it in quotes`,
  `${c}.ports[0].containerPort: Required value`,
  `${c}.imge: unknown field "${c}.imge"; did you mean "image"?`,
  'spec.volumes: Invalid value: "none": must be a list, got a string',
  "spec.restartPolicy: Invalid value: 5: must be a string, got a number; put it in quotes",
  "spec.affinity: Forbidden: affinity is not supported by podkit: there is one node, so use nodeSelector or leave it out",
  `${c}.volumeMounts[0].name: Not found: "gone"`,
  'other: unknown field "other"',
);
