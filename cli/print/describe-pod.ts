// pure
import type { Event } from "../../orchestrator/api/types/event.ts";
import type { Container, ContainerState, ContainerStatus, DownwardAPIVolumeFile, EnvVar, Pod, Probe, Volume, VolumeProjection } from "../../orchestrator/api/types/pod.ts";
import { annotationLines, type Block, type Entry, mapLines } from "./describe-lines.ts";
import { age } from "./age.ts";
import { eventAge, sortObjects } from "./object-tables.ts";
import { renderTable } from "./table.ts";
import { printable } from "./text.ts";

/** The page of `podkit describe pod`, in kubectl's order and words. */
export function describePod(pod: Pod, nowMs: number): readonly Entry[] {
  const statuses = new Map([...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].map((status) => [status.name, status]));
  const containerEntries = (containers: readonly Container[]): readonly Entry[] => containers.map((container) => [container.name, describeContainer(container, statuses.get(container.name), nowMs)] as const);
  const initContainers = pod.spec.initContainers ?? [];
  return [
    ["Name", pod.metadata.name],
    ["Namespace", pod.metadata.namespace ?? ""],
    ["Node", [pod.spec.nodeName, pod.status?.hostIP].filter((part) => part !== undefined).join("/")],
    ["Start Time", since(pod.status?.startTime, nowMs)],
    ["Labels", mapLines(pod.metadata.labels)],
    ["Annotations", annotationLines(pod)],
    ["Status", podPhase(pod, nowMs)],
    ...(pod.status?.reason === undefined ? [] : [["Reason", pod.status.reason] as const]),
    ...(pod.status?.message === undefined ? [] : [["Message", printable(pod.status.message)] as const]),
    ["IP", pod.status?.podIP ?? ""],
    ...(initContainers.length === 0 ? [] : [["Init Containers", containerEntries(initContainers)] as const]),
    ["Containers", containerEntries(pod.spec.containers)],
    ["Conditions", { block: conditionLines(pod) }],
    ["Volumes", (pod.spec.volumes ?? []).map((volume) => [volume.name, describeVolume(volume)] as const)],
    ["QoS Class", pod.status?.qosClass ?? ""],
    ["Node-Selectors", mapLines(pod.spec.nodeSelector)],
    ["Tolerations", (pod.spec.tolerations ?? []).map((toleration) => `${toleration.key ?? ""}${toleration.value === undefined ? "" : `=${toleration.value}`}:${toleration.effect ?? ""} op=${toleration.operator ?? "Equal"}`)],
  ];
}

function podPhase(pod: Pod, nowMs: number): string {
  if (pod.metadata.deletionTimestamp === undefined) return pod.status?.phase ?? "Pending";
  const grace = pod.metadata.deletionGracePeriodSeconds;
  return `Terminating (lasts ${age(pod.metadata.deletionTimestamp, nowMs)}${grace === undefined ? "" : `, grace period ${grace}s`})`;
}

const since = (time: string | undefined, nowMs: number): string => (time === undefined ? "" : `${time} (${age(time, nowMs)} ago)`);

function conditionLines(pod: Pod): readonly string[] {
  const conditions = pod.status?.conditions ?? [];
  if (conditions.length === 0) return [];
  return renderTable(["Type", "Status", "Reason", "Message"], conditions.map((condition) => [condition.type, condition.status, condition.reason ?? "-", printable(condition.message ?? "-")]));
}

