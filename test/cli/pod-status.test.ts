import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container, PodStatus } from "../../orchestrator/api/types/pod.ts";
import { restartsCell, summarizePod } from "../../cli/print/pod-status.ts";
import { condition, ended, nowMs, podOf, running, statusOf, waiting } from "./objects.ts";

const init: Container = { name: "init", image: "img" };
const sidecar: Container = { name: "side", image: "img", restartPolicy: "Always" };

type Case = { readonly containers?: readonly Container[]; readonly initContainers?: readonly Container[]; readonly status?: PodStatus; readonly deleting?: true };

/** `expected` is "READY STATUS RESTARTS" as kubectl prints them for the same status. */
const check = (what: string, expected: string, parts: Case): void => {
  test(`a Pod ${what} is listed as ${expected}`, () => {
    const pod = podOf({
      spec: { ...(parts.containers === undefined ? {} : { containers: parts.containers }), ...(parts.initContainers === undefined ? {} : { initContainers: parts.initContainers }) },
      ...(parts.status === undefined ? {} : { status: parts.status }),
      ...(parts.deleting === true ? { metadata: { deletionTimestamp: "2026-01-01T00:01:00Z" } } : {}),
    });
    const summary = summarizePod(pod);
    assert.equal(`${summary.ready}/${summary.total} ${summary.status} ${restartsCell(summary, nowMs)}`, expected);
  });
};

check("without a status", "0/1 Pending 0", {});
check("that runs and is ready", "1/1 Running 0", { status: { phase: "Running", containerStatuses: [statusOf("app", { ready: true, state: running })] } });
check("that runs and is not ready", "0/1 Running 0", { status: { phase: "Running", containerStatuses: [statusOf("app", { state: running })] } });
check("whose container is being created", "0/1 ContainerCreating 0", { status: { phase: "Pending", containerStatuses: [statusOf("app", { state: waiting("ContainerCreating") })] } });
check("that crashes", "0/1 CrashLoopBackOff 3 (10s ago)", {
  status: { phase: "Running", containerStatuses: [statusOf("app", { restartCount: 3, state: waiting("CrashLoopBackOff"), lastState: ended(1) })] },
});
check("that was evicted", "0/1 Evicted 0", { status: { phase: "Failed", reason: "Evicted" } });
check("that failed without a reason", "0/1 ExitCode:3 0", { status: { phase: "Failed", containerStatuses: [statusOf("app", { state: { terminated: { exitCode: 3 } } })] } });
check("that was killed by a signal", "0/1 Signal:9 0", { status: { phase: "Failed", containerStatuses: [statusOf("app", { state: { terminated: { exitCode: 137, signal: 9 } } })] } });
check("that has completed", "0/1 Completed 0", { status: { phase: "Succeeded", containerStatuses: [statusOf("app", { state: ended(0) })] } });
check("with one container completed and one running", "1/2 NotReady 0", {
  containers: [{ name: "app", image: "img" }, { name: "other", image: "img" }],
  status: { phase: "Running", containerStatuses: [statusOf("app", { state: ended(0) }), statusOf("other", { ready: true, state: running })] },
});
check("being removed", "1/1 Terminating 0", { deleting: true, status: { phase: "Running", containerStatuses: [statusOf("app", { ready: true, state: running })] } });
check("being removed after its end", "0/1 Completed 0", { deleting: true, status: { phase: "Succeeded", containerStatuses: [statusOf("app", { state: ended(0) })] } });
check("in its second init container", "0/1 Init:1/2 0", {
  initContainers: [init, { ...init, name: "init2" }],
  status: { phase: "Pending", initContainerStatuses: [statusOf("init", { state: ended(0) }), statusOf("init2", { state: running })], containerStatuses: [statusOf("app", { state: waiting("PodInitializing") })] },
});
check("whose init container crashes", "0/1 Init:CrashLoopBackOff 2 (10s ago)", {
  initContainers: [init], status: { phase: "Pending", initContainerStatuses: [statusOf("init", { restartCount: 2, state: waiting("CrashLoopBackOff"), lastState: ended(1) })] },
});
check("whose init container failed", "0/1 Init:Error 0", { initContainers: [init], status: { phase: "Failed", initContainerStatuses: [statusOf("init", { state: ended(1) })] } });
check("with a ready sidecar", "2/2 Running 0", {
  initContainers: [sidecar],
  status: { phase: "Running", conditions: [condition("Initialized")], initContainerStatuses: [statusOf("side", { ready: true, started: true, state: running })], containerStatuses: [statusOf("app", { ready: true, state: running })] },
});
check("whose sidecar has not started", "0/2 Init:0/1 0", { initContainers: [sidecar], status: { phase: "Pending", initContainerStatuses: [statusOf("side", { started: false, state: running })] } });
check("whose sidecar restarted", "1/2 Running 1 (10s ago)", {
  initContainers: [init, sidecar],
  status: {
    phase: "Running", conditions: [condition("Initialized")],
    initContainerStatuses: [statusOf("init", { restartCount: 5, state: ended(0) }), statusOf("side", { restartCount: 1, started: true, state: running, lastState: ended(1) })],
    containerStatuses: [statusOf("app", { ready: true, state: running })],
  },
});
