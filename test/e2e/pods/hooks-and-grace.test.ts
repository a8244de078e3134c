import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { idle, patient, shell, TestCluster } from "./support.ts";

test("preStop runs before SIGTERM, and what ignores SIGTERM is killed when the grace is over", async () => {
  await using cluster = await TestCluster.start();
  const path = mkdtempSync(join(tmpdir(), "podkit-hooks-"));
  const mounts = [{ name: "journal", mountPath: "/journal" }];
  await cluster.create("web", {
    terminationGracePeriodSeconds: 3,
    volumes: [{ name: "journal", hostPath: { path } }],
    containers: [
      shell("polite", "trap 'echo term >> /journal/log; exit 0' TERM; touch /tmp/up; sleep 100000 & wait", { volumeMounts: mounts, startupProbe: { exec: { command: ["test", "-e", "/tmp/up"] }, ...patient }, lifecycle: { preStop: { exec: { command: ["sh", "-c", "echo preStop >> /journal/log"] } } } }),
      shell("stubborn", "trap '' TERM; while true; do sleep 1; done"),
    ],
  });
  await cluster.untilReady("web");
  const started = performance.now();
  await cluster.delete("web");
  const seconds = (performance.now() - started) / 1000;
  assert.equal(readFileSync(join(path, "log"), "utf8"), "preStop\nterm\n");
  assert.ok(seconds >= 2.5, `the grace of 3 s was given, took ${seconds} s`);
  rmSync(path, { recursive: true });
});

test("a container is not Running until its postStart hook is done, and a failing hook kills it", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", {
    containers: [
      shell("good", idle, { lifecycle: { postStart: { exec: { command: ["sh", "-c", "while ! test -e /tmp/go; do sleep 0.1; done"] } } } }),
      shell("bad", idle, { lifecycle: { postStart: { exec: { command: ["sh", "-c", "echo no; exit 4"] } } } }),
    ],
  });
  await cluster.untilEvent("web", "FailedPostStartHook", (message) => message.startsWith("FailedPostStartHook: "));
  await cluster.untilEvent("web", "Killing: FailedPostStartHook");
  await cluster.untilEvent("web", "Started: Started container good");
  const waiting = await cluster.status("web", "good");
  assert.deepEqual([waiting.restartCount, waiting.state], [0, { waiting: { reason: "ContainerCreating" } }]);
  const [good] = await cluster.runtime.list({ "podkit/cluster": cluster.clusterName, "podkit/container": "good" });
  await cluster.runtime.execSync(good?.id ?? "", { command: ["touch", "/tmp/go"], timeoutMs: 10_000, outputBytesMax: 1000 });
  await eventually(async () => (await cluster.status("web", "good")).state?.running !== undefined, { what: "good is Running" });
});

test("a Pod past its activeDeadlineSeconds is stopped and Failed", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", { activeDeadlineSeconds: 2, containers: [shell("app", idle)] });
  const pod = await cluster.untilPhase("web", "Failed");
  assert.equal(pod.status?.reason, "DeadlineExceeded");
  await eventually(async () => (await cluster.runtime.list({ "podkit/cluster": cluster.clusterName })).every((object) => object.state !== "running"), { what: "nothing runs" });
});
