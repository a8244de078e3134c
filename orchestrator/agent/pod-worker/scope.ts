import type { Container, Pod } from "../../api/types/pod.ts";
import type { FieldContext } from "../env/field-ref.ts";
import type { ContainerFacts } from "../pod-lifecycle/facts.ts";
import type { PodPaths } from "../pod-paths.ts";
import type { MountedVolumes } from "../volumes/mount-volumes.ts";
import type { AgentContext } from "./context.ts";

/** What an operation may know and change of its Pod. */
export interface PodScope {
  readonly agent: AgentContext;
  readonly paths: PodPaths;
  /** The newest object that the API gave. */
  readonly pod: Pod;
  readonly podIp: string | undefined;
  readonly volumes: MountedVolumes;
  event(type: "Normal" | "Warning", reason: string, message: string, container?: string): void;
  /** Resolves when it is on disk. Ignored when the container has gone on to another attempt than that of `containerId`. */
  noteFact(container: string, containerId: string, facts: Pick<ContainerFacts, "postStart" | "preStop" | "startFailure">): Promise<void>;
}

export function containerOf(pod: Pod, name: string): Container {
  const found = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find((container) => container.name === name);
  if (found === undefined) throw new Error(`Pod ${pod.metadata.name} has no container ${name}`);
  return found;
}

export function fieldContext(scope: PodScope): FieldContext {
  const { agent } = scope;
  return { podIp: scope.podIp, hostIp: agent.hostIp, nodeName: agent.nodeName, allocatable: agent.node.allocatable };
}

export function cgroupParent(agent: AgentContext, uid: string): string | undefined {
  return agent.podCgroups ? `/podkit/${uid}` : undefined;
}
