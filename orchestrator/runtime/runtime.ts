// pure
import type { Readable, Writable } from "node:stream";

/**
 * What the node agent needs of a container engine: the shape of the Kubernetes CRI (RuntimeService and ImageService),
 * reduced to what Pods need. Drivers: docker/ (Engine API) and fake.ts (in memory); both pass test/contract/runtime.
 *
 * Every create is idempotent by name: creating a sandbox or container whose name exists returns the existing id, so that a
 * create repeated after a crash adopts instead of duplicating. Every stop and remove of something absent succeeds.
 * All failures are RuntimeError. Times are epoch milliseconds of the engine's clock.
 */
export interface Runtime {
  /** Engine name, version and negotiated API version. Throws RuntimeError "Unreachable" or "PermissionDenied". */
  version(signal?: AbortSignal): Promise<RuntimeVersion>;

  imageStatus(reference: string): Promise<ImageInfo | undefined>;
  /** Pulls; `onProgress` gets a human line per step. Throws "ImageNotFound" or "Unreachable" (registry) with the registry's words. */
  pullImage(reference: string, options: { readonly onProgress?: (line: string) => void; readonly signal?: AbortSignal }): Promise<ImageInfo>;

  /** Makes the cluster's bridge network if absent and returns its subnet and gateway. */
  ensureNetwork(spec: NetworkSpec): Promise<NetworkInfo>;
  removeNetwork(name: string): Promise<void>;
  /** Named volumes are used for emptyDir medium Memory (tmpfs) alone. */
  ensureVolume(spec: VolumeSpec): Promise<void>;
  removeVolume(name: string): Promise<void>;
  listVolumes(labels: Labels): Promise<readonly { readonly name: string; readonly labels: Labels }[]>;
  listNetworks(labels: Labels): Promise<readonly { readonly name: string; readonly labels: Labels }[]>;

  createSandbox(spec: SandboxSpec): Promise<string>;
  /** Starts a created sandbox; a no-op when it runs. A sandbox that has exited is never started again (its members' network namespace would differ): throws "InvalidState". */
  startSandbox(id: string): Promise<SandboxStatus>;
  createContainer(spec: ContainerSpec): Promise<string>;
  /**
   * A no-op when it runs. Throws "StartFailed" with the engine's words when the command cannot be executed (the container then stays
   * "created"), "InvalidState" when its sandbox does not run or when it has exited: every restart is a new container.
   */
  startContainer(id: string): Promise<void>;
  /** SIGTERM (or the image's stop signal), then SIGKILL after the grace. Resolves when the container no longer runs. Serves sandboxes and containers. */
  stop(id: string, options: { readonly graceSeconds: number; readonly signal?: AbortSignal }): Promise<void>;
  kill(id: string, signalName: string): Promise<void>;
  /** Removes even when running, with its anonymous volumes. */
  remove(id: string): Promise<void>;

  sandboxStatus(id: string): Promise<SandboxStatus | undefined>;
  containerStatus(id: string): Promise<ContainerStatus | undefined>;
  /** All sandboxes and containers carrying all these labels, running or not. States may lag behind an event that told of a change: ask for the status. */
  list(labels: Labels): Promise<readonly RuntimeObject[]>;

  exec(id: string, options: ExecOptions): Promise<ExecSession>;
  /** Runs to completion; output is cut at `outputBytesMax` per stream. After the timeout resolves with kind "timeout" (the process may live on: Docker cannot kill an exec). */
  execSync(id: string, options: { readonly command: readonly string[]; readonly timeoutMs: number; readonly outputBytesMax: number }): Promise<ExecResult>;
  /** Oldest first. With `follow` ends when the container stops or the signal aborts. */
  logs(id: string, options: LogOptions): AsyncIterable<LogChunk>;
  /** Engine events of objects with these labels. A hint only: may repeat or miss; ends by throwing when the connection is lost. */
  events(options: { readonly labels: Labels; readonly sinceMs?: number; readonly signal: AbortSignal }): AsyncIterable<RuntimeEvent>;
  /** CPU and memory now, for `podkit get pods -o wide` and benches. */
  stats(id: string): Promise<{ readonly cpuNanosecondsTotal: number; readonly memoryBytes: number } | undefined>;
  close(): Promise<void>;
}

export type Labels = Readonly<Record<string, string>>;
export type RuntimeVersion = { readonly engine: string; readonly version: string; readonly apiVersion: string; readonly os: string; readonly arch: string; readonly cgroupDriver: string; readonly cgroupVersion: string; readonly rootDir: string };
export type ImageInfo = { readonly id: string; readonly references: readonly string[]; readonly sizeBytes: number; readonly user: string; readonly entrypoint: readonly string[]; readonly command: readonly string[]; readonly workingDir: string; readonly env: readonly string[] };
export type NetworkSpec = { readonly name: string; readonly labels: Labels; readonly subnet?: string };
export type NetworkInfo = { readonly name: string; readonly subnet: string; readonly gateway: string };
export type VolumeSpec = { readonly name: string; readonly labels: Labels; readonly tmpfs: { readonly sizeBytes?: number; readonly mode: number; readonly gid?: number } };

export type PortBinding = { readonly containerPort: number; readonly hostPort: number; readonly hostIp: string; readonly protocol: "TCP" | "UDP" | "SCTP" };
export type Mount =
  | { readonly kind: "bind"; readonly source: string; readonly target: string; readonly readOnly: boolean; readonly propagation?: "rprivate" | "rslave" | "rshared" }
  | { readonly kind: "volume"; readonly name: string; readonly target: string; readonly readOnly: boolean };

