// pure
import type { ContainerSpec, Mount, PortBinding, Resources, SandboxSpec } from "../runtime.ts";
import type { Json } from "./engine-json.ts";

/**
 * Bodies of POST /containers/create. What holds for every object of ours: no restart policy (the agent restarts, with its own
 * back-off), no Docker health check (probes are the agent's), and logs bounded to 3 files of 10 MiB each.
 */
const always = { RestartPolicy: { Name: "no" }, LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } } };
const noHealthcheck = { Test: ["NONE"] };

export function sandboxBody(spec: SandboxSpec): Json {
  const network = spec.network.kind === "host" ? "host" : spec.network.name;
  return {
    Image: spec.image,
    // With the host's network the host's name holds, as Kubernetes has it; the engine refuses another.
    ...(spec.network.kind === "host" ? {} : { Hostname: spec.hostname, Domainname: spec.domainname ?? "" }),
    Labels: spec.labels,
    Healthcheck: noHealthcheck,
    ExposedPorts: Object.fromEntries(spec.ports.map((port) => [portKey(port), {}])),
    HostConfig: {
      ...always,
      NetworkMode: network,
      PortBindings: portBindings(spec.ports),
      IpcMode: spec.hostIpc === true ? "host" : "shareable",
      PidMode: spec.hostPid === true ? "host" : "",
      Sysctls: spec.sysctls,
      Mounts: spec.mounts.map(mountBody),
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ...resourcesBody(spec.resources ?? {}),
      ...(spec.cgroupParent === undefined ? {} : { CgroupParent: spec.cgroupParent }),
    },
    ...(spec.network.kind === "bridge" && spec.network.ipv4Address !== undefined
      ? { NetworkingConfig: { EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: spec.network.ipv4Address } } } } }
      : {}),
  };
}

export function containerBody(spec: ContainerSpec): Json {
  return {
    Image: spec.image,
    Labels: spec.labels,
    Healthcheck: noHealthcheck,
    Env: spec.env.map(({ name, value }) => `${name}=${value}`),
    Tty: spec.tty,
    OpenStdin: spec.stdin,
    StdinOnce: spec.stdinOnce,
    AttachStdout: false,
    AttachStderr: false,
    ...(spec.entrypoint === undefined ? {} : { Entrypoint: spec.entrypoint }),
    ...(spec.command === undefined ? {} : { Cmd: spec.command }),
    ...(spec.workingDir === undefined ? {} : { WorkingDir: spec.workingDir }),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    HostConfig: {
      ...always,
      NetworkMode: `container:${spec.sandboxId}`,
      IpcMode: spec.ipcNamespace === "host" ? "host" : `container:${spec.sandboxId}`,
      PidMode: spec.pidNamespace === "host" ? "host" : spec.pidNamespace === "sandbox" ? `container:${spec.sandboxId}` : "",
      Mounts: spec.mounts.map(mountBody),
      ReadonlyRootfs: spec.readOnlyRootFilesystem,
      Privileged: spec.privileged,
      CapAdd: spec.capabilitiesAdd,
      CapDrop: spec.capabilitiesDrop,
      GroupAdd: spec.supplementalGroups.map(String),
      SecurityOpt: securityOptions(spec),
      ...resourcesBody(spec.resources),
      ...(spec.cgroupParent === undefined ? {} : { CgroupParent: spec.cgroupParent }),
    },
  };
}

function securityOptions(spec: ContainerSpec): readonly string[] {
  const options = spec.noNewPrivileges ? ["no-new-privileges"] : [];
  if (spec.seccomp.kind === "unconfined") options.push("seccomp=unconfined");
  if (spec.seccomp.kind === "profile") options.push(`seccomp=${spec.seccomp.json}`);
  return options;
}

/** Swap is never granted on top of a memory limit: a container that outgrows it is killed, as in Kubernetes. */
function resourcesBody(resources: Resources): Record<string, number> {
  const { memoryBytes, cpuQuotaMicroseconds, cpuPeriodMicroseconds, cpuShares, oomScoreAdj, pidsMax } = resources;
  return {
    ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(cpuQuotaMicroseconds === undefined ? {} : { CpuQuota: cpuQuotaMicroseconds, CpuPeriod: cpuPeriodMicroseconds ?? 100_000 }),
    ...(cpuShares === undefined ? {} : { CpuShares: cpuShares }),
    ...(oomScoreAdj === undefined ? {} : { OomScoreAdj: oomScoreAdj }),
    ...(pidsMax === undefined ? {} : { PidsLimit: pidsMax }),
  };
}

/** `Mounts`, not `Binds`: a missing source is an error there, where `Binds` would create a directory in its place. */
function mountBody(mount: Mount): Json {
  if (mount.kind === "volume") return { Type: "volume", Source: mount.name, Target: mount.target, ReadOnly: mount.readOnly, VolumeOptions: { NoCopy: true } };
  return { Type: "bind", Source: mount.source, Target: mount.target, ReadOnly: mount.readOnly, BindOptions: { Propagation: mount.propagation ?? "rprivate" } };
}

function portKey(port: PortBinding): string {
  return `${port.containerPort}/${port.protocol.toLowerCase()}`;
}

function portBindings(ports: readonly PortBinding[]): Json {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of ports) (bindings[portKey(port)] ??= []).push({ HostIp: port.hostIp, HostPort: String(port.hostPort) });
  return bindings;
}
