import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "../../../orchestrator/api/types/node.ts";
import type { Container, Pod } from "../../../orchestrator/api/types/pod.ts";
import { podRequests, qosClass } from "../../../orchestrator/api/types/pod-resources.ts";
import { explainRefusal, filterNode } from "../../../orchestrator/scheduler/filter.ts";
import { bestNode } from "../../../orchestrator/scheduler/score.ts";

const container = (changes: Partial<Container> = {}): Container => ({ name: "main", image: "i", ...changes });
const asking = (cpu: string, memory: string, changes: Partial<Container> = {}): Container => container({ resources: { requests: { cpu, memory } }, ...changes });
const pod = (spec: Partial<Pod["spec"]> = {}): Pod => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "default" }, spec: { containers: [container()], ...spec } });
const node = (changes: { readonly name?: string; readonly spec?: Node["spec"]; readonly ready?: string; readonly labels?: Readonly<Record<string, string>>; readonly pods?: string } = {}): Node => ({
  apiVersion: "v1", kind: "Node", metadata: { name: changes.name ?? "n1", labels: { disk: "ssd", ...changes.labels } }, ...(changes.spec === undefined ? {} : { spec: changes.spec }),
  status: { allocatable: { cpu: "2", memory: "4Gi", pods: changes.pods ?? "110" }, conditions: [{ type: "Ready", status: changes.ready === "False" ? "False" : "True" }] },
});

const ports = (hostPort: number, hostIP?: string, protocol?: "UDP"): Container => container({ ports: [{ containerPort: 80, hostPort, ...(hostIP === undefined ? {} : { hostIP }), ...(protocol === undefined ? {} : { protocol }) }] });
const cases: readonly { readonly what: string; readonly pod: Pod; readonly node?: Node; readonly bound?: readonly Pod[]; readonly want: string }[] = [
  { what: "a Pod that asks for nothing fits", pod: pod(), want: "" },
  { what: "too much memory", pod: pod({ containers: [asking("1", "5Gi")] }), want: "Insufficient memory" },
  { what: "too much of both", pod: pod({ containers: [asking("3", "5Gi")] }), want: "Insufficient cpu,Insufficient memory" },
  { what: "exactly what is left fits", pod: pod({ containers: [asking("1", "2Gi")] }), bound: [pod({ containers: [asking("1", "2Gi")] })], want: "" },
  { what: "a milli too much does not", pod: pod({ containers: [asking("1001m", "2Gi")] }), bound: [pod({ containers: [asking("1", "2Gi")] })], want: "Insufficient cpu" },
  { what: "a limit without a request counts", pod: pod({ containers: [container({ resources: { limits: { memory: "5Gi" } } })] }), want: "Insufficient memory" },
  { what: "an extended resource the node has not", pod: pod({ containers: [container({ resources: { requests: { "example.com/gpu": "1" } } })] }), want: "Insufficient example.com/gpu" },
  { what: "no room for one more Pod", pod: pod(), node: node({ pods: "1" }), bound: [pod()], want: "Too many pods" },
  { what: "a cordoned node", pod: pod(), node: node({ spec: { unschedulable: true } }), want: "node(s) were unschedulable" },
  { what: "a node that is not ready", pod: pod(), node: node({ ready: "False" }), want: "node(s) had untolerated taint {node.kubernetes.io/not-ready: }" },
  { what: "a taint", pod: pod(), node: node({ spec: { taints: [{ key: "team", value: "db", effect: "NoSchedule" }] } }), want: "node(s) had untolerated taint {team: db}" },
  { what: "a taint that is tolerated by value", pod: pod({ tolerations: [{ key: "team", operator: "Equal", value: "db", effect: "NoSchedule" }] }), node: node({ spec: { taints: [{ key: "team", value: "db", effect: "NoSchedule" }] } }), want: "" },
  { what: "a taint of another value", pod: pod({ tolerations: [{ key: "team", value: "web" }] }), node: node({ spec: { taints: [{ key: "team", value: "db", effect: "NoSchedule" }] } }), want: "node(s) had untolerated taint {team: db}" },
  { what: "everything tolerated", pod: pod({ tolerations: [{ operator: "Exists" }] }), node: node({ ready: "False", spec: { taints: [{ key: "x", effect: "NoExecute" }], unschedulable: true } }), want: "" },
  { what: "a taint that only asks", pod: pod(), node: node({ spec: { taints: [{ key: "x", effect: "PreferNoSchedule" }] } }), want: "" },
  { what: "a selector that matches", pod: pod({ nodeSelector: { disk: "ssd" } }), want: "" },
  { what: "a selector that does not", pod: pod({ nodeSelector: { disk: "tape" } }), want: "node(s) didn't match Pod's node affinity/selector" },
  { what: "a host port in use", pod: pod({ containers: [ports(8080)] }), bound: [pod({ containers: [ports(8080, "127.0.0.1")] })], want: "node(s) didn't have free ports for the requested pod ports" },
  { what: "the same port on two addresses", pod: pod({ containers: [ports(8080, "127.0.0.2")] }), bound: [pod({ containers: [ports(8080, "127.0.0.1")] })], want: "" },
  { what: "the same port of two protocols", pod: pod({ containers: [ports(8080, undefined, "UDP")] }), bound: [pod({ containers: [ports(8080)] })], want: "" },
  { what: "a port of a native sidecar", pod: pod({ containers: [ports(8080)] }), bound: [pod({ initContainers: [{ ...ports(8080), restartPolicy: "Always" }] })], want: "node(s) didn't have free ports for the requested pod ports" },
];
for (const { what, pod: candidate, node: on = node(), bound = [], want } of cases) {
  test(`filter: ${what}`, () => {
    const fit = filterNode(candidate, { node: on, pods: bound });
    assert.equal(fit.kind === "fits" ? "" : fit.reasons.join(","), want);
  });
}

