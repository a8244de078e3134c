import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { idle, shell, TestCluster } from "./support.ts";

test("an updated ConfigMap reaches the volume of a running container; a subPath keeps the old content, as in Kubernetes", async () => {
  await using cluster = await TestCluster.start();
  await cluster.putConfigMap("settings", { color: "red", gone: "soon" });
  await cluster.create("web", {
    volumes: [{ name: "settings", configMap: { name: "settings" } }],
    containers: [shell("app", idle, { volumeMounts: [{ name: "settings", mountPath: "/settings" }, { name: "settings", mountPath: "/one/color", subPath: "color" }] })],
  });
  await cluster.untilReady("web");
  assert.equal(await cluster.exec("web", "app", "cat", "/settings/color"), "red");
  await cluster.putConfigMap("settings", { color: "blue", size: "xl" });
  await eventually(async () => (await cluster.exec("web", "app", "cat", "/settings/color")) === "blue", { what: "the new content" });
  await eventually(async () => (await cluster.exec("web", "app", "ls", "/settings")) === "color\nsize\n", { what: "the old key is gone" });
  assert.equal(await cluster.exec("web", "app", "cat", "/one/color"), "red");
  assert.equal((await cluster.status("web", "app")).restartCount, 0);
});

test("projected, secret and downward API volumes and variables carry what the manifest names", async () => {
  await using cluster = await TestCluster.start();
  await cluster.putConfigMap("settings", { color: "red" });
  await cluster.putSecret("keys", { token: "s3cret" });
  await cluster.create("web", {
    volumes: [
      { name: "all", projected: { sources: [{ configMap: { name: "settings", items: [{ key: "color", path: "deep/color" }] } }, { secret: { name: "keys" } }, { downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }, { path: "limit", resourceFieldRef: { containerName: "app", resource: "limits.memory", divisor: "1Mi" } }] } }] } },
      { name: "keys", secret: { secretName: "keys", defaultMode: 0o400 } },
    ],
    containers: [shell("app", idle, {
      resources: { limits: { memory: "64Mi", cpu: "500m" } },
      envFrom: [{ prefix: "CFG_", configMapRef: { name: "settings" } }],
      env: [
        { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }, { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } }, { name: "TOKEN", valueFrom: { secretKeyRef: { name: "keys", key: "token" } } },
        { name: "GREETING", value: "$(NAME) is $(CFG_color), $$(NAME) $(UNKNOWN)" },
      ],
      volumeMounts: [{ name: "all", mountPath: "/all" }, { name: "keys", mountPath: "/keys" }],
    })],
  }, { labels: { tier: "front" } });
  const pod = await cluster.untilReady("web");
  const read = async (path: string): Promise<string> => await cluster.exec("web", "app", "cat", path);
  assert.equal(await read("/all/deep/color"), "red");
  assert.equal(await read("/all/token"), "s3cret");
  assert.equal(await read("/all/labels"), 'tier="front"');
  assert.equal(await read("/all/limit"), "64");
  assert.equal((await cluster.exec("web", "app", "stat", "-L", "-c", "%a", "/keys/token")).trim(), "400");
  const env = await cluster.exec("web", "app", "env");
  for (const line of ["NAME=web", `IP=${pod.status?.podIP ?? "?"}`, "CPU=500", "TOKEN=s3cret", "CFG_color=red", "GREETING=web is red, $(NAME) $(UNKNOWN)"]) assert.ok(env.split("\n").includes(line), `${line} is not in ${env}`);
});

test("an emptyDir with medium Memory is a tmpfs of its sizeLimit that outlives a container", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", {
    volumes: [{ name: "fast", emptyDir: { medium: "Memory", sizeLimit: "4Mi" } }],
    containers: [shell("app", `trap 'exit 1' TERM; sleep 100000 & wait`, { volumeMounts: [{ name: "fast", mountPath: "/fast" }] })],
  });
  await cluster.untilReady("web");
  assert.match(await cluster.exec("web", "app", "sh", "-c", "df -k /fast | tail -1"), /tmpfs\s+4096\s/);
  await assert.rejects(cluster.exec("web", "app", "dd", "if=/dev/zero", "of=/fast/big", "bs=1M", "count=5"), /No space left/);
  await cluster.exec("web", "app", "sh", "-c", "rm -f /fast/big; echo kept > /fast/file");
  await cluster.runtime.kill(await cluster.containerId("web", "app"), "SIGKILL");
  await eventually(async () => (await cluster.status("web", "app")).restartCount === 1, { what: "a new container" });
  await cluster.untilReady("web");
  assert.equal(await cluster.exec("web", "app", "cat", "/fast/file"), "kept\n");
});

