import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Pod, PodSpec, PodStatus } from "../../../orchestrator/api/types/pod.ts";
import type { Service, ServiceSpec } from "../../../orchestrator/api/types/service.ts";
import { dnsRecords } from "../../../orchestrator/network/dns-records.ts";
import { desiredSlices, sameContent } from "../../../orchestrator/network/endpoint-slices.ts";
import { parseNameservers, upstreamsOf } from "../../../orchestrator/network/resolvers.ts";

const service = (spec: Partial<ServiceSpec> = {}): Service => ({
  apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "default", uid: "s-1" }, spec: { selector: { app: "web" }, clusterIP: "None", ports: [{ name: "http", port: 80, targetPort: "http" }], ...spec },
});
type PodChanges = { readonly labels?: Record<string, string>; readonly namespace?: string; readonly deleting?: boolean; readonly ready?: boolean; readonly port?: number; readonly status?: Partial<PodStatus>; readonly spec?: Partial<PodSpec> };
const pod = (name: string, ip: string, o: PodChanges = {}): Pod => ({
  apiVersion: "v1", kind: "Pod",
  metadata: { name, namespace: o.namespace ?? "default", uid: `uid-${name}`, labels: o.labels ?? { app: "web" }, ...(o.deleting === true ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}) },
  spec: { nodeName: "n", containers: [{ name: "main", image: "i", ports: [{ name: "http", containerPort: o.port ?? 8080 }] }], ...o.spec },
  status: { phase: "Running", podIP: ip, conditions: [{ type: "Ready", status: o.ready === false ? "False" : "True" }], ...o.status },
});

/** Address, then r(eady) s(erving) t(erminating), then the ports: one line per endpoint. */
function summary(from: Service, pods: readonly Pod[]): readonly string[] {
  return desiredSlices(from, pods).flatMap((slice) => slice.endpoints.map(({ addresses, conditions, hostname }) =>
    `${addresses.join()} ${conditions?.ready === true ? "r" : "-"}${conditions?.serving === true ? "s" : "-"}${conditions?.terminating === true ? "t" : "-"} ${(slice.ports ?? []).map(({ name, port }) => `${name}:${port}`).join()}${hostname === undefined ? "" : ` ${hostname}`}`));
}

describe("endpoint slices", () => {
  const check = (sentence: string, from: Service, pods: readonly Pod[], expected: readonly string[]): void => {
    test(sentence, () => assert.deepEqual(summary(from, pods), expected));
  };
  check("a ready Pod is an endpoint at its named port", service(), [pod("a", "10.0.0.2")], ["10.0.0.2 rs- http:8080"]);
  check("Pods come in order of their names", service(), [pod("b", "10.0.0.3"), pod("a", "10.0.0.2")], ["10.0.0.2 rs- http:8080", "10.0.0.3 rs- http:8080"]);
  check("a Pod that is not ready is listed as such", service(), [pod("a", "10.0.0.2", { ready: false })], ["10.0.0.2 --- http:8080"]);
  check("a terminating Pod that still serves is not ready", service(), [pod("a", "10.0.0.2", { deleting: true })], ["10.0.0.2 -st http:8080"]);
  check("publishNotReadyAddresses makes every address ready", service({ publishNotReadyAddresses: true }), [pod("a", "10.0.0.2", { ready: false, deleting: true })], ["10.0.0.2 r-t http:8080"]);
  check("Pods without an address, ended, of other labels or namespaces do not count", service(), [
    pod("a", ""), pod("b", "10.0.0.3", { status: { phase: "Succeeded" } }), pod("c", "10.0.0.4", { status: { phase: "Failed" } }), pod("d", "10.0.0.5", { labels: { app: "other" } }), pod("e", "10.0.0.6", { namespace: "other" }),
  ], []);
  check("a numeric targetPort, and port itself without one", service({ ports: [{ name: "a", port: 80, targetPort: 9000 }, { name: "b", port: 81 }] }), [pod("a", "10.0.0.2")], ["10.0.0.2 rs- a:9000,b:81"]);
  check("Pods that mean different numbers by a name are kept apart", service(), [pod("a", "10.0.0.2"), pod("b", "10.0.0.3", { port: 9090 })], ["10.0.0.2 rs- http:8080", "10.0.0.3 rs- http:9090"]);
  check("a Pod without the named port has none", service({ ports: [{ name: "http", port: 80, targetPort: "grpc" }] }), [pod("a", "10.0.0.2")], ["10.0.0.2 rs- "]);
  check("a native sidecar's port counts, an init container's does not", service({ ports: [{ name: "a", port: 1, targetPort: "side" }, { name: "b", port: 2, targetPort: "init" }] }), [pod("a", "10.0.0.2", { spec: { initContainers: [
    { name: "s", image: "i", restartPolicy: "Always", ports: [{ name: "side", containerPort: 7000 }] }, { name: "i", image: "i", ports: [{ name: "init", containerPort: 7001 }] }] } })], ["10.0.0.2 rs- a:7000"]);
  check("hostname and subdomain give a Pod its own name", service(), [pod("a", "10.0.0.2", { spec: { hostname: "db-0", subdomain: "web" } }), pod("b", "10.0.0.3", { spec: { hostname: "db-1", subdomain: "other" } })], ["10.0.0.2 rs- http:8080 db-0", "10.0.0.3 rs- http:8080"]);
  check("a Service without ports has endpoints all the same", service({ ports: [] }), [pod("a", "10.0.0.2")], ["10.0.0.2 rs- "]);
  check("an ExternalName has none", service({ type: "ExternalName", externalName: "example.org" }), [pod("a", "10.0.0.2")], []);
  check("a Service without selector has none of ours", { ...service(), spec: { ports: [] } }, [pod("a", "10.0.0.2")], []);
  check("an empty selector selects nothing", service({ selector: {} }), [pod("a", "10.0.0.2")], []);

  test("more than a hundred endpoints are split, under stable names", () => {
    const many = Array.from({ length: 201 }, (_, at) => pod(`p${String(at).padStart(3, "0")}`, `10.0.${Math.floor(at / 200)}.${(at % 200) + 1}`));
    const slices = desiredSlices(service(), many);
    assert.deepEqual(slices.map(({ endpoints }) => endpoints.length), [100, 100, 1]);
    assert.equal(new Set(slices.map(({ metadata }) => metadata.name)).size, 3);
    assert.deepEqual(desiredSlices(service(), many.toReversed()), slices);
  });

  test("what the API server adds to a slice is no difference; a changed readiness is", () => {
    const [wanted] = desiredSlices(service(), [pod("a", "10.0.0.2")]);
    const [other] = desiredSlices(service(), [pod("a", "10.0.0.2", { ready: false })]);
    assert.ok(wanted !== undefined && other !== undefined);
    assert.equal(sameContent({ ...wanted, metadata: { ...wanted.metadata, uid: "u", resourceVersion: "7", creationTimestamp: "2026-01-01T00:00:00Z" } }, wanted), true);
    assert.equal(sameContent(other, wanted), false);
  });
});

