import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { idle, shell, TestCluster } from "./support.ts";

test("a container that fails is restarted at once, then waits in CrashLoopBackOff; its last log stays readable", async () => {
  await using cluster = await TestCluster.start();
  const pod = await cluster.create("web", { containers: [shell("app", "echo attempt; echo broken > /dev/termination-log; exit 3"), shell("other", idle)] });
  await eventually(async () => (await cluster.status("web", "app")).state?.waiting?.reason === "CrashLoopBackOff", { what: "CrashLoopBackOff" });
  const waiting = await cluster.status("web", "app");
  assert.equal(waiting.restartCount, 1);
  assert.equal(waiting.state?.waiting?.message, `back-off 10s restarting failed container=app pod=web_default(${pod.metadata.uid ?? ""})`);
  assert.deepEqual([waiting.lastState?.terminated?.exitCode, waiting.lastState?.terminated?.reason, waiting.lastState?.terminated?.message], [3, "Error", "broken\n"]);
  assert.equal(await cluster.logs("web", "app", { previous: true }), "attempt\n");
  await eventually(async () => (await cluster.status("web", "app")).restartCount === 2, { what: "the second restart" });
  await eventually(async () => (await cluster.status("web", "app")).state?.waiting?.message?.startsWith("back-off 20s") === true, { what: "the back-off doubles" });
  assert.equal((await cluster.status("web", "other")).restartCount, 0);
});

test("a command that does not exist is told as RunContainerError and StartError", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("web", { containers: [{ ...shell("app", ""), command: ["/no/such/program"] }] });
  await eventually(async () => ["RunContainerError", "CrashLoopBackOff"].includes((await cluster.status("web", "app")).state?.waiting?.reason ?? ""), { what: "the start fails" });
  const end = (await cluster.status("web", "app")).lastState?.terminated;
  assert.deepEqual([end?.exitCode, end?.reason], [128, "StartError"]);
  assert.match(end?.message ?? "", /no such file or directory/);
});

test("an out-of-memory kill is told as OOMKilled with exit code 137", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("hungry", { restartPolicy: "Never", containers: [{ ...shell("app", ""), command: ["sh", "-c", "exec tail /dev/zero"], resources: { limits: { memory: "16Mi" } } }] });
  await cluster.untilPhase("hungry", "Failed");
  const end = (await cluster.status("hungry", "app")).state?.terminated;
  assert.deepEqual([end?.reason, end?.exitCode], ["OOMKilled", 137]);
});

test("a container's last words come from its terminationMessagePath, or from its log where the policy says so", async () => {
  await using cluster = await TestCluster.start();
  const fallback = { terminationMessagePolicy: "FallbackToLogsOnError" } as const;
  await cluster.create("web", {
    restartPolicy: "Never",
    containers: [
      shell("own-path", "echo -n said > /tmp/words; echo logged; exit 3", { terminationMessagePath: "/tmp/words" }),
      shell("own-words", "echo -n said > /dev/termination-log; echo logged; exit 3", fallback),
      shell("log", "echo logged; exit 3", fallback),
      shell("log-of-success", "echo logged", fallback),
      shell("file-only", "echo logged; exit 3"),
    ],
  });
  await cluster.untilPhase("web", "Failed");
  const words = async (name: string): Promise<string | undefined> => (await cluster.status("web", name)).state?.terminated?.message;
  assert.deepEqual({ path: await words("own-path"), own: await words("own-words"), log: await words("log"), success: await words("log-of-success"), file: await words("file-only") },
    { path: "said", own: "said", log: "logged\n", success: undefined, file: undefined });
});
