import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import { ensureClusterNetwork, removeClusterNetwork } from "../../../orchestrator/network/cluster-network.ts";
import type { ClusterNetwork } from "../../../orchestrator/network/cluster-network.ts";
import { FakeRuntime } from "../../../orchestrator/runtime/fake.ts";
import { RuntimeError } from "../../../orchestrator/runtime/runtime.ts";
import type { SandboxSpec } from "../../../orchestrator/runtime/runtime.ts";
import { eventually } from "../../support/eventually.ts";

const log = createLog({ role: "test", level: "silent" });
const name = "podkit-blue-dns";

describe("the cluster's network", { timeout: 180_000 }, () => {
  let runtime: FakeRuntime, stateDirectory: string, abort: AbortController, network: ClusterNetwork | undefined;
  const ensure = async (dnsImage = "dns"): Promise<ClusterNetwork> => {
    network = await ensureClusterNetwork({ clusterName: "blue", runtime, stateDirectory, dnsImage, log, signal: abort.signal });
    return network;
  };
  const dns = async (): Promise<string | undefined> => (await runtime.list({ "podkit/kind": "dns" }))[0]?.id;
  beforeEach(async () => {
    runtime = new FakeRuntime({ clock: systemClock, images: ["dns", "dns:2", "pause"] });
    stateDirectory = await mkdtemp(join(tmpdir(), "podkit-cluster-"));
    abort = new AbortController();
    network = undefined;
  });
  afterEach(async () => {
    abort.abort();
    await network?.done;
    await rm(stateDirectory, { recursive: true });
  });

  test("has a DNS server at a pinned address, with the records' folder and no right but its port", async () => {
    const { dnsServer, name: networkName } = await ensure();
    assert.deepEqual([networkName, dnsServer], ["podkit-blue", "10.99.0.10"]);
    const spec = runtime.spec(name) as SandboxSpec;
    assert.deepEqual(spec.network, { kind: "bridge", name: "podkit-blue", ipv4Address: "10.99.0.10" });
    assert.deepEqual(spec.mounts, [{ kind: "bind", source: join(stateDirectory, "dns"), target: "/etc/podkit-dns", readOnly: true }]);
    assert.deepEqual(spec.sysctls, { "net.ipv4.ip_unprivileged_port_start": "0" });
    const written: unknown = JSON.parse(await readFile(join(stateDirectory, "dns", "upstreams.json"), "utf8"));
    assert.ok(typeof written === "object" && written !== null && "upstreams" in written && Array.isArray(written.upstreams));
  });

  test("is adopted by the next control plane", async () => {
    await ensure();
    const first = await dns();
    abort.abort();
    await network?.done;
    abort = new AbortController();
    await ensure();
    assert.equal(await dns(), first);
    assert.deepEqual(runtime.runningNames(), [name]);
  });

  test("gets a new DNS server with a new image", async () => {
    await ensure();
    const first = await dns();
    abort.abort();
    await network?.done;
    abort = new AbortController();
    await ensure("dns:2");
    assert.notEqual(await dns(), first);
    assert.equal(runtime.spec(name).image, "dns:2");
  });

  test("replaces a DNS server that died or was removed by hand", async () => {
    await ensure();
    const first = await dns();
    runtime.exitByHand(name);
    const second = await eventually(async () => {
      const now = await dns();
      return now !== first && runtime.runningNames().includes(name) ? now : undefined;
    });
    runtime.removeByHand(name);
    await eventually(async () => (await dns()) !== second && runtime.runningNames().includes(name));
  });

  test("goes on trying when the engine fails", async () => {
    await ensure();
    runtime.inject({ verb: "createSandbox", times: 2, error: new RuntimeError("Internal", "engine is busy") });
    runtime.exitByHand(name);
    await eventually(() => runtime.runningNames().includes(name));
    assert.equal(runtime.journal.filter(({ verb, outcome }) => verb === "createSandbox" && outcome === "engine is busy").length, 2);
  });

  test("says that the image is missing, with the remedy", async () => {
    await assert.rejects(ensure("absent"), (error) => error instanceof RuntimeError && error.code === "ImageNotFound" && /npm run images/.test(error.remedy ?? ""));
  });

  test("is removed whole, also when nothing runs", async () => {
    await ensure();
    abort.abort();
    await network?.done;
    runtime.stopEverything();
    await removeClusterNetwork({ clusterName: "blue", runtime });
    assert.deepEqual([await runtime.list({}), await runtime.listNetworks({})], [[], []]);
    await removeClusterNetwork({ clusterName: "blue", runtime });
  });
});
