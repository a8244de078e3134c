import { isDeepStrictEqual } from "node:util";
import type { Log } from "../../../kit/log.ts";
import { label } from "../../runtime/runtime.ts";
import { pods } from "../../api/types/kinds.ts";
import type { Pod, PodStatus } from "../../api/types/pod.ts";
import { toBytes } from "../../api/types/quantity.ts";
import { operationKey, type Action, type Decision } from "../pod-lifecycle/actions.ts";
import { decide } from "../pod-lifecycle/decide.ts";
import type { ContainerFacts, PodFacts } from "../pod-lifecycle/facts.ts";
import type { Observed, Problem, VolumesState } from "../pod-lifecycle/observed.ts";
import { sandboxProblemKey } from "../pod-lifecycle/view.ts";
import { podPaths, type PodPaths } from "../pod-paths.ts";
import { runProbe } from "../probes/handlers.ts";
import { Prober, type ProbeSubject } from "../probes/prober.ts";
import { references } from "../env/environment.ts";
import { MountError, type MountedVolumes } from "../volumes/mount-volumes.ts";
import { diskUsageBytes } from "../volumes/usage.ts";
import { createContainer, runPostStart, startContainer, stopContainer } from "./container-operations.ts";
import type { AgentContext } from "./context.ts";
import { FactsFile } from "./facts-file.ts";
import { containerProblem, errorWords, isStale, retryDelayMs } from "./failures.ts";
import { Observer, type Snapshot } from "./observe.ts";
import { createSandbox, mountPodVolumes, startSandbox } from "./sandbox-operations.ts";
import { containerOf, type PodScope } from "./scope.ts";
import { StatusWriter } from "./status-writer.ts";
import { removePodRemains } from "./tear-down.ts";

type Operation = { readonly action: Action; readonly cancel: AbortController; readonly deadlineMs: number; ended: Promise<void> };

/** Longer than an engine under load takes for a create or a start. */
const closeMsMax = 10_000;
/** More different events than a Pod ever has; beyond this the oldest may be told twice. */
const onceKeysMax = 500;
/** A stop in flight is replaced by a shorter one only when it gains at least this much. */
const shortenedByMsMin = 1000;

/**
 * Runs one Pod: looks, decides, starts the steps, reports. `reconcile` is called by one caller at a time; steps run on their own and wake
 * the worker when they end. Everything here but the facts may be lost: a new worker on the same Pod comes to the same decisions.
 */
export class PodWorker implements PodScope {
  readonly agent: AgentContext;
  readonly paths: PodPaths;
  readonly #uid: string;
  readonly #log: Log;
  readonly #observer: Observer;
  readonly #factsFile: FactsFile;
  readonly #prober: Prober;
  readonly #statusWriter: StatusWriter;
  readonly #closed = new AbortController();
  readonly #busy = new Map<string, Operation>();
  readonly #problems = new Map<string, Problem>();
  readonly #failures = new Map<string, number>();
  readonly #cooldowns = new Map<string, number>();
  readonly #told = new Set<string>();
  #pod: Pod;
  #facts: PodFacts | undefined;
  #snapshot: Snapshot = { sandboxes: [], instances: [] };
  #volumes: VolumesState = { kind: "unmounted" };
  #mounted: MountedVolumes = new Map();
  #refreshVolumes = false;
  #eviction: string | undefined;
  #status: PodStatus | undefined;
  /** Counts ended steps, so that a look at the runtime that overlapped one is not believed. */
  #ended = 0;
  #gone = false;

