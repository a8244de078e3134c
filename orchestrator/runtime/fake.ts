import { PassThrough, Writable } from "node:stream";
import type { Clock } from "../../kit/clock.ts";
import { CallGate } from "./fake/call-gate.ts";
import { EventHub } from "./fake/event-hub.ts";
import { FakeObject } from "./fake/fake-object.ts";
import { imageOf } from "./fake/image-of.ts";
import type { FakeBehaviour, FakeExecAnswer, FakeFault, JournalEntry } from "./fake/script.ts";
import { carriesLabels } from "./labels.ts";
import { RuntimeError } from "./runtime.ts";
import type {
  ContainerSpec, ContainerStatus, ExecOptions, ExecResult, ExecSession, ImageInfo, Labels, LogChunk, LogOptions, NetworkInfo, NetworkSpec, PortBinding,
  Runtime, RuntimeEvent, RuntimeObject, RuntimeVersion, SandboxSpec, SandboxStatus, VolumeSpec,
} from "./runtime.ts";

export type { FakeBehaviour, FakeExecAnswer, FakeFault, FakeVerb, JournalEntry } from "./fake/script.ts";

export type FakeRuntimeOptions = {
  readonly clock: Clock;
  /** Asked once per container, at its creation. Obedient processes that run for ever when absent or when it returns undefined. */
  readonly behaviour?: (spec: ContainerSpec) => FakeBehaviour | undefined;
  /** The same for sandboxes. */
  readonly sandboxBehaviour?: (spec: SandboxSpec) => FakeBehaviour | undefined;
  /** Local images; a missing one makes create fail with ImageNotFound. "any" (the default): every image is there. */
  readonly images?: "any" | readonly string[];
};

/**
 * An engine in memory with Docker's semantics, for tests and simulations: deterministic, on the given clock, with scripted processes,
 * a journal of calls and faults on demand. It survives its users: a second agent started on the same fake finds what the first left.
 * It does not simulate: resource limits, mounts, users, real sockets (a hostPort is only checked against other sandboxes' ports).
 */
export class FakeRuntime implements Runtime {
  readonly #clock: Clock;
  readonly #options: FakeRuntimeOptions;
  readonly #gate: CallGate;
  readonly #events = new EventHub();
  readonly #objects = new Map<string, FakeObject>();
  readonly #networks = new Map<string, { readonly spec: NetworkSpec; readonly info: NetworkInfo }>();
  readonly #volumes = new Map<string, VolumeSpec>();
  readonly #images = new Map<string, ImageInfo>();
  readonly #pullable = new Map<string, { readonly delayMs: number }>();
  #sequence = 0;
  #nextAddress = 2;

  constructor(options: FakeRuntimeOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#gate = new CallGate(options.clock);
    if (options.images !== undefined && options.images !== "any") for (const image of options.images) this.addImage(image);
  }

  // ── What a test does to the engine ──

  get journal(): readonly JournalEntry[] {
    return this.#gate.journal;
  }

  clearJournal(): void {
    this.#gate.clearJournal();
  }

  /** Arms a fault; the returned function disarms it. */
  inject(fault: FakeFault): () => void {
    return this.#gate.arm(fault);
  }

  clearFaults(): void {
    this.#gate.disarmAll();
  }

  addImage(reference: string, info: Partial<ImageInfo> = {}): void {
    this.#images.set(reference, { ...imageOf(reference), ...info });
  }

  removeImage(reference: string): void {
    this.#images.delete(reference);
  }

  /** A pull of it succeeds after the delay; every other pull fails with ImageNotFound (with images "any" every pull succeeds). */
  makePullable(reference: string, o: { delayMs?: number } = {}): void {
    this.#pullable.set(reference, { delayMs: o.delayMs ?? 0 });
  }

  loseNextEvents(count: number): void {
    this.#events.loseNext(count);
  }

  repeatNextEvents(count: number): void {
    this.#events.repeatNext(count);
  }

  cutEventStreams(): void {
    this.#events.cutAll();
  }

