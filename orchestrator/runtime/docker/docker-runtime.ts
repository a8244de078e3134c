import { setTimeout as sleepMs } from "node:timers/promises";
import { RuntimeError } from "../runtime.ts";
import type {
  ContainerSpec, ContainerStatus, ExecOptions, ExecResult, ExecSession, ImageInfo, Labels, LogChunk, LogOptions, NetworkInfo, NetworkSpec, Runtime, RuntimeEvent,
  RuntimeObject, RuntimeVersion, SandboxSpec, SandboxStatus, VolumeSpec,
} from "../runtime.ts";
import { negotiateApi } from "./api-version.ts";
import { containerBody, sandboxBody } from "./container-body.ts";
import { containerStatusOf, eventOf, objectOf, sandboxStatusOf, stateOf } from "./container-status.ts";
import { parseDockerHost } from "./engine-address.ts";
import { EngineHttp } from "./engine-http.ts";
import { flag, integer, items, labelsOf, text } from "./engine-json.ts";
import type { Json } from "./engine-json.ts";
import { runExec, startExec } from "./exec.ts";
import { inspectImage, pullImage } from "./images.ts";
import { jsonLines } from "./json-lines.ts";
import { FrameDecoder } from "./multiplexed-frames.ts";
import { ensureNetwork, removeNetwork } from "./networks.ts";

export type DockerOptions = {
  /** The value of DOCKER_HOST; the usual socket when undefined or empty. */
  readonly dockerHost: string | undefined;
  /** Where the docker client keeps config.json with the registries' credentials: DOCKER_CONFIG or ~/.docker. */
  readonly configDirectory: string;
};

/**
 * Connects to the engine and agrees on an API version. Throws RuntimeError "Unreachable", "PermissionDenied" or "InvalidConfig", each with
 * a remedy. An engine that is replaced by one of another version while we run needs a new connection.
 */
export async function connectDocker(options: DockerOptions): Promise<Runtime> {
  const address = parseDockerHost(options.dockerHost);
  if (address.kind === "unsupported") throw new RuntimeError("InvalidConfig", `Cannot connect to Docker: ${address.why}`, { remedy: "Unset DOCKER_HOST, or set it to a Unix socket or a plain TCP address." });
  const http = new EngineHttp(address);
  try {
    const { json } = await http.call({ method: "GET", path: "/version", doing: "connect to Docker", timeoutMs: 20_000 });
    const negotiated = negotiateApi({ apiVersion: text(json, "ApiVersion"), minApiVersion: text(json, "MinAPIVersion") });
    if (negotiated.kind === "none") throw new RuntimeError("InvalidConfig", `Cannot use Docker at ${http.where}: ${negotiated.why}`, { remedy: "Install a Docker Engine of another version." });
    http.speak(negotiated.apiVersion);
    return new DockerRuntime(http, { apiVersion: negotiated.apiVersion, configDirectory: options.configDirectory });
  } catch (error) {
    await http.close();
    throw error;
  }
}

class DockerRuntime implements Runtime {
  readonly #http: EngineHttp;
  readonly #apiVersion: string;
  readonly #configDirectory: string;

  constructor(http: EngineHttp, o: { apiVersion: string; configDirectory: string }) {
    this.#http = http;
    this.#apiVersion = o.apiVersion;
    this.#configDirectory = o.configDirectory;
  }

  async version(signal?: AbortSignal): Promise<RuntimeVersion> {
    const { json } = await this.#http.call({ method: "GET", path: "/info", doing: "ask Docker for its version", timeoutMs: 30_000, ...(signal === undefined ? {} : { signal }) });
    return {
      engine: "docker", version: text(json, "ServerVersion"), apiVersion: this.#apiVersion, os: text(json, "OSType"), arch: text(json, "Architecture"),
      cgroupDriver: text(json, "CgroupDriver"), cgroupVersion: text(json, "CgroupVersion"), rootDir: text(json, "DockerRootDir"),
    };
  }

