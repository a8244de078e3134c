// pure
import type { ContainerStatus, ImageInfo, RuntimeEvent, RuntimeObject, RuntimeState, SandboxStatus } from "../runtime.ts";
import { entries, flag, integer, items, labelsOf, text, texts, timeMs } from "./engine-json.ts";
import type { Json } from "./engine-json.ts";

/** State of GET /containers/{id}/json. A paused container counts as running: its processes are there. */
export function stateOf(inspect: Json): RuntimeState {
  const status = text(inspect, "State", "Status");
  if (status === "created") return { kind: "created" };
  const startedAtMs = timeMs(inspect, "State", "StartedAt");
  if (flag(inspect, "State", "Running")) return { kind: "running", startedAtMs, pid: integer(inspect, "State", "Pid") };
  return {
    kind: "exited", startedAtMs,
    exitCode: integer(inspect, "State", "ExitCode"),
    // The engine notes the start after the process has begun: one that ends at once may seem to end before.
    finishedAtMs: Math.max(startedAtMs, timeMs(inspect, "State", "FinishedAt")),
    oomKilled: flag(inspect, "State", "OOMKilled"),
    error: text(inspect, "State", "Error"),
  };
}

export function sandboxStatusOf(inspect: Json): SandboxStatus {
  const address = entries(inspect, "NetworkSettings", "Networks").map(([, network]) => text(network, "IPAddress")).find((ip) => ip !== "");
  return { ...identityOf(inspect), state: stateOf(inspect), ip: address };
}

export function containerStatusOf(inspect: Json): ContainerStatus {
  return { ...identityOf(inspect), state: stateOf(inspect), imageId: text(inspect, "Image"), image: text(inspect, "Config", "Image") };
}

function identityOf(inspect: Json): { id: string; name: string; labels: Readonly<Record<string, string>>; createdAtMs: number } {
  return { id: text(inspect, "Id"), name: text(inspect, "Name").replace(/^\//, ""), labels: labelsOf(inspect, "Config", "Labels"), createdAtMs: timeMs(inspect, "Created") };
}

/** One row of GET /containers/json. */
export function objectOf(row: Json): RuntimeObject {
  const state = text(row, "State");
  return {
    id: text(row, "Id"),
    name: (texts(row, "Names")[0] ?? "").replace(/^\//, ""),
    labels: labelsOf(row, "Labels"),
    state: state === "created" ? "created" : state === "running" || state === "paused" || state === "restarting" ? "running" : "exited",
    createdAtMs: integer(row, "Created") * 1000,
  };
}

export function imageInfoOf(inspect: Json): ImageInfo {
  return {
    id: text(inspect, "Id"),
    references: [...texts(inspect, "RepoTags"), ...texts(inspect, "RepoDigests")],
    sizeBytes: integer(inspect, "Size"),
    user: text(inspect, "Config", "User"),
    entrypoint: texts(inspect, "Config", "Entrypoint"),
    command: texts(inspect, "Config", "Cmd"),
    workingDir: text(inspect, "Config", "WorkingDir"),
    env: texts(inspect, "Config", "Env"),
  };
}

/** One line of GET /events. The engine puts the labels among other attributes (image, name, exitCode). */
export function eventOf(line: Json): RuntimeEvent {
  const action = text(line, "Action");
  const known = (["create", "start", "die", "oom", "destroy"] as const).find((name) => name === action);
  return { id: text(line, "Actor", "ID"), labels: labelsOf(line, "Actor", "Attributes"), action: known ?? "other", atMs: Math.floor(integer(line, "timeNano") / 1e6) };
}

/** Subnet and gateway of a bridge network's first IPv4 pool. */
export function poolOf(network: Json): { readonly subnet: string; readonly gateway: string } {
  const pool = items(network, "IPAM", "Config").find((config) => !text(config, "Subnet").includes(":"));
  return { subnet: text(pool, "Subnet"), gateway: text(pool, "Gateway") };
}