export type SandboxSpec = {
  /** Deterministic: cluster, Pod uid and attempt. */
  readonly name: string;
  readonly labels: Labels;
  readonly image: string;
  readonly hostname: string;
  readonly domainname?: string;
  /** "host" for hostNetwork. `ipv4Address` pins an address (the DNS server). */
  readonly network: { readonly kind: "bridge"; readonly name: string; readonly ipv4Address?: string } | { readonly kind: "host" };
  readonly ports: readonly PortBinding[];
  readonly sysctls: Labels;
  readonly cgroupParent?: string;
  /** Volumes the sandbox only holds open, so that a tmpfs lives as long as the Pod. */
  readonly mounts: readonly Mount[];
  readonly hostPid?: boolean;
  readonly hostIpc?: boolean;
  /** For a sandbox whose process does work of its own (the DNS server); pause needs none. */
  readonly resources?: Resources;
};

export type Resources = {
  readonly memoryBytes?: number;
  /** Hard limit: microseconds of CPU per `cpuPeriodMicroseconds`. */
  readonly cpuQuotaMicroseconds?: number;
  readonly cpuPeriodMicroseconds?: number;
  readonly cpuShares?: number;
  readonly oomScoreAdj?: number;
  readonly pidsMax?: number;
};

export type ContainerSpec = {
  readonly name: string;
  readonly labels: Labels;
  readonly sandboxId: string;
  /** Image reference or id as found by imageStatus. */
  readonly image: string;
  /** Replace the image's ENTRYPOINT / CMD when given (Kubernetes command / args). */
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly workingDir?: string;
  /** "uid", "uid:gid" or absent for the image's USER. */
  readonly user?: string;
  readonly supplementalGroups: readonly number[];
  readonly mounts: readonly Mount[];
  readonly readOnlyRootFilesystem: boolean;
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  readonly capabilitiesAdd: readonly string[];
  readonly capabilitiesDrop: readonly string[];
  readonly seccomp: { readonly kind: "runtimeDefault" } | { readonly kind: "unconfined" } | { readonly kind: "profile"; readonly json: string };
  readonly resources: Resources;
  readonly cgroupParent?: string;
  /** "sandbox" = shareProcessNamespace. */
  readonly pidNamespace: "container" | "sandbox" | "host";
  readonly ipcNamespace: "sandbox" | "host";
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
};

export type RuntimeState =
  | { readonly kind: "created" }
  | { readonly kind: "running"; readonly startedAtMs: number; readonly pid: number }
  | { readonly kind: "exited"; readonly exitCode: number; readonly startedAtMs: number; readonly finishedAtMs: number; readonly oomKilled: boolean; readonly error: string };

export type SandboxStatus = { readonly id: string; readonly name: string; readonly labels: Labels; readonly state: RuntimeState; readonly ip: string | undefined; readonly createdAtMs: number };
export type ContainerStatus = { readonly id: string; readonly name: string; readonly labels: Labels; readonly state: RuntimeState; readonly imageId: string; readonly image: string; readonly createdAtMs: number };
/** From one list call; `state` has no more detail than the list gives (ask status for exit codes). */
export type RuntimeObject = { readonly id: string; readonly name: string; readonly labels: Labels; readonly state: "created" | "running" | "exited"; readonly createdAtMs: number };

export type ExecOptions = { readonly command: readonly string[]; readonly tty: boolean; readonly stdin: boolean; readonly signal?: AbortSignal };
export type ExecSession = {
  /** Absent when stdin was not asked for. End it to send EOF. */
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  /** Empty with a TTY, where the engine merges both. */
  readonly stderr: Readable;
  resize(size: { readonly columns: number; readonly rows: number }): Promise<void>;
  /** Resolves after both streams have ended. */
  readonly exitCode: Promise<number>;
};
export type ExecResult =
  | { readonly kind: "exited"; readonly exitCode: number; readonly stdout: string; readonly stderr: string }
  | { readonly kind: "timeout"; readonly stdout: string; readonly stderr: string };

export type LogOptions = { readonly follow: boolean; readonly tailLines?: number; readonly sinceMs?: number; readonly timestamps: boolean; readonly signal?: AbortSignal };
export type LogChunk = { readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array };

export type RuntimeEvent = { readonly id: string; readonly labels: Labels; readonly action: "create" | "start" | "die" | "oom" | "destroy" | "other"; readonly atMs: number };

export type RuntimeErrorCode =
  | "Unreachable" | "PermissionDenied" | "NotFound" | "ImageNotFound" | "InvalidConfig" | "InvalidState" | "StartFailed" | "PortInUse" | "DiskFull" | "Timeout" | "Internal";

/** What was being done, on what, and the engine's own words; `remedy` when one is known. */
export class RuntimeError extends Error {
  readonly code: RuntimeErrorCode;
  readonly remedy: string | undefined;
  constructor(code: RuntimeErrorCode, message: string, options: { readonly cause?: unknown; readonly remedy?: string } = {}) {
    super(message, { cause: options.cause });
    this.name = "RuntimeError";
    this.code = code;
    this.remedy = options.remedy;
  }
}

/** Label keys by which an agent finds its own objects again. */
export const label = {
  cluster: "podkit/cluster",
  kind: "podkit/kind", // sandbox | init | sidecar | app | dns
  podUid: "podkit/pod-uid",
  podNamespace: "podkit/pod-namespace",
  podName: "podkit/pod-name",
  container: "podkit/container",
  attempt: "podkit/attempt",
  specHash: "podkit/spec-hash",
} as const;
