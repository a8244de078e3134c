import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isLatest } from "../../../../orchestrator/api/defaults/pod.ts";
import { withDefaults } from "../../../../orchestrator/api/defaults/with-defaults.ts";
import type { ApiObject } from "../../../../orchestrator/api/types/meta.ts";
import { validateObject } from "../../../../orchestrator/api/validate/validate-object.ts";
import { fullObjects, fullPods, smallPod, withValues, type Json } from "../validate/examples.ts";

function valid(object: Json): ApiObject {
  const result = validateObject(object);
  assert.ok(result.kind === "ok", JSON.stringify(result));
  return result.object;
}

/** The small Pod's defaults, as `kubectl get -o yaml` of a real cluster shows them. */
const defaultedContainer = { name: "web", image: "nginx:1.27", imagePullPolicy: "IfNotPresent", terminationMessagePath: "/dev/termination-log", terminationMessagePolicy: "File", resources: {} };
const defaultedPod = withValues(smallPod(), {
  spec: {
    containers: [defaultedContainer], restartPolicy: "Always", terminationGracePeriodSeconds: 30, dnsPolicy: "ClusterFirst", securityContext: {}, schedulerName: "default-scheduler", enableServiceLinks: true,
    serviceAccountName: "default", serviceAccount: "default", priority: 0, preemptionPolicy: "PreemptLowerPriority",
  },
});

test("a small Pod gets the defaults of the API server", () => assert.deepEqual(withDefaults(valid(smallPod())), defaultedPod));

/** Setting `given` in a small Pod makes its defaulted form differ by `added` from the plain defaults. */
function check(name: string, given: Readonly<Record<string, unknown>>, added: Readonly<Record<string, unknown>>): void {
  test(name, () => assert.deepEqual(withDefaults(valid(withValues(smallPod(), given))), withValues(withValues(defaultedPod, given), added)));
}

const c = "spec.containers[0]";
check("a port is TCP", { [`${c}.ports`]: [{ containerPort: 80 }] }, { [`${c}.ports[0].protocol`]: "TCP" });
check("a port of a Pod in the host's network is its own host port", { "spec.hostNetwork": true, [`${c}.ports`]: [{ containerPort: 80 }] }, { [`${c}.ports[0]`]: { containerPort: 80, hostPort: 80, protocol: "TCP" } });
check("limits are requests where none are given", { [`${c}.resources`]: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } } }, { [`${c}.resources.requests`]: { cpu: "500m", memory: "1Gi" } });
check("an image tagged latest is always pulled", { [`${c}.image`]: "nginx" }, { [`${c}.imagePullPolicy`]: "Always" });
check(
  "a probe runs every ten seconds for one second and fails at the third time", { [`${c}.livenessProbe`]: { httpGet: { port: 80 }, periodSeconds: 0 } },
  { [`${c}.livenessProbe`]: { httpGet: { port: 80, path: "/", scheme: "HTTP" }, timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 } },
);
check("a grpc probe asks for the whole server", { [`${c}.readinessProbe`]: { grpc: { port: 80 } } }, { [`${c}.readinessProbe`]: { grpc: { port: 80, service: "" }, timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 } });
check("a hook asks for / by HTTP", { [`${c}.lifecycle.preStop.httpGet`]: { port: 80 } }, { [`${c}.lifecycle.preStop.httpGet`]: { port: 80, path: "/", scheme: "HTTP" } });
check("references name v1 and no divisor", { [`${c}.env`]: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }, { name: "B", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } }] }, { [`${c}.env[0].valueFrom.fieldRef.apiVersion`]: "v1", [`${c}.env[1].valueFrom.resourceFieldRef.divisor`]: "0" });
check(
  "files in volumes are 0644 and host paths unchecked",
  { "spec.volumes": [{ name: "a", configMap: { name: "c" } }, { name: "b", secret: { secretName: "s" } }, { name: "c", downwardAPI: { items: [{ path: "p", fieldRef: { fieldPath: "metadata.name" } }] } }, { name: "d", projected: { sources: [{ downwardAPI: { items: [{ path: "p", fieldRef: { fieldPath: "metadata.name" } }] } }] } }, { name: "e", hostPath: { path: "/a" } }] },
  {
    "spec.volumes[0].configMap.defaultMode": 0o644, "spec.volumes[1].secret.defaultMode": 0o644, "spec.volumes[2].downwardAPI.defaultMode": 0o644, "spec.volumes[2].downwardAPI.items[0].fieldRef.apiVersion": "v1",
    "spec.volumes[3].projected.defaultMode": 0o644, "spec.volumes[3].projected.sources[0].downwardAPI.items[0].fieldRef.apiVersion": "v1", "spec.volumes[4].hostPath.type": "",
  },
);
check("init containers get the same", { "spec.initContainers": [{ name: "i", image: "i:1" }] }, { "spec.initContainers": [{ ...defaultedContainer, name: "i", image: "i:1" }] });

