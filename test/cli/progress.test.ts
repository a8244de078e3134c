import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodStatus } from "../../orchestrator/api/types/pod.ts";
import { hopelessExit } from "../../cli/commands/up.ts";
import { noColours } from "../../cli/print/palette.ts";
import { nothingObserved, podProgress, type PodObservations, usualPatience } from "../../cli/up/progress.ts";
import { progressTable } from "../../cli/up/show-progress.ts";
import { condition, ended, podOf, running, statusOf, waiting } from "./objects.ts";

const app = (status: Parameters<typeof statusOf>[1]): PodStatus => ({ phase: "Running", podIP: "10.0.0.2", containerStatuses: [statusOf("app", status)] });

const check = (what: string, status: PodStatus, expected: string, observed: Partial<PodObservations> = {}): void => {
  test(`up says of a Pod ${what}: ${expected}`, () => {
    const { state, words } = podProgress(podOf({ status, spec: { nodeName: "n" } }), { ...nothingObserved, ...observed }, usualPatience);
    assert.equal(`${state}: ${words}`, expected);
  });
};

check("that is ready since a moment, without a probe to tell", { ...app({ ready: true, state: running }), conditions: [condition("Ready")] }, "waiting: just started", { nowMs: Date.parse("2026-01-01T00:00:11Z") });
check("that is ready since a while", { ...app({ ready: true, state: running }), conditions: [condition("Ready")] }, "ready: ready", { nowMs: Date.parse("2026-01-01T00:00:13Z") });
check("that has succeeded", { phase: "Succeeded" }, "finished: completed");
check("that starts", app({ state: running }), "waiting: starting");
check("without an address", { phase: "Pending" }, "waiting: making its sandbox");
check("whose image may never be pulled", app({ state: waiting("ErrImageNeverPull", "no") }), "hopeless: container app: ErrImageNeverPull: no");
check("whose image has failed once", app({ state: waiting("ErrImagePull", "no") }), "waiting: starting", { failedTries: new Map([["app", 1]]) });
check("whose image has failed twice", app({ state: waiting("ErrImagePull", "no") }), "hopeless: container app: ErrImagePull: no", { failedTries: new Map([["app", 2]]) });
check("whose image came after two failures", app({ state: running }), "waiting: starting", { failedTries: new Map([["app", 2]]) });
check("with a bad configuration", app({ state: waiting("CreateContainerConfigError", 'configmap "x" not found') }), 'hopeless: container app: CreateContainerConfigError: configmap "x" not found');
check("that crashed twice", app({ restartCount: 2, state: waiting("CrashLoopBackOff") }), "waiting: starting");
check("that crashed three times", app({ restartCount: 3, state: waiting("CrashLoopBackOff"), lastState: ended(7) }), "hopeless: container app keeps crashing: 3 restarts (last end: Error, exit code 7)");
check("that failed", { phase: "Failed", containerStatuses: [statusOf("app", { state: ended(3) })] }, "hopeless: container app ended: Error, exit code 3");
check("that was evicted", { phase: "Failed", reason: "DeadlineExceeded", message: "too long" }, "hopeless: too long");
check("whose volume failed once", { phase: "Pending", podIP: "1" }, "waiting: FailedMount: not a directory", { warnings: [{ reason: "FailedMount", message: "not a directory", count: 1 }] });
check("whose volume failed twice", { phase: "Pending" }, "hopeless: FailedMount: not a directory", { warnings: [{ reason: "FailedMount", message: "not a directory", count: 2 }] });
check("that runs although a volume failed before", app({ state: running }), "waiting: starting", { warnings: [{ reason: "FailedMount", message: "not a directory", count: 9 }] });
const unscheduled: PodStatus = { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1 nodes are available", lastTransitionTime: "2026-01-01T00:00:00Z" }] };
check("that no node takes yet", unscheduled, "waiting: 0/1 nodes are available", { nowMs: Date.parse("2026-01-01T00:00:29Z") });
check("that no node takes for long", unscheduled, "hopeless: no node takes it: 0/1 nodes are available", { nowMs: Date.parse("2026-01-01T00:00:31Z") });

const noNode: PodStatus = { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "no nodes available to schedule pods", lastTransitionTime: "2026-01-01T00:00:00Z" }] };
check("before the node has told of itself", noNode, "waiting: waiting for the node", { nowMs: Date.parse("2026-01-01T00:00:01Z") });
check("when the node never tells of itself", noNode, "hopeless: no node takes it: no nodes available to schedule pods", { nowMs: Date.parse("2026-01-01T00:00:31Z") });

const checkExit = (what: string, reasons: readonly string[], expected: number): void => {
  test(`up ends with ${expected} for ${what}`, () => {
    const views = reasons.map((reason) => {
      const pod = podOf({ status: reason === "" ? { phase: "Failed" } : app({ state: waiting(reason, "no") }), spec: { nodeName: "n" } });
      return { pod, progress: podProgress(pod, { ...nothingObserved, failedTries: new Map([["app", 2]]) }, usualPatience) };
    });
    assert.deepEqual(views.map(({ progress }) => progress.state), reasons.map(() => "hopeless"));
    assert.equal(hopelessExit(views), expected);
  });
};
checkExit("an image that cannot be pulled", ["ErrImagePull"], 69);
checkExit("images that cannot be had in several ways", ["ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"], 69);
checkExit("an image's name that is none", ["InvalidImageName"], 1);
checkExit("a container that cannot be created", ["CreateContainerError"], 1);
checkExit("a missing image beside a Pod that failed", ["ErrImagePull", ""], 1);

const once = (other: Parameters<typeof statusOf>[1]): string => {
  const pod = podOf({
    spec: { nodeName: "n", restartPolicy: "Never", containers: [{ name: "app", image: "i" }, { name: "other", image: "i" }] },
    status: { phase: "Running", podIP: "10.0.0.2", containerStatuses: [statusOf("app", { ready: true, state: running }), statusOf("other", other)] },
  });
  const { state, words } = podProgress(pod, { ...nothingObserved, nowMs: Date.parse("2026-01-01T01:00:00Z") }, usualPatience);
  return `${state}: ${words}`;
};
test("of a Pod that runs once, a container that has done its work is as good as a ready one", () => assert.equal(once({ state: ended(0) }), "ready: ready"));
test("of a Pod that runs once, a container that failed makes it hopeless although others run", () => assert.equal(once({ state: ended(3) }), "hopeless: container other ended: Error, exit code 3"));
test("of a Pod that runs once, a container that is not ready is waited for", () => assert.equal(once({ state: running }), "waiting: starting"));

test("the progress table has a line for each container with its role and state", () => {
  const pod = podOf({
    spec: { nodeName: "n", initContainers: [{ name: "prepare", image: "i" }, { name: "log-shipper", image: "i", restartPolicy: "Always" }], containers: [{ name: "app", image: "i", readinessProbe: { tcpSocket: { port: 80 } } }] },
    status: {
      phase: "Running", podIP: "10.0.0.2",
      initContainerStatuses: [statusOf("prepare", { state: ended(0) }), statusOf("log-shipper", { ready: true, started: true, restartCount: 1, state: running })],
      containerStatuses: [statusOf("app", { started: true, state: running })],
    },
  });
  assert.deepEqual(progressTable([{ pod, progress: podProgress(pod, nothingObserved, usualPatience) }], noColours), [
    "pod/web  starting",
    "  ✔ prepare      init     completed",
    "  ✔ log-shipper  sidecar  ready, 1 restarts",
    "  ● app                   running, readiness probe not passed yet",
  ]);
});