  async imageStatus(reference: string): Promise<ImageInfo | undefined> {
    return await inspectImage(this.#http, reference);
  }

  async pullImage(reference: string, options: { readonly onProgress?: (line: string) => void; readonly signal?: AbortSignal }): Promise<ImageInfo> {
    return await pullImage(this.#http, { reference, configDirectory: this.#configDirectory, ...options });
  }

  async ensureNetwork(spec: NetworkSpec): Promise<NetworkInfo> {
    return await ensureNetwork(this.#http, spec);
  }

  async removeNetwork(name: string): Promise<void> {
    await removeNetwork(this.#http, name);
  }

  async ensureVolume(spec: VolumeSpec): Promise<void> {
    const { sizeBytes, mode, gid } = spec.tmpfs;
    const options = [`mode=${mode.toString(8)}`, ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`]), ...(gid === undefined ? [] : [`gid=${gid}`])];
    await this.#http.call({
      method: "POST", path: "/volumes/create", doing: `create volume "${spec.name}"`,
      body: { Name: spec.name, Driver: "local", DriverOpts: { type: "tmpfs", device: "tmpfs", o: options.join(",") }, Labels: spec.labels },
    });
  }

  async removeVolume(name: string): Promise<void> {
    await this.#http.call({ method: "DELETE", path: `/volumes/${encodeURIComponent(name)}`, doing: `remove volume "${name}"`, accept: [404] });
  }

  async listVolumes(labels: Labels): Promise<readonly { readonly name: string; readonly labels: Labels }[]> {
    const { json } = await this.#http.call({ method: "GET", path: "/volumes", query: { filters: labelFilter(labels) }, doing: "list volumes" });
    return items(json, "Volumes").map((volume) => ({ name: text(volume, "Name"), labels: labelsOf(volume, "Labels") }));
  }

  async listNetworks(labels: Labels): Promise<readonly { readonly name: string; readonly labels: Labels }[]> {
    const { json } = await this.#http.call({ method: "GET", path: "/networks", query: { filters: labelFilter(labels) }, doing: "list networks" });
    return items(json).map((network) => ({ name: text(network, "Name"), labels: labelsOf(network, "Labels") }));
  }

  async createSandbox(spec: SandboxSpec): Promise<string> {
    return await this.#create(spec.name, sandboxBody(spec), `create sandbox "${spec.name}" from image "${spec.image}"`);
  }

  async startSandbox(id: string): Promise<SandboxStatus> {
    await this.#start(id, "sandbox");
    const status = await this.sandboxStatus(id);
    if (status === undefined) throw new RuntimeError("NotFound", `Cannot start sandbox ${short(id)}: it was removed meanwhile`);
    return status;
  }

  async createContainer(spec: ContainerSpec): Promise<string> {
    return await this.#create(spec.name, containerBody(spec), `create container "${spec.name}" from image "${spec.image}"`);
  }

  async startContainer(id: string): Promise<void> {
    await this.#start(id, "container");
  }

  async stop(id: string, options: { readonly graceSeconds: number; readonly signal?: AbortSignal }): Promise<void> {
    const graceSeconds = Math.ceil(options.graceSeconds);
    await this.#http.call({
      method: "POST", path: `/containers/${id}/stop`, query: { t: graceSeconds }, doing: `stop container ${short(id)}`, accept: [404],
      timeoutMs: graceSeconds * 1000 + 60_000, ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }

  async kill(id: string, signalName: string): Promise<void> {
    // 409: it does not run (any more).
    await this.#http.call({ method: "POST", path: `/containers/${id}/kill`, query: { signal: signalName }, doing: `send ${signalName} to container ${short(id)}`, accept: [404, 409] });
  }

  async remove(id: string): Promise<void> {
    const { status } = await this.#http.call({ method: "DELETE", path: `/containers/${id}`, query: { force: "1", v: "1" }, doing: `remove container ${short(id)}`, accept: [404, 409] });
    // 409: another removal is under way. Succeeding before it is over would let a create meet the old name.
    if (status !== 409) return;
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if ((await this.#inspect(id)) === undefined) return;
      await sleepMs(100);
    }
    throw new RuntimeError("Timeout", `Cannot remove container ${short(id)}: its removal by the engine does not come to an end`);
  }

  async sandboxStatus(id: string): Promise<SandboxStatus | undefined> {
    const inspect = await this.#inspect(id);
    return inspect === undefined ? undefined : sandboxStatusOf(inspect);
  }

  async containerStatus(id: string): Promise<ContainerStatus | undefined> {
    const inspect = await this.#inspect(id);
    return inspect === undefined ? undefined : containerStatusOf(inspect);
  }

  async list(labels: Labels): Promise<readonly RuntimeObject[]> {
    const { json } = await this.#http.call({ method: "GET", path: "/containers/json", query: { all: "1", filters: labelFilter(labels) }, doing: "list containers" });
    return items(json).map(objectOf);
  }

  async exec(id: string, options: ExecOptions): Promise<ExecSession> {
    return await startExec(this.#http, id, options);
  }

  async execSync(id: string, options: { readonly command: readonly string[]; readonly timeoutMs: number; readonly outputBytesMax: number }): Promise<ExecResult> {
    return await runExec(this.#http, id, options);
  }

  async *logs(id: string, options: LogOptions): AsyncGenerator<LogChunk> {
    const doing = `read the log of container ${short(id)}`;
    const inspect = await this.#inspect(id);
    if (inspect === undefined) throw new RuntimeError("NotFound", `Cannot ${doing}: there is no such container`);
    const over = (): boolean => options.signal?.aborted === true;
    if (over()) return;
    const body = await this.#http.stream({
      method: "GET", path: `/containers/${id}/logs`, doing, ...(options.signal === undefined ? {} : { signal: options.signal }),
      query: {
        stdout: "1", stderr: "1", follow: options.follow ? "1" : "0", timestamps: options.timestamps ? "1" : "0",
        tail: options.tailLines, since: options.sinceMs === undefined ? undefined : seconds(options.sinceMs),
      },
    });
    const decoder = flag(inspect, "Config", "Tty") ? undefined : new FrameDecoder();
    try {
      for await (const chunk of body) {
        if (!(chunk instanceof Uint8Array)) continue;
        if (decoder === undefined) yield { stream: "stdout", bytes: chunk };
        else yield* decoder.push(chunk);
      }
    } catch (error) {
      if (!over()) throw new RuntimeError("Unreachable", `Cannot ${doing}: the connection ended`, { cause: error });
    }
  }

  async *events(options: { readonly labels: Labels; readonly sinceMs?: number; readonly signal: AbortSignal }): AsyncGenerator<RuntimeEvent> {
    const { signal } = options;
    const filters = JSON.stringify({ type: ["container"], label: labelTerms(options.labels) });
    const over = (): boolean => signal.aborted;
    if (over()) return;
    try {
      const body = await this.#http.stream({
        method: "GET", path: "/events", doing: "watch the engine's events", signal,
        query: { filters, since: options.sinceMs === undefined ? undefined : seconds(options.sinceMs) },
      });
      for await (const line of jsonLines(body)) yield eventOf(line);
    } catch (error) {
      if (over()) return;
      if (error instanceof RuntimeError) throw error;
      throw new RuntimeError("Unreachable", "Cannot watch the engine's events: the connection broke", { cause: error });
    }
    if (!over()) throw new RuntimeError("Unreachable", "Cannot watch the engine's events: the engine ended the stream");
  }

  async stats(id: string): Promise<{ readonly cpuNanosecondsTotal: number; readonly memoryBytes: number } | undefined> {
    const { status, json } = await this.#http.call({ method: "GET", path: `/containers/${id}/stats`, query: { stream: "0", "one-shot": "1" }, doing: `measure container ${short(id)}`, timeoutMs: 30_000, accept: [404, 409] });
    const memoryBytes = integer(json, "memory_stats", "usage");
    if (status !== 200 || memoryBytes === 0) return undefined;
    // What the page cache holds on behalf of inactive files can be taken back at any time: `docker stats` and the kubelet leave it out too.
    const reclaimable = integer(json, "memory_stats", "stats", "total_inactive_file") || integer(json, "memory_stats", "stats", "inactive_file");
    return { cpuNanosecondsTotal: integer(json, "cpu_stats", "cpu_usage", "total_usage"), memoryBytes: Math.max(0, memoryBytes - reclaimable) };
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  /** A name that exists is adopted: names are made from the Pod's uid and the attempt, so the existing object is this very one. */
  async #create(name: string, body: Json, doing: string): Promise<string> {
    for (let attempt = 0; ; attempt += 1) {
      const { status, json } = await this.#http.call({ method: "POST", path: "/containers/create", query: { name }, body, doing, kind: "create", accept: [409] });
      if (status !== 409) return text(json, "Id");
      const existing = await this.#inspect(name);
      if (existing !== undefined) return text(existing, "Id");
      // The name is taken, but there is nothing yet or no longer: a create or a removal of it is under way.
      if (attempt >= 50) throw new RuntimeError("InvalidState", `Cannot ${doing}: ${text(json, "message")}`, { remedy: "The engine holds the name of a container that it does not show; restart the engine." });
      await sleepMs(100);
    }
  }

  async #start(id: string, what: "sandbox" | "container"): Promise<void> {
    const inspect = await this.#inspect(id);
    if (inspect === undefined) throw new RuntimeError("NotFound", `Cannot start ${what} ${short(id)}: there is no such container`);
    const doing = `start ${what} "${text(inspect, "Name").replace(/^\//, "")}"`;
    const state = stateOf(inspect);
    if (state.kind === "exited") throw new RuntimeError("InvalidState", `Cannot ${doing}: it has exited, and a restart is a new container`);
    if (state.kind === "created") await this.#http.call({ method: "POST", path: `/containers/${id}/start`, doing, kind: "start" });
  }

  async #inspect(idOrName: string): Promise<Json> {
    const { status, json } = await this.#http.call({ method: "GET", path: `/containers/${encodeURIComponent(idOrName)}/json`, doing: `inspect container ${short(idOrName)}`, timeoutMs: 60_000, accept: [404] });
    return status === 404 ? undefined : json;
  }
}

function labelTerms(labels: Labels): readonly string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}

function labelFilter(labels: Labels): string {
  return JSON.stringify({ label: labelTerms(labels) });
}

/** The engine takes seconds with a fraction. */
function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** As the docker client shows ids; names stay whole. */
function short(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : `"${id}"`;
}