describe("DNS records", () => {
  test("name ready endpoints by their slices, aliases, and Services without any", () => {
    const slices = desiredSlices(service(), [pod("a", "10.0.0.2", { spec: { hostname: "db-0", subdomain: "web" } }), pod("b", "10.0.0.3", { ready: false })]);
    const empty: Service = { ...service(), metadata: { name: "empty", namespace: "default" } };
    const alias: Service = { ...service({ type: "ExternalName", externalName: "example.org" }), metadata: { name: "alias", namespace: "default" } };
    assert.deepEqual(dnsRecords("cluster.local", [service(), empty, alias], slices), {
      version: 1, domain: "cluster.local",
      services: [
        { kind: "external", namespace: "default", name: "alias", target: "example.org" },
        { kind: "endpoints", namespace: "default", name: "empty", endpoints: [] },
        { kind: "endpoints", namespace: "default", name: "web", endpoints: [{ address: "10.0.0.2", hostname: "db-0", ports: [{ name: "http", protocol: "TCP", port: 8080 }] }] },
      ],
    });
  });
});

describe("upstream resolvers", () => {
  test("nameserver lines are read, comments and other lines are not", () => {
    assert.deepEqual(parseNameservers("# nameserver 1.1.1.1\nsearch a.b\nnameserver 10.0.0.2 # ours\n  nameserver\tfd00::1\nnameserver bogus.host\noptions ndots:2\n"), ["10.0.0.2", "fd00::1"]);
  });
  const check = (sentence: string, o: { main: string[]; behindResolved?: string[]; ourselves?: string[] }, expected: readonly string[]): void => {
    test(sentence, () => assert.deepEqual(upstreamsOf({ behindResolved: [], ourselves: [], ...o }), expected));
  };
  check("the host's resolvers are taken", { main: ["10.0.0.2", "10.0.0.3"] }, ["10.0.0.2", "10.0.0.3"]);
  check("loopback addresses and ourselves are not", { main: ["127.0.0.11", "::1", "172.18.0.10", "10.0.0.2"], ourselves: ["172.18.0.10"] }, ["10.0.0.2"]);
  check("behind systemd-resolved the real ones are found", { main: ["127.0.0.53"], behindResolved: ["192.168.1.1"] }, ["192.168.1.1"]);
  check("no more than three, none twice", { main: ["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"] }, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  check("there may be none", { main: ["127.0.0.1"] }, []);
});