function describeContainer(container: Container, status: ContainerStatus | undefined, nowMs: number): readonly Entry[] {
  const probes: readonly (readonly [string, Probe | undefined])[] = [["Startup", container.startupProbe], ["Liveness", container.livenessProbe], ["Readiness", container.readinessProbe]];
  return [
    ["Container ID", status?.containerID ?? ""],
    ["Image", container.image],
    ["Image ID", status?.imageID ?? ""],
    ["Ports", (container.ports ?? []).map((port) => `${port.containerPort}/${port.protocol ?? "TCP"}${port.name === undefined ? "" : ` (${port.name})`}`).join(", ")],
    ["Host Ports", (container.ports ?? []).map((port) => `${port.hostPort ?? 0}/${port.protocol ?? "TCP"}`).join(", ")],
    ...(container.command === undefined ? [] : [["Command", { block: container.command.map(printable) }] as const]),
    ...(container.args === undefined ? [] : [["Args", { block: container.args.map(printable) }] as const]),
    ...stateEntries("State", status?.state ?? { waiting: {} }, nowMs),
    ...(status?.lastState === undefined || Object.keys(status.lastState).length === 0 ? [] : stateEntries("Last State", status.lastState, nowMs)),
    ["Ready", status?.ready === true ? "True" : "False"],
    ["Restart Count", String(status?.restartCount ?? 0)],
    ...(container.restartPolicy === undefined ? [] : [["Restart Policy", `${container.restartPolicy} (sidecar)`] as const]),
    ...resourceEntries(container),
    ...probes.flatMap(([title, probe]) => (probe === undefined ? [] : [[title, describeProbe(probe)] as const])),
    ["Environment", { block: (container.env ?? []).map(describeVariable) }],
    ...(container.envFrom === undefined ? [] : [["Environment Variables from", { block: container.envFrom.map((source) => `${source.configMapRef?.name ?? source.secretRef?.name ?? ""} ${source.configMapRef === undefined ? "Secret" : "ConfigMap"}${source.prefix === undefined ? "" : ` with prefix "${source.prefix}"`}`) }] as const]),
    ["Mounts", { block: (container.volumeMounts ?? []).map((mount) => `${mount.mountPath} from ${mount.name} (${[mount.readOnly === true ? "ro" : "rw", ...(mount.subPath === undefined ? [] : [`path="${mount.subPath}"`])].join(",")})`) }],
  ];
}

function resourceEntries(container: Container): readonly Entry[] {
  const { limits, requests } = container.resources ?? {};
  return [
    ...(limits === undefined ? [] : [["Limits", mapLines(limits, ": ")] as const]),
    ...(requests === undefined ? [] : [["Requests", mapLines(requests, ": ")] as const]),
  ];
}

function stateEntries(title: string, state: ContainerState, nowMs: number): readonly Entry[] {
  const { running, terminated, waiting } = state;
  if (running !== undefined) return [[title, "Running"], ["  Started", since(running.startedAt, nowMs)]];
  if (terminated !== undefined) {
    return [
      [title, "Terminated"], ["  Reason", terminated.reason ?? ""],
      ...(terminated.message === undefined ? [] : [["  Message", printable(terminated.message)] as const]),
      ["  Exit Code", String(terminated.exitCode)], ["  Started", terminated.startedAt ?? ""], ["  Finished", terminated.finishedAt ?? ""],
    ];
  }
  return [[title, "Waiting"], ...(waiting?.reason === undefined ? [] : [["  Reason", waiting.reason] as const]), ...(waiting?.message === undefined ? [] : [["  Message", printable(waiting.message)] as const])];
}

/** "http-get http://:8080/health delay=0s timeout=1s period=10s #success=1 #failure=3", as kubectl words a probe. */
export function describeProbe(probe: Probe): string {
  const settings = `delay=${probe.initialDelaySeconds ?? 0}s timeout=${probe.timeoutSeconds ?? 1}s period=${probe.periodSeconds ?? 10}s #success=${probe.successThreshold ?? 1} #failure=${probe.failureThreshold ?? 3}`;
  if (probe.exec !== undefined) return `exec [${(probe.exec.command ?? []).join(" ")}] ${settings}`;
  if (probe.httpGet !== undefined) return `http-get ${(probe.httpGet.scheme ?? "HTTP").toLowerCase()}://${probe.httpGet.host ?? ""}:${probe.httpGet.port}${probe.httpGet.path ?? "/"} ${settings}`;
  if (probe.tcpSocket !== undefined) return `tcp-socket ${probe.tcpSocket.host ?? ""}:${probe.tcpSocket.port} ${settings}`;
  if (probe.grpc !== undefined) return `grpc <pod>:${probe.grpc.port} ${probe.grpc.service ?? ""} ${settings}`;
  return settings;
}

