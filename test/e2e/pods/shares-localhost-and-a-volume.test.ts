import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { busybox, idle, patient, shell, TestCluster } from "./support.ts";

test("two containers of a Pod reach one another on localhost and share a volume; deleting the Pod leaves nothing", async () => {
  await using cluster = await TestCluster.start();
  const mount = { name: "shared", mountPath: "/shared" };
  const started = performance.now();
  await cluster.create("web", {
    volumes: [{ name: "shared", emptyDir: {} }],
    containers: [
      shell("server", "echo from-server > /shared/index.html; exec httpd -f -p 8080 -h /shared", { volumeMounts: [mount], readinessProbe: { tcpSocket: { port: 8080 }, ...patient } }),
      shell("client", idle, { volumeMounts: [mount] }),
    ],
  });
  const pod = await cluster.untilReady("web");
  console.log(`ready after ${Math.round(performance.now() - started)} ms`);
  assert.equal(await cluster.exec("web", "client", "wget", "-q", "-O-", "http://localhost:8080/index.html"), "from-server\n");
  assert.equal(await cluster.exec("web", "client", "cat", "/shared/index.html"), "from-server\n");
  assert.equal(pod.status?.phase, "Running");
  assert.match(pod.status?.podIP ?? "", /^\d+\.\d+\.\d+\.\d+$/);
  assert.match(await cluster.exec("web", "client", "cat", "/etc/hosts"), new RegExp(`${pod.status?.podIP ?? "?"}\\s+web`));
  assert.equal((await cluster.exec("web", "client", "hostname")).trim(), "web");
  for (const expected of [`Pulled: Container image "${busybox()}" already present on machine`, "Created: Created container: server", "Started: Started container server"]) await cluster.untilEvent("web", expected);
  await cluster.delete("web");
  await eventually(async () => (await cluster.runtime.list({ "podkit/cluster": cluster.clusterName })).length === 0, { what: "no container is left" });
});

test("with shareProcessNamespace a container sees the other's processes, and without it does not", async () => {
  await using cluster = await TestCluster.start();
  const sees = async (name: string): Promise<boolean> => (await cluster.exec(name, "b", "ps", "-o", "args")).includes("sleep 54321");
  const containers = [shell("a", "trap 'exit 0' TERM; sleep 54321 & wait"), shell("b", idle)];
  await cluster.create("shared", { shareProcessNamespace: true, containers });
  await cluster.create("apart", { containers });
  await cluster.untilReady("shared");
  await cluster.untilReady("apart");
  await eventually(async () => await sees("shared"), { what: "the other's process is seen" });
  assert.equal(await sees("apart"), false);
});