test("init containers count as a peak, native sidecars as company from their start on", () => {
  const sidecar: Container = asking("100m", "100Mi", { name: "s", restartPolicy: "Always" });
  const check = (initContainers: readonly Container[], containers: readonly Container[], cpu: string, memory: string): void => {
    assert.deepEqual(podRequests(pod({ initContainers, containers }).spec), { cpu, memory });
  };
  check([], [asking("100m", "64Mi"), asking("200m", "64Mi")], "300m", "128Mi");
  check([asking("1", "32Mi", { name: "i" })], [asking("100m", "64Mi")], "1", "64Mi");
  check([sidecar], [asking("100m", "64Mi")], "200m", "164Mi");
  check([asking("1", "32Mi", { name: "i" }), sidecar], [asking("100m", "64Mi")], "1", "164Mi");
  check([sidecar, asking("1", "32Mi", { name: "i" })], [asking("100m", "64Mi")], "1100m", "164Mi");
});

test("the class of service follows requests and limits of all containers", () => {
  const both = { cpu: "1", memory: "1Gi" };
  assert.equal(qosClass(pod()), "BestEffort");
  assert.equal(qosClass(pod({ containers: [container({ resources: { limits: both } })] })), "Guaranteed");
  assert.equal(qosClass(pod({ containers: [container({ resources: { limits: both, requests: { cpu: "1000m", memory: "1024Mi" } } })] })), "Guaranteed");
  assert.equal(qosClass(pod({ containers: [container({ resources: { limits: both, requests: { cpu: "500m" } } })] })), "Burstable");
  assert.equal(qosClass(pod({ containers: [container({ resources: { limits: both } }), container({ name: "b" })] })), "Burstable");
});

test("a refusal counts the nodes by reason, as Kubernetes words it", () => {
  assert.equal(explainRefusal([["Insufficient memory"]]), "0/1 nodes are available: 1 Insufficient memory.");
  assert.equal(explainRefusal([["node(s) were unschedulable"], ["Insufficient cpu", "Insufficient memory"], ["Insufficient memory"]]), "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable, 2 Insufficient memory.");
  assert.equal(explainRefusal([]), "no nodes available to schedule pods");
});

test("the emptier node is better, a node that would rather not is worse, and names decide between equals", () => {
  const views = (first: Node, firstPods: readonly Pod[], second: Node): Parameters<typeof bestNode>[1] => [{ node: first, pods: firstPods }, { node: second, pods: [] }];
  assert.equal(bestNode(pod(), views(node({ name: "a" }), [pod({ containers: [asking("1", "1Gi")] })], node({ name: "b" })))?.node.metadata.name, "b");
  assert.equal(bestNode(pod(), views(node({ name: "a", spec: { taints: [{ key: "x", effect: "PreferNoSchedule" }] } }), [], node({ name: "b" })))?.node.metadata.name, "b");
  assert.equal(bestNode(pod(), views(node({ name: "b" }), [], node({ name: "a" })))?.node.metadata.name, "a");
});