  /** The process of a sandbox or container ends by itself, as after `docker kill` or a crash. */
  exitByHand(nameOrId: string, exitCode = 137, o: { oomKilled?: boolean } = {}): void {
    this.#need(nameOrId).exit(exitCode, o);
  }

  /** As `docker rm -f` by somebody else. */
  removeByHand(nameOrId: string): void {
    this.#destroy(this.#need(nameOrId));
  }

  /** The machine or the daemon went down without warning: nothing runs any more, everything is still there. */
  stopEverything(): void {
    for (const object of this.#objects.values()) object.exit(255);
  }

  /** A second container under a name is impossible, so names identify; containers only, in order of creation. */
  runningNames(): readonly string[] {
    return [...this.#objects.values()].filter((object) => object.running).map((object) => object.name);
  }

  spec(nameOrId: string): SandboxSpec | ContainerSpec {
    return this.#need(nameOrId).spec.spec;
  }

  // ── The Runtime interface ──

  async version(): Promise<RuntimeVersion> {
    return await this.#gate.call("version", "", () => ({ engine: "fake", version: "0", apiVersion: "0", os: "linux", arch: "amd64", cgroupDriver: "cgroupfs", cgroupVersion: "2", rootDir: "/var/lib/fake" }));
  }

  async imageStatus(reference: string): Promise<ImageInfo | undefined> {
    return await this.#gate.call("imageStatus", reference, () => this.#image(reference));
  }

  async pullImage(reference: string, options: { readonly onProgress?: (line: string) => void; readonly signal?: AbortSignal }): Promise<ImageInfo> {
    return await this.#gate.call("pullImage", reference, async () => {
      const pullable = this.#pullable.get(reference);
      if (pullable === undefined && this.#options.images !== undefined && this.#options.images !== "any") {
        throw new RuntimeError("ImageNotFound", `Cannot pull image "${reference}": the fake registry does not have it`);
      }
      options.onProgress?.(`Pulling ${reference}`);
      if (pullable !== undefined && pullable.delayMs > 0) await this.#clock.sleep(pullable.delayMs, options.signal);
      if (!this.#images.has(reference)) this.addImage(reference);
      return this.#image(reference) ?? imageOf(reference);
    });
  }

  async ensureNetwork(spec: NetworkSpec): Promise<NetworkInfo> {
    return await this.#gate.call("ensureNetwork", spec.name, () => {
      const existing = this.#networks.get(spec.name);
      if (existing !== undefined) return existing.info;
      const subnet = spec.subnet ?? `10.99.${this.#networks.size}.0/24`;
      const info: NetworkInfo = { name: spec.name, subnet, gateway: subnet.replace(/\.0\/\d+$/, ".1") };
      this.#networks.set(spec.name, { spec, info });
      return info;
    });
  }

  async removeNetwork(name: string): Promise<void> {
    await this.#gate.call("removeNetwork", name, () => {
      const user = [...this.#objects.values()].find(({ running, spec }) => running && spec.kind === "sandbox" && spec.spec.network.kind === "bridge" && spec.spec.network.name === name);
      if (user !== undefined) throw new RuntimeError("InvalidState", `Cannot remove network "${name}": "${user.name}" is still connected to it`);
      this.#networks.delete(name);
    });
  }

  async ensureVolume(spec: VolumeSpec): Promise<void> {
    await this.#gate.call("ensureVolume", spec.name, () => {
      if (!this.#volumes.has(spec.name)) this.#volumes.set(spec.name, spec);
    });
  }

  async removeVolume(name: string): Promise<void> {
    await this.#gate.call("removeVolume", name, () => {
      const user = [...this.#objects.values()].find(({ spec }) => spec.spec.mounts.some((mount) => mount.kind === "volume" && mount.name === name));
      if (user !== undefined) throw new RuntimeError("InvalidState", `Cannot remove volume "${name}": "${user.name}" still uses it`);
      this.#volumes.delete(name);
    });
  }

  async listVolumes(labels: Labels): Promise<readonly { readonly name: string; readonly labels: Labels }[]> {
    return await this.#gate.call("listVolumes", "", () => named([...this.#volumes.values()], labels));
  }

  async listNetworks(labels: Labels): Promise<readonly { readonly name: string; readonly labels: Labels }[]> {
    return await this.#gate.call("listNetworks", "", () => named([...this.#networks.values()].map(({ spec }) => spec), labels));
  }

  async createSandbox(spec: SandboxSpec): Promise<string> {
    return await this.#gate.call("createSandbox", spec.name, () => {
      const { network } = spec;
      if (network.kind === "bridge" && !this.#networks.has(network.name)) throw new RuntimeError("NotFound", `Cannot create sandbox "${spec.name}": there is no network "${network.name}"`);
      return this.#create({ kind: "sandbox", spec }, this.#options.sandboxBehaviour?.(spec) ?? {});
    });
  }

  async startSandbox(id: string): Promise<SandboxStatus> {
    return await this.#gate.call("startSandbox", this.#nameOf(id), () => {
      const object = this.#need(id);
      if (object.spec.kind !== "sandbox") throw new RuntimeError("InvalidState", `Cannot start sandbox "${object.name}": it is a container`);
      if (object.state.kind === "exited") throw new RuntimeError("InvalidState", `Cannot start sandbox "${object.name}": it has exited, and its containers would not join its new network namespace`);
      if (!object.running) {
        this.#claimPorts(object.spec.spec);
        const { network } = object.spec.spec;
        this.#startProcess(object);
        object.ip = network.kind === "bridge" ? (network.ipv4Address ?? this.#newAddress(network.name)) : undefined;
      }
      return this.#sandboxStatus(object);
    });
  }

  async createContainer(spec: ContainerSpec): Promise<string> {
    return await this.#gate.call("createContainer", spec.name, () => {
      const missing = spec.mounts.find((mount) => mount.kind === "volume" && !this.#volumes.has(mount.name));
      if (missing !== undefined) throw new RuntimeError("NotFound", `Cannot create container "${spec.name}": its volume for ${missing.target} does not exist`);
      return this.#create({ kind: "container", spec }, this.#options.behaviour?.(spec) ?? {});
    });
  }

  async startContainer(id: string): Promise<void> {
    await this.#gate.call("startContainer", this.#nameOf(id), () => {
      const object = this.#need(id);
      if (object.running) return;
      if (object.spec.kind !== "container") throw new RuntimeError("InvalidState", `Cannot start container "${object.name}": it is a sandbox`);
      if (object.state.kind === "exited") throw new RuntimeError("InvalidState", `Cannot start container "${object.name}": it has exited; create the next attempt`);
      const sandbox = this.#find(object.spec.spec.sandboxId);
      if (sandbox?.running !== true) throw new RuntimeError("InvalidState", `Cannot start container "${object.name}": cannot join network of a non running container: ${object.spec.spec.sandboxId}`);
      this.#startProcess(object);
    });
  }

  async stop(id: string, options: { readonly graceSeconds: number; readonly signal?: AbortSignal }): Promise<void> {
    await this.#gate.call("stop", this.#nameOf(id), async () => {
      const object = this.#find(id);
      if (object?.running !== true) return;
      object.terminate();
      if (!(await object.ended(options.graceSeconds * 1000, options.signal))) object.exit(137);
    }, String(options.graceSeconds));
  }

  async kill(id: string, signalName: string): Promise<void> {
    await this.#gate.call("kill", this.#nameOf(id), () => {
      const object = this.#find(id);
      if (object?.running !== true) return;
      if (signalName === "SIGKILL") object.exit(137);
      else if (signalName === "SIGTERM") object.terminate();
    }, signalName);
  }

  async remove(id: string): Promise<void> {
    await this.#gate.call("remove", this.#nameOf(id), () => {
      const object = this.#find(id);
      if (object !== undefined) this.#destroy(object);
    });
  }

  async sandboxStatus(id: string): Promise<SandboxStatus | undefined> {
    return await this.#gate.call("sandboxStatus", this.#nameOf(id), () => {
      const object = this.#find(id);
      return object === undefined ? undefined : this.#sandboxStatus(object);
    });
  }

  async containerStatus(id: string): Promise<ContainerStatus | undefined> {
    return await this.#gate.call("containerStatus", this.#nameOf(id), () => {
      const object = this.#find(id);
      if (object === undefined) return undefined;
      const { image } = object.spec.spec;
      return { id: object.id, name: object.name, labels: object.labels, state: object.state, imageId: (this.#image(image) ?? imageOf(image)).id, image, createdAtMs: object.createdAtMs };
    });
  }

  async list(labels: Labels): Promise<readonly RuntimeObject[]> {
    return await this.#gate.call("list", "", () => [...this.#objects.values()].filter((object) => carriesLabels(object.labels, labels))
      .map((object) => ({ id: object.id, name: object.name, labels: object.labels, state: object.state.kind, createdAtMs: object.createdAtMs })));
  }

  async exec(id: string, options: ExecOptions): Promise<ExecSession> {
    return await this.#gate.call("exec", this.#nameOf(id), () => {
      const object = this.#needRunning(id, "exec in");
      const stdout = new PassThrough(), stderr = new PassThrough();
      const exitCode = this.#runExec(object, options.command, options.signal).then((answer) => {
        stdout.end(answer?.stdout ?? "");
        stderr.end(options.tty ? "" : (answer?.stderr ?? ""));
        return answer?.exitCode ?? 137;
      });
      const stdin = options.stdin ? new Writable({ write: (_chunk, _encoding, done) => done() }) : undefined;
      return { stdin, stdout, stderr, resize: async () => {}, exitCode };
    }, options.command.join(" "));
  }

  async execSync(id: string, options: { readonly command: readonly string[]; readonly timeoutMs: number; readonly outputBytesMax: number }): Promise<ExecResult> {
    return await this.#gate.call("execSync", this.#nameOf(id), async () => {
      const object = this.#needRunning(id, "exec in");
      const timer = new AbortController();
      const timeout = this.#clock.sleep(options.timeoutMs, timer.signal).then(() => "timeout" as const, () => "timeout" as const);
      const answer = await Promise.race([this.#runExec(object, options.command, timer.signal), timeout]);
      timer.abort();
      if (answer === "timeout") return { kind: "timeout", stdout: "", stderr: "" };
      if (answer === undefined) return { kind: "exited", exitCode: 137, stdout: "", stderr: "" };
      return { kind: "exited", exitCode: answer.exitCode, stdout: (answer.stdout ?? "").slice(0, options.outputBytesMax), stderr: (answer.stderr ?? "").slice(0, options.outputBytesMax) };
    }, options.command.join(" "));
  }

  async *logs(id: string, options: LogOptions): AsyncGenerator<LogChunk> {
    const object = await this.#gate.call("logs", this.#nameOf(id), () => this.#need(id));
    yield* object.logs(options);
  }

  async *events(options: { readonly labels: Labels; readonly sinceMs?: number; readonly signal: AbortSignal }): AsyncGenerator<RuntimeEvent> {
    await this.#gate.call("events", "", () => {});
    yield* this.#events.subscribe(options.labels, options.sinceMs, options.signal);
  }

  async stats(id: string): Promise<{ readonly cpuNanosecondsTotal: number; readonly memoryBytes: number } | undefined> {
    return await this.#gate.call("stats", this.#nameOf(id), () => (this.#find(id)?.running === true ? { cpuNanosecondsTotal: 1_000_000, memoryBytes: 1_048_576 } : undefined));
  }

  async close(): Promise<void> {}

  // ── Inside ──

  #find(nameOrId: string): FakeObject | undefined {
    return this.#objects.get(nameOrId) ?? [...this.#objects.values()].find((object) => object.name === nameOrId);
  }

  #need(nameOrId: string): FakeObject {
    const object = this.#find(nameOrId);
    if (object === undefined) throw new RuntimeError("NotFound", `No such container: ${nameOrId}`);
    return object;
  }

  #needRunning(id: string, doing: string): FakeObject {
    const object = this.#need(id);
    if (!object.running) throw new RuntimeError("InvalidState", `Cannot ${doing} container "${object.name}": it is not running`);
    return object;
  }

  #nameOf(id: string): string {
    return this.#find(id)?.name ?? id;
  }

  #image(reference: string): ImageInfo | undefined {
    const known = this.#images.get(reference) ?? [...this.#images.values()].find((image) => image.id === reference);
    if (known !== undefined) return known;
    return this.#options.images === undefined || this.#options.images === "any" ? imageOf(reference) : undefined;
  }

  #create(spec: FakeObject["spec"], behaviour: FakeBehaviour): string {
    const { name, image } = spec.spec;
    const existing = [...this.#objects.values()].find((object) => object.name === name);
    if (existing !== undefined) return existing.id;
    if (this.#image(image) === undefined) throw new RuntimeError("ImageNotFound", `Cannot create container "${name}": no such image: ${image}`);
    const id = (this.#sequence += 1).toString(16).padStart(64, "0");
    const object = new FakeObject({ id, clock: this.#clock, spec, behaviour, onExit: (ended) => this.#afterExit(ended) });
    this.#objects.set(id, object);
    this.#emit(object, "create");
    return id;
  }

  #startProcess(object: FakeObject): void {
    const { startError } = object.behaviour;
    if (startError !== undefined) throw new RuntimeError("StartFailed", `Cannot start container "${object.name}": ${startError}`);
    object.start(1000 + (this.#sequence += 1));
    this.#emit(object, "start");
  }

  /** Containers that share the sandbox's PID namespace die with its init process, as the kernel has it. */
  #afterExit(ended: FakeObject): void {
    if (ended.state.kind === "exited" && ended.state.oomKilled) this.#emit(ended, "oom");
    this.#emit(ended, "die");
    if (ended.spec.kind !== "sandbox") return;
    for (const object of this.#objects.values()) {
      if (object.spec.kind === "container" && object.spec.spec.pidNamespace === "sandbox" && object.spec.spec.sandboxId === ended.id) object.exit(137);
    }
  }

  #destroy(object: FakeObject): void {
    object.exit(137);
    this.#objects.delete(object.id);
    this.#emit(object, "destroy");
  }

  #claimPorts(spec: SandboxSpec): void {
    const taken = new Set([...this.#objects.values()].flatMap((other) => (other.running && other.spec.kind === "sandbox" ? other.spec.spec.ports.map(portKey) : [])));
    const clash = spec.ports.find((port) => taken.has(portKey(port)));
    if (clash !== undefined) {
      throw new RuntimeError("PortInUse", `Cannot start sandbox "${spec.name}": port ${clash.hostPort}/${clash.protocol} is already allocated`, { remedy: `End what listens on port ${clash.hostPort}, or choose another hostPort.` });
    }
  }

  #newAddress(network: string): string {
    const gateway = this.#networks.get(network)?.info.gateway ?? "10.99.0.1";
    const host = this.#nextAddress;
    this.#nextAddress = host >= 250 ? 20 : host + 1;
    return gateway.replace(/\d+$/, String(host));
  }

  #sandboxStatus(object: FakeObject): SandboxStatus {
    return { id: object.id, name: object.name, labels: object.labels, state: object.state, ip: object.ip, createdAtMs: object.createdAtMs };
  }

  /** Undefined when the container ended before the answer was due. */
  async #runExec(object: FakeObject, command: readonly string[], signal: AbortSignal | undefined): Promise<FakeExecAnswer | undefined> {
    const answer = object.behaviour.exec?.(command) ?? { exitCode: 0 };
    if ((answer.afterMs ?? 0) === 0) return answer;
    const cutShort = await object.ended(answer.afterMs === "never" ? "ever" : (answer.afterMs ?? 0), signal).catch(() => true);
    return cutShort ? undefined : answer;
  }

  #emit(object: FakeObject, action: RuntimeEvent["action"]): void {
    this.#events.emit({ id: object.id, labels: object.labels, action, atMs: this.#clock.nowMs() });
  }
}

const portKey = (port: PortBinding): string => `${port.protocol}/${port.hostPort}`;

function named(things: readonly { readonly name: string; readonly labels: Labels }[], wanted: Labels): readonly { readonly name: string; readonly labels: Labels }[] {
  return things.filter((thing) => carriesLabels(thing.labels, wanted)).map(({ name, labels }) => ({ name, labels }));
}
