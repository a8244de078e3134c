import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { idle, shell, TestCluster } from "./support.ts";

test("a killed sandbox is replaced and every container started again in the new one, init containers first", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", { initContainers: [shell("prepare", "true")], containers: [shell("a", `echo hello > /tmp/index.html; httpd -p 8080 -h /tmp; ${idle}`), shell("b", idle)] });
  await cluster.untilReady("web");
  const before = [await cluster.containerId("web", "a"), await cluster.containerId("web", "b")];
  const prepared = (await cluster.status("web", "prepare")).containerID;
  await cluster.runtime.kill(await cluster.sandboxId("web"), "SIGKILL");
  await eventually(async () => (await cluster.status("web", "b")).restartCount === 1 && (await cluster.status("web", "a")).restartCount === 1, { what: "both containers are new" });
  await cluster.untilReady("web");
  for (const name of ["a", "b"]) assert.ok(!before.includes(await cluster.containerId("web", name)), `${name} is a new container`);
  assert.notEqual((await cluster.status("web", "prepare")).containerID, prepared);
  assert.equal(await eventually(async () => await cluster.exec("web", "b", "wget", "-q", "-O-", "http://localhost:8080/index.html"), { what: "localhost is shared again" }), "hello\n");
  await cluster.untilEvent("web", "SandboxChanged: Pod sandbox changed, it will be killed and re-created.");
});

test("a container removed by hand comes back, and the other one is not touched", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", { containers: [shell("a", idle), shell("b", idle)] });
  await cluster.untilReady("web");
  const b = await cluster.containerId("web", "b");
  await cluster.runtime.remove(await cluster.containerId("web", "a"));
  await eventually(async () => (await cluster.status("web", "a")).restartCount === 1, { what: "a is a new attempt" });
  await cluster.untilReady("web");
  assert.equal(await cluster.containerId("web", "b"), b);
  // Removal kills first: the agent may or may not have looked in between, and then knows the exit code.
  assert.match((await cluster.status("web", "a")).lastState?.terminated?.reason ?? "", /^(?:ContainerStatusUnknown|Error)$/);
});
