// pure
import type { ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, PodCondition, PodStatus } from "../types/pod.ts";
import { ip, time } from "./common.ts";
import { atLeastZero, qualifiedName } from "./formats.ts";
import { boolean, choice, integer, list, record, required, requiredMayBeEmpty, text, type Check } from "./schema.ts";
import { containerStatusUnsupported, podStatusUnsupported } from "./unsupported.ts";

const state: Check<ContainerState> = record<ContainerState>({
  waiting: record<ContainerStateWaiting>({ reason: text(), message: text() }),
  running: record<ContainerStateRunning>({ startedAt: time }),
  terminated: record<ContainerStateTerminated>({ exitCode: required(integer()), signal: integer({ zeroIsAbsent: true }), reason: text(), message: text(), startedAt: time, finishedAt: time, containerID: text() }),
});

const containerStatus = record<ContainerStatus>(
  {
    name: required(text()),
    state,
    lastState: state,
    ready: required(boolean()),
    restartCount: required(integer({ check: atLeastZero })),
    image: requiredMayBeEmpty(text()),
    imageID: requiredMayBeEmpty(text()),
    containerID: text(),
    started: boolean(),
  },
  { unsupported: containerStatusUnsupported },
);

export const conditionStatus = choice(["True", "False", "Unknown"]);
const condition = record<PodCondition>({
  type: required(text({ format: qualifiedName })),
  status: required(conditionStatus),
  observedGeneration: integer({ zeroIsAbsent: true }),
  lastProbeTime: time,
  lastTransitionTime: time,
  reason: text(),
  message: text(),
});

const address = record<{ readonly ip: string }>({ ip: required(ip) });

/** Written through the status sub-resource by the node agent. */
export const podStatus: Check<PodStatus> = record<PodStatus>(
  {
    observedGeneration: integer({ zeroIsAbsent: true }),
    phase: choice(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    conditions: list(condition),
    message: text(),
    reason: text(),
    nominatedNodeName: text(),
    hostIP: ip,
    hostIPs: list(address),
    podIP: ip,
    podIPs: list(address),
    startTime: time,
    initContainerStatuses: list(containerStatus),
    containerStatuses: list(containerStatus),
    qosClass: choice(["Guaranteed", "Burstable", "BestEffort"]),
  },
  { unsupported: podStatusUnsupported },
);
