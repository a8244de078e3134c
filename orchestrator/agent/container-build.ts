// pure
import type { Container, Pod } from "../api/types/pod.ts";
import { label, type ContainerSpec, type ImageInfo, type Labels, type Mount, type PortBinding, type SandboxSpec } from "../runtime/runtime.ts";
import { expand } from "./env/expand.ts";
import { containerHash, roleOf } from "./pod-lifecycle/view.ts";
import { podHostname, type ClusterDns } from "./pod-files.ts";
import type { SecuritySpec } from "./security.ts";
import type { Resources } from "../runtime/runtime.ts";

/** Which sandbox a container was made for; a container of an older one is not adopted into the current. */
export const sandboxAttemptLabel = "podkit/sandbox-attempt";

/** Deterministic, so that a create repeated after a crash finds what the first one made. */
export function sandboxName(cluster: string, pod: Pod, attempt: number): string {
  return `podkit-${cluster}-${objectName(pod)}-POD-${attempt}`;
}

export function containerName(cluster: string, pod: Pod, container: string, attempt: number): string {
  return `podkit-${cluster}-${objectName(pod)}-${container}-${attempt}`;
}

export function memoryVolumeName(cluster: string, uid: string, volume: string): string {
  return `podkit-${cluster}-${uid}-${volume}`;
}

const objectName = (pod: Pod): string => `${pod.metadata.namespace ?? "default"}-${pod.metadata.name}-${pod.metadata.uid ?? ""}`;

export function podLabels(cluster: string, pod: Pod): Labels {
  return { [label.cluster]: cluster, [label.podUid]: pod.metadata.uid ?? "", [label.podNamespace]: pod.metadata.namespace ?? "default", [label.podName]: pod.metadata.name };
}

export function sandboxSpec(o: {
  readonly cluster: string; readonly pod: Pod; readonly attempt: number; readonly image: string; readonly network: string; readonly dns: ClusterDns;
  readonly cgroupParent: string | undefined; readonly memoryVolumes: readonly string[];
}): SandboxSpec {
  const { pod } = o;
  const { hostname, domain } = podHostname(pod, o.dns);
  return {
    name: sandboxName(o.cluster, pod, o.attempt),
    labels: { ...podLabels(o.cluster, pod), [label.kind]: "sandbox", [label.attempt]: String(o.attempt) },
    image: o.image,
    hostname,
    ...(domain === undefined || pod.spec.setHostnameAsFQDN === true ? {} : { domainname: domain }),
    network: pod.spec.hostNetwork === true ? { kind: "host" } : { kind: "bridge", name: o.network },
    ports: pod.spec.hostNetwork === true ? [] : portBindings(pod),
    sysctls: Object.fromEntries((pod.spec.securityContext?.sysctls ?? []).map((sysctl) => [sysctl.name, sysctl.value])),
    ...(o.cgroupParent === undefined ? {} : { cgroupParent: o.cgroupParent }),
    mounts: o.memoryVolumes.map((name) => ({ kind: "volume", name, target: `/volumes/${name}`, readOnly: false })),
    ...(pod.spec.hostPID === true ? { hostPid: true } : {}),
    ...(pod.spec.hostIPC === true ? { hostIpc: true } : {}),
  };
}

function portBindings(pod: Pod): readonly PortBinding[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].flatMap((container) => (container.ports ?? []).flatMap((port) =>
    port.hostPort === undefined ? [] : [{ containerPort: port.containerPort, hostPort: port.hostPort, hostIp: port.hostIP ?? "", protocol: port.protocol ?? "TCP" } as const]));
}

export function containerSpec(o: {
  readonly cluster: string; readonly pod: Pod; readonly container: Container; readonly attempt: number; readonly sandboxId: string; readonly sandboxAttempt: number;
  readonly image: ImageInfo; readonly variables: ReadonlyMap<string, string>; readonly security: SecuritySpec; readonly mounts: readonly Mount[];
  readonly resources: Resources; readonly cgroupParent: string | undefined;
}): ContainerSpec {
  const { pod, container } = o;
  const expanded = (words: readonly string[]): readonly string[] => words.map((word) => expand(word, (name) => o.variables.get(name)));
  return {
    name: containerName(o.cluster, pod, container.name, o.attempt),
    labels: {
      ...podLabels(o.cluster, pod), [label.kind]: roleOf(pod, container.name), [label.container]: container.name, [label.attempt]: String(o.attempt),
      [label.specHash]: containerHash(container), [sandboxAttemptLabel]: String(o.sandboxAttempt),
    },
    sandboxId: o.sandboxId,
    image: container.image,
    ...(container.command === undefined || container.command.length === 0 ? {} : { entrypoint: expanded(container.command) }),
    ...(container.args === undefined || container.args.length === 0 ? {} : { command: expanded(container.args) }),
    env: [...o.variables].map(([name, value]) => ({ name, value })),
    ...(container.workingDir === undefined || container.workingDir === "" ? {} : { workingDir: container.workingDir }),
    ...o.security,
    mounts: o.mounts,
    resources: o.resources,
    ...(o.cgroupParent === undefined ? {} : { cgroupParent: o.cgroupParent }),
    pidNamespace: pod.spec.hostPID === true ? "host" : pod.spec.shareProcessNamespace === true ? "sandbox" : "container",
    ipcNamespace: pod.spec.hostIPC === true ? "host" : "sandbox",
    tty: container.tty ?? false,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
  };
}
