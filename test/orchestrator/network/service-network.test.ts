import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import type { ApiClient } from "../../../orchestrator/api/client.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import type { EndpointSlice } from "../../../orchestrator/api/types/endpoint-slice.ts";
import { endpointSlices, namespaces, pods, services } from "../../../orchestrator/api/types/kinds.ts";
import { parseRecords } from "../../../orchestrator/network/dns/records.ts";
import { runServiceNetwork } from "../../../orchestrator/network/service-network.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { eventually } from "../../support/eventually.ts";

const log = createLog({ role: "test", level: "silent" });

describe("the service network", { timeout: 180_000 }, () => {
  let client: ApiClient, stateDirectory: string, abort: AbortController, running: Promise<void>;
  const start = (): void => {
    abort = new AbortController();
    running = runServiceNetwork({ client, stateDirectory, clock: systemClock, log, signal: abort.signal });
  };
  const stop = async (): Promise<void> => {
    abort.abort();
    await running;
  };
  beforeEach(async () => {
    stateDirectory = await mkdtemp(join(tmpdir(), "podkit-services-"));
    client = createApi({ store: createMemoryStore(), clock: systemClock, random: Math.random });
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
    start();
  });
  afterEach(async () => {
    await stop();
    await rm(stateDirectory, { recursive: true });
  });

  const createService = async (name: string): Promise<unknown> => await client.create(services, {
    apiVersion: "v1", kind: "Service", metadata: { name, namespace: "default" }, spec: { clusterIP: "None", selector: { app: name }, ports: [{ name: "http", port: 80 }] },
  });
  const createPod = async (name: string, app: string): Promise<void> => {
    await client.create(pods, { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default", labels: { app } }, spec: { containers: [{ name: "main", image: "i" }] } });
  };
  const setStatus = async (name: string, podIP: string, ready: boolean): Promise<void> => {
    const pod = await client.get(pods, { namespace: "default", name });
    assert.ok(pod !== undefined);
    await client.update(pods, { ...pod, status: { phase: "Running", podIP, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] } }, { subresource: "status" });
  };
  /** Service -> ready addresses, as the DNS server is told. */
  const named = async (): Promise<Record<string, readonly string[]>> => {
    const { services: known } = parseRecords(await readFile(join(stateDirectory, "dns", "records.json"), "utf8"));
    return Object.fromEntries(known.map((service) => [service.name, service.kind === "endpoints" ? service.endpoints.map(({ address }) => address) : []]));
  };
  const namedAre = async (expected: Record<string, readonly string[]>): Promise<void> => {
    await eventually(async () => {
      assert.deepEqual(await named(), expected);
      return true;
    });
  };
  const slices = async (): Promise<readonly EndpointSlice[]> => (await client.list(endpointSlices)).items;

  test("writes the records at the start, before there is any Service", async () => {
    await namedAre({});
  });

  test("follows a Pod from not ready to ready to gone, and the Service to its deletion", async () => {
    await createService("web");
    await namedAre({ web: [] });
    await createPod("a", "web");
    await setStatus("a", "10.0.0.2", false);
    await eventually(async () => (await slices())[0]?.endpoints[0]?.conditions?.ready === false);
    assert.deepEqual(await named(), { web: [] });
    await setStatus("a", "10.0.0.2", true);
    await namedAre({ web: ["10.0.0.2"] });
    assert.deepEqual((await slices()).map(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"]), ["web"]);
    await client.delete(pods, { namespace: "default", name: "a" }, { gracePeriodSeconds: 0 });
    await namedAre({ web: [] });
    await client.delete(services, { namespace: "default", name: "web" });
    await namedAre({});
    await eventually(async () => (await slices()).length === 0);
  });

  test("puts a slice right that somebody changed, and makes a removed one anew", async () => {
    await createService("web");
    await createPod("a", "web");
    await setStatus("a", "10.0.0.2", true);
    await namedAre({ web: ["10.0.0.2"] });
    const [slice] = await slices();
    assert.ok(slice !== undefined);
    await client.update(endpointSlices, { ...slice, endpoints: [] });
    await eventually(async () => (await slices())[0]?.endpoints.length === 1);
    await client.delete(endpointSlices, { namespace: "default", name: slice.metadata.name });
    await eventually(async () => (await slices()).length === 1);
    await namedAre({ web: ["10.0.0.2"] });
  });

  test("names the endpoints that somebody else keeps for a Service without selector, and leaves them alone", async () => {
    await client.create(services, { apiVersion: "v1", kind: "Service", metadata: { name: "db", namespace: "default" }, spec: { clusterIP: "None", ports: [{ name: "sql", port: 5432 }] } });
    await client.create(endpointSlices, {
      apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: { name: "db-1", namespace: "default", labels: { "kubernetes.io/service-name": "db" } },
      addressType: "IPv4", endpoints: [{ addresses: ["192.0.2.7"] }], ports: [{ name: "sql", port: 5432 }],
    });
    await namedAre({ db: ["192.0.2.7"] });
    await client.delete(services, { namespace: "default", name: "db" });
    await namedAre({});
    assert.equal((await slices()).length, 1);
  });

  test("started again, it cleans up what changed meanwhile and writes nothing that is right already", async () => {
    await createService("web");
    await createService("old");
    for (const [name, app, ip] of [["a", "web", "10.0.0.2"], ["b", "old", "10.0.0.3"]] as const) {
      await createPod(name, app);
      await setStatus(name, ip, true);
    }
    await namedAre({ web: ["10.0.0.2"], old: ["10.0.0.3"] });
    await stop();
    await client.delete(services, { namespace: "default", name: "old" });
    const before = (await slices()).find(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "web");
    start();
    await namedAre({ web: ["10.0.0.2"] });
    await eventually(async () => (await slices()).length === 1);
    assert.deepEqual(await slices(), [before]);
  });

  test("when it fails inside, it rejects and leaves no watch behind, so that the next one does not find the old one at work", async () => {
    await stop();
    let watching = 0;
    const counted: ApiClient = {
      create: async () => { throw new Error("the store is gone"); },
      get: client.get.bind(client), list: client.list.bind(client), update: client.update.bind(client), delete: client.delete.bind(client), bind: client.bind.bind(client),
      watch: async function* (kind, options) {
        watching++;
        try {
          yield* client.watch(kind, options);
        } finally {
          watching--;
        }
      },
    };
    const failing = runServiceNetwork({
      client: counted, stateDirectory, clock: systemClock, signal: AbortSignal.timeout(120_000),
      log: { ...log, child: () => log, warn: () => { throw new Error("cannot log"); } },
    });
    const failed = assert.rejects(failing, /cannot log/);
    await eventually(() => watching === 3);
    await createService("web"); // its slice cannot be made, and that cannot be logged
    await createPod("a", "web");
    await setStatus("a", "10.0.0.2", true);
    await failed;
    assert.equal(watching, 0);
  });
});