test("an emptyDir on disk that grows beyond its sizeLimit evicts the Pod", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", { volumes: [{ name: "disk", emptyDir: { sizeLimit: "1Mi" } }], containers: [shell("app", `dd if=/dev/zero of=/disk/big bs=1M count=3; ${idle}`, { volumeMounts: [{ name: "disk", mountPath: "/disk" }] })] });
  const pod = await cluster.untilPhase("web", "Failed");
  assert.deepEqual([pod.status?.reason, pod.status?.message], ["Evicted", 'Usage of EmptyDir volume "disk" exceeds the limit "1Mi". ']);
});

test("fsGroup lets an unprivileged container write to its volumes and read its secrets", async () => {
  await using cluster = await TestCluster.start();
  await cluster.putSecret("keys", { token: "s3cret" });
  await cluster.create("web", {
    securityContext: { runAsUser: 1234, runAsGroup: 1234, runAsNonRoot: true, fsGroup: 4321 },
    volumes: [{ name: "disk", emptyDir: {} }, { name: "keys", secret: { secretName: "keys", defaultMode: 0o400 } }],
    containers: [shell("app", idle, { volumeMounts: [{ name: "disk", mountPath: "/disk" }, { name: "keys", mountPath: "/keys" }] })],
  });
  await cluster.untilReady("web");
  await cluster.exec("web", "app", "touch", "/disk/file");
  assert.equal((await cluster.exec("web", "app", "stat", "-c", "%u:%g", "/disk/file")).trim(), "1234:4321");
  assert.equal(await cluster.exec("web", "app", "cat", "/keys/token"), "s3cret");
});

test("an unprivileged container writes below a subPath and a subPathExpr that had to be made", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", {
    securityContext: { runAsUser: 1000, runAsGroup: 1000 },
    volumes: [{ name: "disk", emptyDir: {} }],
    containers: [shell("app", idle, {
      env: [{ name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      volumeMounts: [{ name: "disk", mountPath: "/plain", subPath: "a/b" }, { name: "disk", mountPath: "/expanded", subPathExpr: "logs/$(NAME)" }, { name: "disk", mountPath: "/disk" }],
    })],
  });
  await cluster.untilReady("web");
  await cluster.exec("web", "app", "touch", "/plain/file", "/expanded/file");
  assert.equal(await cluster.exec("web", "app", "ls", "/disk/a/b", "/disk/logs/web"), "/disk/a/b:\nfile\n\n/disk/logs/web:\nfile\n");
});

test("with fsGroup the files on an emptyDir of medium Memory belong to the group", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", {
    securityContext: { runAsUser: 1234, runAsGroup: 1234, fsGroup: 4321 },
    volumes: [{ name: "fast", emptyDir: { medium: "Memory" } }],
    containers: [shell("app", idle, { volumeMounts: [{ name: "fast", mountPath: "/fast" }] })],
  });
  await cluster.untilReady("web");
  await cluster.exec("web", "app", "touch", "/fast/file");
  assert.deepEqual((await cluster.exec("web", "app", "stat", "-c", "%a %u:%g", "/fast", "/fast/file")).split("\n").filter((line) => line !== ""), ["2777 0:4321", "644 1234:4321"]);
});

test("a hostPath that is not what its type says keeps the Pod waiting with the path and the remedy, and heals", async () => {
  await using cluster = await TestCluster.start();
  const directory = mkdtempSync(join(tmpdir(), "podkit-host-"));
  const path = join(directory, "data");
  writeFileSync(path, "a file");
  await cluster.create("web", { volumes: [{ name: "data", hostPath: { path, type: "Directory" } }], containers: [shell("app", idle, { volumeMounts: [{ name: "data", mountPath: "/data" }] })] });
  const expected = `FailedMount: MountVolume.SetUp failed for volume "data" : hostPath type check failed: ${path} is not a directory (it is a file): point the volume at a directory`;
  await cluster.untilEvent("web", expected);
  await eventually(async () => (await cluster.status("web", "app")).state?.waiting?.reason === "ContainerCreating", { what: "the Pod says that it waits" });
  assert.deepEqual(await cluster.runtime.list({ "podkit/cluster": cluster.clusterName }), [], "nothing was started");
  rmSync(path);
  const { mkdirSync } = await import("node:fs");
  mkdirSync(path);
  await cluster.untilReady("web");
  await cluster.delete("web");
  rmSync(directory, { recursive: true });
});