const images: readonly (readonly [string, boolean])[] = [["nginx", true], ["nginx:latest", true], ["nginx:1", false], ["host:5000/nginx", true], ["host:5000/nginx:1", false], ["nginx@sha256:00", false], ["nginx:latest@sha256:00", false], ["a/b/latest", true]];
for (const [image, want] of images) test(`${image} ${want ? "is" : "is not"} a latest image`, () => assert.equal(isLatest(image), want));

test("a Service gets protocol, target port and address defaults", () => {
  const given = { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "d" }, spec: { ports: [{ port: 80 }] } };
  const spec = { type: "ClusterIP", sessionAffinity: "None", ports: [{ port: 80, protocol: "TCP", targetPort: 80 }], internalTrafficPolicy: "Cluster", ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" };
  assert.deepEqual(withDefaults(valid(given)), { ...given, spec });
  const headless = withValues(given, { "spec.clusterIP": "None" });
  assert.deepEqual(withDefaults(valid(headless)), { ...headless, spec: { ...spec, clusterIP: "None", clusterIPs: ["None"] } });
});

test("stringData is folded into data and wins", () => {
  const given = { apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "d" }, data: { a: "YQ==", b: "Yg==" }, stringData: { b: "é" } };
  assert.deepEqual(withDefaults(valid(given)), { apiVersion: "v1", kind: "Secret", metadata: given.metadata, type: "Opaque", data: { a: "YQ==", b: "w6k=" } });
});

test("a namespace is labelled with its name", () => {
  assert.deepEqual(withDefaults(valid({ apiVersion: "v1", kind: "Namespace", metadata: { name: "team", labels: { a: "b" } } })).metadata.labels, { a: "b", "kubernetes.io/metadata.name": "team" });
});

/** Pods and other objects made by leaving out any of the optional parts of the full examples. */
const anyObject = fc.constantFrom(...fullPods, ...fullObjects).chain((object) => fc.infiniteStream(fc.boolean()).map((coins) => prune(object, coins)));

function prune(object: Json, coins: Stream): Json {
  const drop = (): boolean => coins.next().value === true;
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).flatMap(([key, one]) => (optional.has(key) && drop() ? [] : [[key, walk(one)]])));
  };
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, walk(value)]));
}
type Stream = Iterator<boolean>;
const optional = new Set(["protocol", "imagePullPolicy", "resources", "limits", "requests", "restartPolicy", "serviceAccountName", "serviceAccount", "defaultMode", "type", "scheme", "service", "targetPort", "periodSeconds", "timeoutSeconds", "divisor", "labels", "annotations", "mode", "conditions", "preStop", "postStart", "env", "status", "tolerations"]);

test("defaulting twice is the same as once, changes nothing given and keeps the object valid", () => {
  fc.assert(
    fc.property(anyObject, (object) => {
      const result = validateObject(object);
      fc.pre(result.kind === "ok");
      const before = structuredClone(result.object);
      const once = withDefaults(result.object);
      assert.deepEqual(result.object, before);
      assert.deepEqual(withDefaults(once), once);
      assert.deepEqual(validateObject(once), { kind: "ok", object: once });
    }),
    { numRuns: 300 },
  );
});
