import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container, Pod, PodSpec } from "../../../orchestrator/api/types/pod.ts";
import { hostsFile, podHostname } from "../../../orchestrator/agent/pod-files.ts";
import { buildResolvConf, parseResolvConf } from "../../../orchestrator/agent/pod-worker/resolv-conf.ts";
import { cgroupLimits, oomScoreAdj } from "../../../orchestrator/agent/resources.ts";
import { securitySpec } from "../../../orchestrator/agent/security.ts";
import type { ImageInfo } from "../../../orchestrator/runtime/runtime.ts";

const pod = (spec: Partial<PodSpec>): Pod => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "web-1", namespace: "shop", uid: "u1" }, spec: { containers: [{ name: "a", image: "i" }], ...spec } });
const dns = { server: "10.0.0.53", domain: "cluster.local" };
const node = parseResolvConf("# comment\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch corp.example\noptions edns0 trust-ad\n");

test("the hosts file is the kubelet's, with aliases and the name that a subdomain gives", () => {
  assert.equal(hostsFile(pod({ subdomain: "db", hostAliases: [{ ip: "192.0.2.7", hostnames: ["foo", "bar"] }] }), "10.0.0.2", dns), [
    "# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback", "fe00::0\tip6-localnet", "fe00::0\tip6-mcastprefix", "fe00::1\tip6-allnodes", "fe00::2\tip6-allrouters",
    "10.0.0.2\tweb-1.db.shop.svc.cluster.local\tweb-1", "", "# Entries added by HostAliases.", "192.0.2.7\tfoo\tbar", "",
  ].join("\n"));
});

test("a hostname is the Pod's name, cut to a label; setHostnameAsFQDN makes it whole", () => {
  assert.deepEqual(podHostname(pod({}), dns), { hostname: "web-1", domain: undefined });
  assert.equal(podHostname(pod({ hostname: "h", subdomain: "db", setHostnameAsFQDN: true }), dns).hostname, "h.db.shop.svc.cluster.local");
});

const resolv = (name: string, spec: Partial<PodSpec>, expected: string, server: string | undefined = "10.0.0.53"): void => {
  test(`resolv.conf: ${name}`, () => assert.equal(buildResolvConf(pod(spec), { ...dns, server }, node), expected));
};
resolv("ClusterFirst asks the cluster first", {}, "nameserver 10.0.0.53\nsearch shop.svc.cluster.local svc.cluster.local cluster.local corp.example\noptions ndots:5\n");
resolv("Default is the node's, without its loopback servers", { dnsPolicy: "Default" }, "nameserver 192.0.2.53\nsearch corp.example\noptions edns0 trust-ad\n");
resolv("hostNetwork makes ClusterFirst Default", { hostNetwork: true }, "nameserver 192.0.2.53\nsearch corp.example\noptions edns0 trust-ad\n");
resolv("None is dnsConfig alone", { dnsPolicy: "None", dnsConfig: { nameservers: ["1.1.1.1"], searches: ["x"], options: [{ name: "ndots", value: "2" }, { name: "rotate" }] } }, "nameserver 1.1.1.1\nsearch x\noptions ndots:2 rotate\n");
resolv("dnsConfig adds and overrides", { dnsConfig: { nameservers: ["1.1.1.1"], searches: ["x"], options: [{ name: "ndots", value: "2" }] } }, "nameserver 10.0.0.53\nnameserver 1.1.1.1\nsearch shop.svc.cluster.local svc.cluster.local cluster.local corp.example x\noptions ndots:2\n");
test("resolv.conf: without a cluster server it is the node's", () => assert.equal(buildResolvConf(pod({}), { server: undefined, domain: "cluster.local" }, node), "nameserver 192.0.2.53\nsearch corp.example\noptions edns0 trust-ad\n"));

test("cgroup limits follow the kubelet's formulas", () => {
  assert.deepEqual(cgroupLimits({ cpu: "500m", memory: "64Mi" }, { cpu: "500m" }), { memoryBytes: 67_108_864, cpuPeriodMicroseconds: 100_000, cpuQuotaMicroseconds: 50_000, cpuShares: 512 });
  assert.deepEqual(cgroupLimits(undefined, undefined), { cpuShares: 2 });
  assert.equal(cgroupLimits({ cpu: "1m" }, undefined).cpuQuotaMicroseconds, 1000);
});

test("the OOM killer's order follows the QoS class", () => {
  const shape = { memoryBytes: 8 * 1024 ** 3, mayLowerOomScore: true };
  const score = (resources: Container["resources"]): number => {
    const container: Container = { name: "a", image: "i", ...(resources === undefined ? {} : { resources }) };
    return oomScoreAdj(pod({ containers: [container] }), container, shape);
  };
  assert.equal(score(undefined), 1000);
  assert.equal(score({ limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1", memory: "1Gi" } }), -997);
  assert.equal(score({ requests: { memory: "4Gi" } }), 500);
  assert.equal(score({ requests: { memory: "1" } }), 999);
});

const image = (user: string): ImageInfo => ({ id: "sha256:1", references: [], sizeBytes: 1, user, entrypoint: [], command: [], workingDir: "", env: [] });
const user = (name: string, spec: Partial<PodSpec>, imageUser: string, expected: string | undefined | RegExp): void => {
  test(`user: ${name}`, () => {
    const object = pod(spec);
    const [container] = object.spec.containers;
    assert.ok(container !== undefined);
    const build = (): unknown => securitySpec(object, container, image(imageUser), () => "").user;
    if (expected instanceof RegExp) assert.throws(build, expected);
    else assert.equal(build(), expected);
  });
};
user("the image's when nothing is said", {}, "65532", undefined);
user("the Pod's", { securityContext: { runAsUser: 1 } }, "", "1");
user("the container's before the Pod's", { securityContext: { runAsUser: 1, runAsGroup: 2 }, containers: [{ name: "a", image: "i", securityContext: { runAsUser: 3 } }] }, "", "3:2");
user("a group alone keeps the image's user", { securityContext: { runAsGroup: 2 } }, "7:8", "7:2");
user("non-root refuses root", { securityContext: { runAsNonRoot: true } }, "", /container has runAsNonRoot and image will run as root \(pod: "web-1_shop\(u1\)", container: a\)/);
user("non-root refuses a name", { securityContext: { runAsNonRoot: true } }, "app", /image has non-numeric user \(app\), cannot verify user is non-root/);
user("non-root refuses runAsUser 0", { securityContext: { runAsNonRoot: true, runAsUser: 0 } }, "7", /runAsUser breaks non-root policy/);
user("non-root takes a number", { securityContext: { runAsNonRoot: true } }, "7", undefined);

test("fsGroup and supplemental groups are the container's groups; allowPrivilegeEscalation false is no_new_privs", () => {
  const object = pod({ securityContext: { fsGroup: 5, supplementalGroups: [6] }, containers: [{ name: "a", image: "i", securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] } } }] });
  const [container] = object.spec.containers;
  assert.ok(container !== undefined);
  const spec = securitySpec(object, container, image(""), () => "");
  assert.deepEqual([spec.supplementalGroups, spec.noNewPrivileges, spec.capabilitiesDrop, spec.capabilitiesAdd, spec.seccomp], [[6, 5], true, ["ALL"], ["NET_BIND_SERVICE"], { kind: "runtimeDefault" }]);
});
