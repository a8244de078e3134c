import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { idle, shell, TestCluster } from "./support.ts";

test("an image that is absent is told as ErrImageNeverPull or ErrImagePull and ImagePullBackOff", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", {
    containers: [
      { ...shell("never", idle), image: "podkit/absent:1", imagePullPolicy: "Never" },
      { ...shell("unreachable", idle), image: "127.0.0.1:9/absent:1", imagePullPolicy: "IfNotPresent" },
    ],
  });
  await eventually(async () => (await cluster.status("web", "never")).state?.waiting?.reason === "ErrImageNeverPull", { what: "ErrImageNeverPull" });
  assert.equal((await cluster.status("web", "never")).state?.waiting?.message, 'Container image "podkit/absent:1" is not present with pull policy of Never');
  await eventually(async () => (await cluster.status("web", "unreachable")).state?.waiting?.reason === "ImagePullBackOff", { what: "ImagePullBackOff" });
  await cluster.untilEvent("web", "Failed to pull image", (message) => /^Failed: Failed to pull image "127\.0\.0\.1:9\/absent:1": .*connection refused/.test(message));
  await cluster.untilEvent("web", 'BackOff: Back-off pulling image "127.0.0.1:9/absent:1"');
  await cluster.delete("web");
});

test("runAsNonRoot refuses an image that runs as root", async () => {
  await using cluster = await TestCluster.start();
  const pod = await cluster.create("web", { securityContext: { runAsNonRoot: true }, containers: [shell("app", idle)] });
  await eventually(async () => (await cluster.status("web", "app")).state?.waiting?.reason === "CreateContainerConfigError", { what: "CreateContainerConfigError" });
  assert.equal((await cluster.status("web", "app")).state?.waiting?.message, `container has runAsNonRoot and image will run as root (pod: "web_default(${pod.metadata.uid ?? ""})", container: app)`);
});

test("a variable from a ConfigMap that does not exist keeps the container waiting until it does", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", { containers: [shell("app", idle, { env: [{ name: "COLOR", valueFrom: { configMapKeyRef: { name: "settings", key: "color" } } }] })] });
  await eventually(async () => (await cluster.status("web", "app")).state?.waiting?.message === 'configmap "settings" not found', { what: "the config error" });
  await cluster.putConfigMap("settings", { color: "red" });
  await cluster.untilReady("web");
  assert.match(await cluster.exec("web", "app", "env"), /^COLOR=red$/m);
});
