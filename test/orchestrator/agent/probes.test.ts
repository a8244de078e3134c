import assert from "node:assert/strict";
import { createServer as createHttp } from "node:http";
import { createServer as createTcp, type AddressInfo } from "node:net";
import { test } from "node:test";
import type { Container, ProbeHandler } from "../../../orchestrator/api/types/pod.ts";
import { decodeHealthStatus, encodeHealthRequest } from "../../../orchestrator/agent/probes/grpc-health.ts";
import { runProbe } from "../../../orchestrator/agent/probes/handlers.ts";
import { freshProbe, recordOutcome, unhealthyMessage, type ProbeOutcome, type ProbeState } from "../../../orchestrator/agent/probes/probe-state.ts";
import { FakeRuntime } from "../../../orchestrator/runtime/fake.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";

const ok: ProbeOutcome = { kind: "success" };
const bad: ProbeOutcome = { kind: "failure", output: "x" };
const broken: ProbeOutcome = { kind: "error", output: "x" };
const results = (name: string, outcomes: readonly ProbeOutcome[], thresholds: { success: number; failure: number }, expected: readonly (string | undefined)[]): void => {
  test(name, () => {
    let state: ProbeState = freshProbe;
    assert.deepEqual(outcomes.map((outcome) => (state = recordOutcome(state, outcome, thresholds)).result), expected);
  });
};
results("one success is enough by default", [ok, ok], { success: 1, failure: 3 }, ["success", "success"]);
results("three failures in a row turn it", [ok, bad, bad, bad], { success: 1, failure: 3 }, ["success", "success", "success", "failure"]);
results("a success between starts the count anew", [ok, bad, bad, ok, bad, bad], { success: 1, failure: 3 }, ["success", "success", "success", "success", "success", "success"]);
results("nothing is known before a threshold is reached", [bad, bad, ok], { success: 2, failure: 3 }, [undefined, undefined, undefined]);
results("two successes where two are wanted", [bad, ok, ok], { success: 2, failure: 1 }, ["failure", "failure", "success"]);
results("a probe that cannot be carried out counts neither way", [ok, broken, broken, broken], { success: 1, failure: 1 }, ["success", "success", "success", "success"]);

test("events are worded as the kubelet's", () => {
  assert.equal(unhealthyMessage("readiness", bad), "Readiness probe failed: x");
  assert.equal(unhealthyMessage("liveness", broken), "Liveness probe errored: x");
  assert.equal(unhealthyMessage("startup", ok), undefined);
});

test("the health messages of gRPC are encoded by hand", () => {
  assert.deepEqual([...encodeHealthRequest("")], [0, 0, 0, 0, 0]);
  assert.deepEqual([...encodeHealthRequest("ab")], [0, 0, 0, 0, 4, 0x0a, 2, 97, 98]);
  assert.equal(encodeHealthRequest("x".repeat(200)).readUInt32BE(1), 203, "a length above 127 takes two bytes");
  assert.equal(decodeHealthStatus(Uint8Array.from([0, 0, 0, 0, 2, 8, 1])), "SERVING");
  assert.equal(decodeHealthStatus(Uint8Array.from([0, 0, 0, 0, 2, 8, 2])), "NOT_SERVING");
  assert.equal(decodeHealthStatus(Uint8Array.from([0, 0, 0, 0, 0])), "UNKNOWN");
});

const container: Container = { name: "a", image: "i", ports: [{ name: "web", containerPort: 1 }] };
const run = async (handler: ProbeHandler, timeoutMs = 60_000): Promise<ProbeOutcome> => await runProbe(handler, { runtime: new FakeRuntime({ clock: createVirtualClock() }), container, containerId: "none", podIp: "127.0.0.1" }, timeoutMs);

test("an HTTP probe goes by the status code, follows redirects on its host, sends the headers, and tells why it failed", async () => {
  const seen: string[] = [];
  const server = createHttp((request, response) => {
    seen.push(`${request.url ?? ""} ${String(request.headers["x-probe"] ?? "")} ${request.headers["user-agent"] ?? ""}`);
    if (request.url === "/moved") response.writeHead(302, { location: "/fine" }).end();
    else if (request.url === "/away") response.writeHead(302, { location: "http://example.invalid/" }).end();
    else if (request.url === "/loop") response.writeHead(302, { location: "/loop" }).end();
    else if (request.url === "/never") return;
    else response.writeHead(request.url === "/fine" ? 204 : 500).end();
  });
  await new Promise<void>((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  const { port } = server.address() as AddressInfo;
  assert.deepEqual(await run({ httpGet: { port, path: "/fine", httpHeaders: [{ name: "X-Probe", value: "yes" }] } }), ok);
  assert.deepEqual(seen, ["/fine yes kube-probe/podkit"]);
  assert.deepEqual(await run({ httpGet: { port, path: "/moved" } }), ok);
  assert.deepEqual(await run({ httpGet: { port, path: "/away" } }), ok);
  assert.deepEqual(await run({ httpGet: { port, path: "/broken" } }), { kind: "failure", output: "HTTP probe failed with statuscode: 500" });
  assert.deepEqual(await run({ httpGet: { port, path: "/loop" } }), { kind: "failure", output: `Get "http://127.0.0.1:${port}/loop": stopped after 10 redirects` });
  assert.deepEqual(await run({ httpGet: { port, path: "/never" } }, 100), { kind: "failure", output: `Get "http://127.0.0.1:${port}/never": context deadline exceeded (Client.Timeout exceeded while awaiting headers)` });
  assert.deepEqual(await run({ tcpSocket: { port } }), ok);
  server.closeAllConnections();
  await new Promise((resolve) => { server.close(resolve); });
  assert.deepEqual(await run({ tcpSocket: { port } }), { kind: "failure", output: `dial tcp 127.0.0.1:${port}: connect: connection refused` });
  assert.deepEqual(await run({ httpGet: { port, path: "/" } }), { kind: "failure", output: `Get "http://127.0.0.1:${port}/": dial tcp 127.0.0.1:${port}: connect: connection refused` });
});

test("a gRPC probe of something that speaks no HTTP/2 fails in time", async () => {
  const server = createTcp((socket) => { socket.on("error", () => undefined); });
  await new Promise<void>((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  const { port } = server.address() as AddressInfo;
  const outcome = await run({ grpc: { port } }, 200);
  assert.equal(outcome.kind, "failure");
  server.close();
});

test("what cannot be carried out is an error, not a failure", async () => {
  assert.deepEqual(await run({ httpGet: { port: "none" } }), { kind: "error", output: 'couldn\'t find port "none" in container a' });
  assert.equal((await run({ exec: { command: ["x"] } })).kind, "error");
});