/** Values out of a Secret are named, never shown. */
function describeVariable(variable: EnvVar): string {
  const from = variable.valueFrom;
  if (from === undefined) return `${variable.name}: ${printable(variable.value ?? "")}`;
  if (from.secretKeyRef !== undefined) return `${variable.name}: <set to the key '${from.secretKeyRef.key}' in secret '${from.secretKeyRef.name}'>`;
  if (from.configMapKeyRef !== undefined) return `${variable.name}: <set to the key '${from.configMapKeyRef.key}' of config map '${from.configMapKeyRef.name}'>`;
  if (from.fieldRef !== undefined) return `${variable.name}: (${from.fieldRef.apiVersion ?? "v1"}:${from.fieldRef.fieldPath})`;
  return `${variable.name}: ${from.resourceFieldRef?.containerName ?? ""} (${from.resourceFieldRef?.resource ?? ""})`;
}

function describeVolume(volume: Volume): readonly Entry[] {
  if (volume.emptyDir !== undefined) return [["Type", "EmptyDir (a temporary directory that shares a pod's lifetime)"], ["Medium", volume.emptyDir.medium ?? ""], ["SizeLimit", volume.emptyDir.sizeLimit ?? "<unset>"]];
  if (volume.hostPath !== undefined) return [["Type", "HostPath (bare host directory volume)"], ["Path", volume.hostPath.path], ["HostPathType", volume.hostPath.type ?? ""]];
  if (volume.configMap !== undefined) return [["Type", "ConfigMap (a volume populated by a ConfigMap)"], ["Name", volume.configMap.name], ["Optional", String(volume.configMap.optional ?? false)]];
  if (volume.secret !== undefined) return [["Type", "Secret (a volume populated by a Secret)"], ["SecretName", volume.secret.secretName], ["Optional", String(volume.secret.optional ?? false)]];
  if (volume.downwardAPI !== undefined) return [["Type", "DownwardAPI (a volume populated by information about the pod)"], ["Items", downwardItems(volume.downwardAPI.items)]];
  return [["Type", "Projected (a volume that contains injected data from multiple sources)"], ...(volume.projected?.sources ?? []).flatMap(describeProjection)];
}

const downwardItems = (items: readonly DownwardAPIVolumeFile[] | undefined): Block => ({
  block: (items ?? []).map(({ path, fieldRef, resourceFieldRef }) => `${fieldRef?.fieldPath ?? `${resourceFieldRef?.containerName ?? ""} (${resourceFieldRef?.resource ?? ""})`} -> ${path}`),
});

function describeProjection({ configMap, secret, downwardAPI }: VolumeProjection): readonly Entry[] {
  if (configMap !== undefined) return [["ConfigMapName", configMap.name], ["Optional", String(configMap.optional ?? false)]];
  if (secret !== undefined) return [["SecretName", secret.name], ["Optional", String(secret.optional ?? false)]];
  return [["DownwardAPI", downwardItems(downwardAPI?.items)]];
}

/** The events at the foot of a page, oldest first. */
export function describeEvents(events: readonly Event[], nowMs: number): string[] {
  if (events.length === 0) return ["Events:  <none>"];
  const rows = sortObjects(events).map((event) => [event.type ?? "", event.reason ?? "", eventAge(event, nowMs), event.source?.component ?? event.reportingComponent ?? "", printable((event.message ?? "").trim())]);
  return ["Events:", ...renderTable(["Type", "Reason", "Age", "From", "Message"], rows).map((line) => `  ${line}`)];
}
