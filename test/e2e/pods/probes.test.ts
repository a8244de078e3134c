import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { image } from "../../support/images.ts";
import { idle, patient, shell, TestCluster } from "./support.ts";

/** A gRPC health service in 20 lines of Node: what the prober says to it is checked by another implementation of HTTP/2. */
const grpcServer = `
const { createServer } = require("node:http2");
createServer().on("stream", (stream, headers) => {
  const chunks = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  stream.on("end", () => {
    const service = Buffer.concat(chunks).subarray(7).toString();
    const right = headers[":path"] === "/grpc.health.v1.Health/Check" && service === "shop";
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, right ? 1 : 2]));
  });
}).listen(9000);
process.on("SIGTERM", () => process.exit(0));`;

test("a container is ready when its exec, httpGet, tcpSocket or grpc probe says so, and not before", async () => {
  await using cluster = await TestCluster.start();
  const probe = { ...patient, failureThreshold: 1 };
  const web = (name: string, port: number) => shell(name, `mkdir -p /www; touch /www/healthy; exec httpd -f -p ${port} -h /www`, { ports: [{ name: "web", containerPort: port }] });
  await cluster.create("web", {
    containers: [
      { ...shell("exec", idle), readinessProbe: { exec: { command: ["test", "-e", "/tmp/ready"] }, ...probe } },
      { ...web("http", 8080), readinessProbe: { httpGet: { path: "/healthy", port: "web", httpHeaders: [{ name: "X-Probe", value: "yes" }] }, ...probe } },
      { ...web("tcp", 8081), readinessProbe: { tcpSocket: { port: 8081 }, ...probe } },
      { name: "grpc", image: image("node-base"), args: ["-e", grpcServer], readinessProbe: { grpc: { port: 9000, service: "shop" }, ...probe } },
    ],
  });
  for (const container of ["http", "tcp", "grpc"]) {
    await eventually(async () => (await cluster.status("web", container)).ready, { what: `${container} is ready: ${(await cluster.eventMessages("web")).join(" | ")}` });
  }
  await cluster.untilEvent("web", "Unhealthy: Readiness probe failed", (message) => message.startsWith("Unhealthy: Readiness probe failed"));
  await cluster.untilPod("web", "waiting for exec alone", ({ status }) => status?.conditions?.find((condition) => condition.type === "Ready")?.message === "containers with unready status: [exec]");
  await cluster.exec("web", "exec", "touch", "/tmp/ready");
  await cluster.untilReady("web");
  await cluster.exec("web", "http", "rm", "/www/healthy");
  await eventually(async () => !(await cluster.status("web", "http")).ready, { what: "http is unready again" });
  await cluster.untilEvent("web", "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 404");
  assert.equal((await cluster.status("web", "http")).restartCount, 0, "readiness restarts nothing");
});

test("a container whose liveness probe fails is killed with its Killing event and started again, alone", async () => {
  await using cluster = await TestCluster.start();
  const alive = { exec: { command: ["test", "-e", "/tmp/alive"] } };
  await cluster.create("web", {
    terminationGracePeriodSeconds: 1,
    containers: [shell("sick", `touch /tmp/alive; ${idle}`, { startupProbe: { ...alive, ...patient }, livenessProbe: { ...alive, ...patient, failureThreshold: 1 } }), shell("well", idle)],
  });
  await cluster.untilReady("web");
  const well = await cluster.containerId("web", "well");
  await cluster.exec("web", "sick", "rm", "/tmp/alive");
  await eventually(async () => (await cluster.status("web", "sick")).restartCount === 1, { what: "sick is started again" });
  await cluster.untilReady("web");
  assert.equal(await cluster.containerId("web", "well"), well);
  await cluster.untilEvent("web", "Killing: Container sick failed liveness probe, will be restarted");
});

test("liveness and readiness wait until the startup probe has passed", async () => {
  await using cluster = await TestCluster.start();
  const started = { exec: { command: ["test", "-e", "/tmp/started"] } };
  await cluster.create("web", {
    containers: [shell("slow", idle, { startupProbe: { ...started, ...patient }, readinessProbe: { ...started, ...patient, failureThreshold: 1 }, livenessProbe: { ...started, ...patient, failureThreshold: 1 } })],
  });
  // Two failures are a period apart: a liveness probe that did not wait would have killed the container by now.
  await eventually(async () => ((await cluster.events("web")).find(({ message }) => message?.startsWith("Startup probe failed"))?.count ?? 0) >= 3, { what: "three failures of the startup probe" });
  const before = await cluster.status("web", "slow");
  assert.deepEqual([before.started, before.ready, before.restartCount], [false, false, 0]);
  await cluster.exec("web", "slow", "touch", "/tmp/started");
  await cluster.untilReady("web");
  const status = await cluster.status("web", "slow");
  assert.deepEqual([status.started, status.restartCount], [true, 0]);
  assert.deepEqual((await cluster.eventMessages("web")).filter((message) => /Liveness|Readiness|Killing/.test(message)), []);
});
