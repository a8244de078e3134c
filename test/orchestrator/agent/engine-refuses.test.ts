import assert from "node:assert/strict";
import { test } from "node:test";
import { RuntimeError } from "../../../orchestrator/runtime/runtime.ts";
import { isReady, runningContainers, simulate } from "./support.ts";

const image = "podkit/busybox:test";

type Case = { readonly verb: "createSandbox" | "startSandbox" | "createContainer"; readonly error: RuntimeError; readonly reason: string; readonly says: string };

/** The Pod does not start by half, says why with the remedy, and starts once the engine takes it. */
const check = (what: string, { verb, error, reason, says }: Case): void => {
  test(`${what}: the Pod says so with the remedy, starts nothing by half, and starts when it is mended`, async () => {
    const s = await simulate();
    const mend = s.runtime.inject({ verb, times: 1_000, error });
    s.agent();
    await s.create({ containers: [{ name: "app", image, ports: [{ containerPort: 80, hostPort: 8080 }] }] });
    await s.until("it is told", async () => (await s.events()).some((event) => event.type === "Warning" && event.reason === reason && event.message === says));
    assert.deepEqual(runningContainers(s.runtime), []);
    assert.equal((await s.get())?.status?.phase, "Pending");
    mend();
    await s.until("the Pod is ready", async () => isReady(await s.get()), 600_000);
    assert.deepEqual(runningContainers(s.runtime), ["app"]);
    await s.end();
  });
};

check("a host port that somebody has taken since it was looked at", {
  verb: "startSandbox", reason: "FailedCreatePodSandBox",
  error: new RuntimeError("PortInUse", "port 8080 is in use", { remedy: "End what listens on port 8080, or choose another hostPort." }),
  says: "Failed to create pod sandbox: port 8080 is in use. End what listens on port 8080, or choose another hostPort.",
});
const full = new RuntimeError("DiskFull", "no space left on device", { remedy: "Free disk space." });
check("an engine whose disk is full at the sandbox", { verb: "createSandbox", error: full, reason: "FailedCreatePodSandBox", says: "Failed to create pod sandbox: no space left on device. Free disk space." });
check("an engine whose disk is full at a container", { verb: "createContainer", error: full, reason: "Failed", says: "Error: no space left on device. Free disk space." });
