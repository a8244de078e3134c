import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import type { ApiClient } from "../../../orchestrator/api/client.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import { namespaces, pods, services } from "../../../orchestrator/api/types/kinds.ts";
import type { Pod } from "../../../orchestrator/api/types/pod.ts";
import { ensureClusterNetwork, removeClusterNetwork } from "../../../orchestrator/network/cluster-network.ts";
import type { ClusterNetwork } from "../../../orchestrator/network/cluster-network.ts";
import { runServiceNetwork } from "../../../orchestrator/network/service-network.ts";
import { label } from "../../../orchestrator/runtime/runtime.ts";
import type { Runtime } from "../../../orchestrator/runtime/runtime.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { eventually } from "../../support/eventually.ts";
import { builtImage, connectEngine } from "../runtime/engine.ts";

const clusterName = `nettest-${process.pid}`;
const labels = { [label.cluster]: clusterName };
const log = createLog({ role: "test", level: "error" });

describe("the cluster's DNS on a real engine", { timeout: 400_000 }, () => {
  let runtime: Runtime, client: ApiClient, stateDirectory: string, network: ClusterNetwork, dnsImage: string;
  let controlPlane = new AbortController();
  let serviceNetwork: Promise<void>;
  const ids = new Map<string, string>();
  const addresses = new Map<string, string>();

  const ensure = async (): Promise<ClusterNetwork> => await ensureClusterNetwork({ clusterName, runtime, stateDirectory, dnsImage, log, signal: controlPlane.signal });
  const dnsContainers = async (): Promise<readonly string[]> => (await runtime.list({ ...labels, [label.kind]: "dns" })).map(({ id }) => id);

  /** A Pod as the agent would run it: a sandbox and one container, with the resolv.conf of ClusterFirst. */
  async function runPod(name: string, command: readonly string[]): Promise<void> {
    const sandboxId = await runtime.createSandbox({
      name: `podkit-${clusterName}-${name}`, labels, image: await builtImage("pause"), hostname: name,
      network: { kind: "bridge", name: network.name }, ports: [], sysctls: {}, mounts: [],
    });
    const { ip } = await runtime.startSandbox(sandboxId);
    const resolvConf = join(stateDirectory, "resolv.conf");
    await writeFile(resolvConf, `nameserver ${network.dnsServer}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`);
    const id = await runtime.createContainer({
      name: `podkit-${clusterName}-${name}-main`, labels, sandboxId, image: await builtImage("busybox"), entrypoint: command, env: [], supplementalGroups: [],
      mounts: [{ kind: "bind", source: resolvConf, target: "/etc/resolv.conf", readOnly: true }], readOnlyRootFilesystem: false, privileged: false, noNewPrivileges: true,
      capabilitiesAdd: [], capabilitiesDrop: [], seccomp: { kind: "runtimeDefault" }, resources: {}, pidNamespace: "container", ipcNamespace: "sandbox", tty: false, stdin: false, stdinOnce: false,
    });
    await runtime.startContainer(id);
    ids.set(name, id);
    addresses.set(name, ip ?? "");
    const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default", labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "busybox", ports: [{ name: "http", containerPort: 8080 }] }] } };
    const created = await client.create(pods, pod);
    await client.update(pods, { ...created, status: { phase: "Running", podIP: ip ?? "", conditions: [{ type: "Ready", status: "True" }] } }, { subresource: "status" });
  }

  /** What a command in a Pod prints; undefined when it fails. */
  async function ask(pod: string, ...command: readonly string[]): Promise<string | undefined> {
    const result = await runtime.execSync(ids.get(pod) ?? "", { command, timeoutMs: 20_000, outputBytesMax: 10_000 });
    return result.kind === "exited" && result.exitCode === 0 ? result.stdout : undefined;
  }
  const page = (name: string): readonly string[] => ["sh", "-c", `echo ${name} > /tmp/index.html; httpd -f -p 8080 -h /tmp & trap 'exit 0' TERM; wait`];

  before(async () => {
    runtime = await connectEngine();
    dnsImage = await builtImage("dns");
    stateDirectory = await mkdtemp(join(tmpdir(), "podkit-network-"));
    client = createApi({ store: createMemoryStore(), clock: systemClock, random: Math.random });
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
    network = await ensure();
    serviceNetwork = runServiceNetwork({ client, stateDirectory, clock: systemClock, log, signal: controlPlane.signal });
    await client.create(services, { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "default" }, spec: { clusterIP: "None", selector: { app: "web" }, ports: [{ name: "http", port: 8080, targetPort: "http" }] } });
    await Promise.all([runPod("one", page("one")), runPod("two", page("two"))]);
  });
  after(async () => {
    controlPlane.abort();
    await Promise.allSettled([serviceNetwork, network?.done]);
    await Promise.all((await runtime.list(labels)).map(async ({ id }) => await runtime.remove(id)));
    await removeClusterNetwork({ clusterName, runtime });
    assert.deepEqual([await runtime.list(labels), await runtime.listNetworks(labels)], [[], []]);
    await runtime.close();
    await rm(stateDirectory, { recursive: true, force: true });
  });

  test("a Pod reaches another by the Service's name", async () => {
    const text = await eventually(async () => await ask("one", "wget", "-qO-", "http://web:8080/"), { what: "web answers" });
    assert.match(text, /^(one|two)\n$/);
  });

  test("a headless Service resolves to all its Pods, and every Pod to its own name's address", async () => {
    const text = await eventually(async () => {
      const answer = await ask("two", "nslookup", "-type=a", "web.default.svc.cluster.local", network.dnsServer);
      return answer !== undefined && [...addresses.values()].every((address) => answer.includes(address)) ? answer : undefined;
    }, { what: "both addresses" });
    assert.equal(text.match(/Address: /g)?.length, 2);
    const own = `${addresses.get("one")?.replaceAll(".", "-")}.web.default.svc.cluster.local`;
    assert.match((await ask("two", "nslookup", "-type=a", own, network.dnsServer)) ?? "", new RegExp(`Address: ${addresses.get("one")}`));
  });

  test("a name without IPv6 addresses exists all the same, and an unknown one does not", async () => {
    assert.notEqual(await ask("two", "nslookup", "-type=aaaa", "web.default.svc.cluster.local", network.dnsServer), undefined);
    assert.equal(await ask("two", "nslookup", "-type=a", "nobody.default.svc.cluster.local", network.dnsServer), undefined);
  });

  test("a Pod that is not ready any more is taken out, and comes back", async () => {
    const ready = async (status: "True" | "False"): Promise<void> => {
      const pod = await client.get(pods, { namespace: "default", name: "two" });
      assert.ok(pod !== undefined);
      await client.update(pods, { ...pod, status: { ...pod.status, conditions: [{ type: "Ready", status }] } }, { subresource: "status" });
    };
    const resolvesTwo = async (): Promise<boolean> => ((await ask("one", "nslookup", "-type=a", "web.default.svc.cluster.local", network.dnsServer)) ?? "").includes(addresses.get("two") ?? "?");
    await ready("False");
    await eventually(async () => !(await resolvesTwo()));
    await ready("True");
    await eventually(resolvesTwo);
  });

  test("a killed DNS container is replaced at its address", async () => {
    const [killed] = await dnsContainers();
    await runtime.kill(killed ?? "", "SIGKILL");
    await eventually(async () => {
      const now = await dnsContainers();
      return now.length === 1 && now[0] !== killed;
    }, { what: "another DNS container" });
    await eventually(async () => (await ask("one", "wget", "-qO-", "http://web:8080/")) !== undefined);
  });

  test("names resolve on without the control plane, and the next one adopts the DNS container", async () => {
    controlPlane.abort();
    await Promise.all([serviceNetwork, network.done]);
    const before = await dnsContainers();
    assert.match((await ask("one", "wget", "-qO-", "http://web:8080/")) ?? "", /^(one|two)\n$/);
    controlPlane = new AbortController();
    const again = await ensure();
    assert.equal(again.dnsServer, network.dnsServer);
    assert.deepEqual(await dnsContainers(), before);
    network = again;
  });
});