  constructor(agent: AgentContext, pod: Pod) {
    this.agent = agent;
    this.#pod = pod;
    this.#uid = pod.metadata.uid ?? "";
    this.paths = podPaths(agent.stateDirectory, this.#uid);
    this.#log = agent.log.child({ pod: `${pod.metadata.namespace ?? "default"}/${pod.metadata.name}`, uid: this.#uid });
    this.#observer = new Observer({ runtime: agent.runtime, labels: { [label.cluster]: agent.cluster, [label.podUid]: this.#uid }, paths: this.paths });
    this.#factsFile = new FactsFile(this.paths.facts);
    this.#statusWriter = new StatusWriter({ client: agent.client, clock: agent.clock, random: agent.random, log: this.#log, signal: this.#closed.signal });
    this.#prober = new Prober({
      clock: agent.clock, random: agent.random,
      run: async (probe, subject) => await runProbe(probe, { runtime: agent.runtime, container: subject.container, containerId: subject.containerId, podIp: this.podIp ?? "127.0.0.1" }, (probe.timeoutSeconds ?? 1) * 1000),
      onResult: () => this.#wake(),
      onUnhealthy: (subject, message) => this.event("Warning", "Unhealthy", message, subject.container.name),
    });
  }

  get pod(): Pod {
    return this.#pod;
  }

  get podIp(): string | undefined {
    return this.#snapshot.sandboxes.findLast((sandbox) => sandbox.state === "running")?.ip ?? (this.#pod.spec.hostNetwork === true ? this.agent.hostIp : undefined);
  }

  get volumes(): MountedVolumes {
    return this.#mounted;
  }

  /** Nothing of the Pod is left, here or in the API. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Brings the Pod a step on. The answer is the time to come back even when nothing wakes the worker. */
  async reconcile(pod: Pod): Promise<number | undefined> {
    if (this.#gone || this.#closed.signal.aborted) return undefined;
    if (hasDownwardVolume(pod) && !isDeepStrictEqual([pod.metadata.labels, pod.metadata.annotations], [this.#pod.metadata.labels, this.#pod.metadata.annotations])) this.#refreshVolumes = true;
    this.#pod = pod;
    this.#facts ??= await this.#factsFile.read();
    this.#snapshot = await this.#look();
    const decision = this.#decide(this.#facts);
    if (!isDeepStrictEqual(decision.facts, this.#facts)) {
      this.#facts = decision.facts;
      await this.#factsFile.write(decision.facts);
    }
    for (const event of decision.events) this.#tellOnce(event.onceKey, event.type, event.reason, event.message);
    this.#cancelObsolete(decision);
    for (const action of decision.actions) this.#start(action);
    if (this.#refreshVolumes && this.#volumes.kind === "mounted" && !decision.stopping) this.#start({ kind: "mountVolumes" });
    this.#report(decision);
    return this.#wakeAt(decision);
  }

  /** A look during which no step ended: an older one could ask for the same step again. */
  async #look(): Promise<Snapshot> {
    for (;;) {
      const before = this.#ended;
      const snapshot = await this.#observer.observe(this.#pod);
      if (before === this.#ended) return snapshot;
    }
  }

  #decide(facts: PodFacts): Decision {
    const observed: Observed = {
      sandboxes: this.#snapshot.sandboxes.map((sandbox) => (this.#pod.spec.hostNetwork === true ? { ...sandbox, ip: this.agent.hostIp } : sandbox)),
      instances: this.#snapshot.instances, facts, probes: this.#prober.results, problems: this.#problems, busy: new Set(this.#busy.keys()), volumes: this.#volumes, eviction: this.#eviction,
    };
    return decide(this.#status === undefined ? this.#pod : { ...this.#pod, status: this.#status }, observed, this.agent.clock.nowMs());
  }

  #report(decision: Decision): void {
    const status: PodStatus = { ...decision.status, hostIP: this.agent.hostIp, hostIPs: [{ ip: this.agent.hostIp }] };
    this.#status = status;
    this.#statusWriter.push(this.#pod, status);
    const statuses = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
    const subjects = statuses.flatMap((container): readonly ProbeSubject[] => {
      const instance = this.#snapshot.instances.find((candidate) => container.containerID === `docker://${candidate.id}`);
      if (container.state?.running === undefined || instance?.state.kind !== "running") return [];
      return [{ containerId: instance.id, container: containerOf(this.#pod, container.name), startedAtMs: instance.state.startedAtMs, startupPassed: container.started === true }];
    });
    this.#prober.follow(decision.stopping ? [] : subjects);
  }

  #wakeAt(decision: Decision): number | undefined {
    const nowMs = this.agent.clock.nowMs();
    for (const [key, untilMs] of this.#cooldowns) if (untilMs <= nowMs) this.#cooldowns.delete(key);
    const times = [...this.#cooldowns.values(), ...(decision.wakeAtMs === undefined ? [] : [decision.wakeAtMs])];
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Starts of a stopping Pod, stops of containers that have ended meanwhile, and stops that now have less time. */
  #cancelObsolete(decision: Decision): void {
    for (const { action, cancel, deadlineMs } of this.#busy.values()) {
      if (action.kind === "stopContainer") {
        const running = this.#snapshot.instances.some((instance) => instance.id === action.id && instance.state.kind === "running");
        const podDeadlineMs = decision.facts.stop?.deadlineMs ?? Number.POSITIVE_INFINITY;
        if (!running || (decision.stopping && podDeadlineMs < deadlineMs - shortenedByMsMin && this.agent.clock.nowMs() < deadlineMs)) cancel.abort();
      } else if (decision.stopping && (action.kind === "createContainer" || action.kind === "postStart" || action.kind === "mountVolumes")) cancel.abort();
      else if (action.kind === "postStart" && !this.#snapshot.instances.some((instance) => instance.id === action.id && instance.state.kind === "running")) cancel.abort();
    }
  }

  #start(action: Action): void {
    const key = operationKey(action);
    const nowMs = this.agent.clock.nowMs();
    if (this.#busy.has(key) || nowMs < (this.#cooldowns.get(key) ?? 0)) return;
    this.#cooldowns.delete(key);
    const cancel = new AbortController();
    const deadlineMs = action.kind === "stopContainer" ? nowMs + action.graceSeconds * 1000 : Number.POSITIVE_INFINITY;
    const operation: Operation = { action, cancel, deadlineMs, ended: Promise.resolve() };
    this.#busy.set(key, operation);
    operation.ended = this.#perform(action, cancel.signal).then(
      () => this.#succeeded(action, key),
      (error: unknown) => this.#failed(action, key, error, cancel.signal),
    ).finally(() => {
      this.#busy.delete(key);
      this.#ended += 1;
      this.#wake();
    });
  }

  /** Resolves also when the signal ends the wait early: what the engine still does for us is then seen at the next look. */
  async #perform(action: Action, signal: AbortSignal): Promise<void> {
    const { runtime } = this.agent;
    switch (action.kind) {
      case "mountVolumes": return await this.#mount();
      case "createSandbox": return await createSandbox(this, action.attempt);
      case "startSandbox": return await startSandbox(this, action.id);
      case "stopSandbox": return await runtime.stop(action.id, { graceSeconds: 2 });
      case "removeSandbox":
      case "removeContainer": return await runtime.remove(action.id);
      case "createContainer": return await createContainer(this, action, signal);
      case "startContainer": return await startContainer(this, action);
      case "postStart": return await orAborted(runPostStart(this, action, signal), signal);
      case "stopContainer": return await orAborted(stopContainer(this, action, signal), signal);
      case "tearDown": return await this.#tearDown();
      default: return action satisfies never;
    }
  }

  #succeeded(action: Action, key: string): void {
    this.#failures.delete(key);
    if (action.kind === "createContainer" || action.kind === "startContainer") this.#problems.delete(action.container);
    if (action.kind === "startSandbox") this.#problems.delete(sandboxProblemKey);
  }

  #failed(action: Action, key: string, error: unknown, signal: AbortSignal): void {
    if (signal.aborted || this.#closed.signal.aborted) return;
    const count = this.#failures.get(key) ?? 0;
    this.#failures.set(key, count + 1);
    const nowMs = this.agent.clock.nowMs();
    const retryAtMs = nowMs + retryDelayMs(count);
    this.#log.warn({ err: error, step: action.kind, count }, "A step failed and will be tried again");
    switch (action.kind) {
      case "mountVolumes": return this.#mountFailed(error, retryAtMs);
      case "createSandbox":
      case "startSandbox":
        this.#problems.set(sandboxProblemKey, { reason: "FailedCreatePodSandBox", message: errorWords(error), retryAtMs });
        return this.event("Warning", "FailedCreatePodSandBox", `Failed to create pod sandbox: ${errorWords(error)}`);
      case "createContainer":
      case "startContainer": {
        if (isStale(error) && count === 0) return;
        const problem = containerProblem(action.kind, error, count, nowMs);
        this.#problems.set(action.container, problem);
        if (problem.reason.startsWith("Create") || problem.reason.startsWith("Run")) this.event("Warning", "Failed", `Error: ${problem.message}`, action.container);
        return;
      }
      default:
        this.#cooldowns.set(key, retryAtMs);
    }
  }

  async #mount(): Promise<void> {
    this.#refreshVolumes = false;
    this.#mounted = await mountPodVolumes(this);
    this.#volumes = { kind: "mounted" };
  }

  /** A refresh that fails leaves the old content in place, as the kubelet does. */
  #mountFailed(error: unknown, retryAtMs: number): void {
    const message = error instanceof MountError ? error.message : `MountVolume.SetUp failed: ${errorWords(error)}`;
    this.event("Warning", "FailedMount", message);
    if (this.#volumes.kind === "mounted") {
      this.#refreshVolumes = true;
      this.#cooldowns.set("volumes", retryAtMs);
    } else this.#volumes = { kind: "failed", message, retryAtMs };
  }

  async #tearDown(): Promise<void> {
    const { name, namespace } = this.#pod.metadata;
    await this.#statusWriter.flush();
    this.#prober.stop();
    await removePodRemains(this.agent, this.#uid);
    const key = { name, ...(namespace === undefined ? {} : { namespace }) };
    await this.agent.client.delete(pods, key, { gracePeriodSeconds: 0, preconditions: { uid: this.#uid } });
    this.#gone = true;
  }

  /** The Pod is no longer in the API: everything is removed, containers get the little time that a forced deletion leaves them. */
  async removeOrphan(): Promise<void> {
    if (this.#gone) return;
    await this.close();
    await removePodRemains(this.agent, this.#uid);
    this.#gone = true;
  }

  /**
   * Ends the worker without touching the Pod. What waits (pulls, hooks, graces) is given up; what the engine is just making is waited for, so
   * that nothing appears after the end, but no longer than `closeMsMax`.
   */
  async close(): Promise<void> {
    this.#closed.abort();
    this.#prober.stop();
    for (const { cancel } of this.#busy.values()) cancel.abort();
    const limit = new AbortController();
    const late = this.agent.clock.sleep(closeMsMax, limit.signal).catch(() => undefined); // all steps have ended before
    await Promise.race([Promise.all([...this.#busy.values()].map(async (operation) => await operation.ended)), late]);
    limit.abort();
    await this.#statusWriter.flush();
  }

  /** A ConfigMap or Secret has changed: volumes follow, and what failed for want of it is tried at once. */
  referenceChanged(kind: "configMaps" | "secrets", name: string): void {
    if (!references(this.#pod)[kind].has(name)) return;
    this.#refreshVolumes = true;
    if (this.#volumes.kind === "failed") this.#volumes = { kind: "unmounted" };
    for (const [container, problem] of this.#problems) if (problem.reason === "CreateContainerConfigError") this.#problems.delete(container);
    this.#cooldowns.delete("volumes");
    this.#wake();
  }

  /** Measures the emptyDir volumes on disk that have a size limit; one above it evicts the Pod. */
  async checkVolumeSizes(): Promise<void> {
    for (const { name, emptyDir } of this.#pod.spec.volumes ?? []) {
      if (emptyDir?.sizeLimit === undefined || emptyDir.medium === "Memory" || this.#eviction !== undefined) continue;
      if ((await diskUsageBytes(this.paths.volume(name))) <= toBytes(emptyDir.sizeLimit)) continue;
      this.#eviction = `Usage of EmptyDir volume "${name}" exceeds the limit "${emptyDir.sizeLimit}". `;
      this.event("Warning", "Evicted", this.#eviction);
      this.#wake();
    }
  }

  event(type: "Normal" | "Warning", reason: string, message: string, container?: string): void {
    if (this.#closed.signal.aborted) return;
    const field = container === undefined ? undefined : (this.#pod.spec.initContainers ?? []).some((init) => init.name === container) ? `spec.initContainers{${container}}` : `spec.containers{${container}}`;
    this.agent.recorder.event(this.#pod, type, reason, message, field === undefined ? {} : { fieldPath: field });
  }

  async noteFact(container: string, containerId: string, facts: Pick<ContainerFacts, "postStart" | "preStop" | "startFailure">): Promise<void> {
    const attempt = this.#snapshot.instances.find((instance) => instance.id === containerId)?.attempt;
    const known = this.#facts?.containers[container];
    if (this.#facts === undefined || attempt === undefined || (known !== undefined && known.attempt !== attempt) || this.#closed.signal.aborted) return;
    this.#facts = { ...this.#facts, containers: { ...this.#facts.containers, [container]: { attempt, seen: true, ...known, ...facts } } };
    await this.#factsFile.write(this.#facts);
  }

  /** What a person asks of a waiting container. */
  describeWaiting(container: string): string | undefined {
    const status = [...(this.#status?.initContainerStatuses ?? []), ...(this.#status?.containerStatuses ?? [])].find((candidate) => candidate.name === container);
    return status?.state?.waiting?.reason;
  }

  #tellOnce(key: string, type: "Normal" | "Warning", reason: string, message: string): void {
    if (this.#told.has(key)) return;
    if (this.#told.size >= onceKeysMax) this.#told.clear();
    this.#told.add(key);
    this.event(type, reason, message);
  }

  #wake(): void {
    if (!this.#closed.signal.aborted) this.agent.wake(this.#uid);
  }
}

/** The work's outcome, or at once nothing when the signal aborts; late failures of given-up work are of no interest. */
async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await Promise.race([work.catch((error: unknown) => {
    if (!signal.aborted) throw error;
  }), aborted]);
}

function hasDownwardVolume(pod: Pod): boolean {
  return (pod.spec.volumes ?? []).some((volume) => volume.downwardAPI !== undefined || (volume.projected?.sources ?? []).some((source) => source.downwardAPI !== undefined));
}
