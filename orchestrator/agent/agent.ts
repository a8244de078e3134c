import { readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { Backoff } from "../../kit/backoff.ts";
import type { Clock, Random } from "../../kit/clock.ts";
import { KeyedQueue } from "../../kit/keyed-queue.ts";
import type { Log } from "../../kit/log.ts";
import type { MetricRegistry } from "../../kit/metrics.ts";
import { supervise } from "../../kit/supervise.ts";
import type { ApiClient } from "../api/client.ts";
import { createRecorder } from "../api/event-recorder.ts";
import { startInformer } from "../api/informer.ts";
import type { NodeStreams } from "../api/node-streams.ts";
import { configMaps, pods, secrets } from "../api/types/kinds.ts";
import { label, type Runtime, type RuntimeVersion } from "../runtime/runtime.ts";
import { FirstSync } from "./first-sync.ts";
import { ImagePuller } from "./image-puller.ts";
import { Limiter } from "./limiter.ts";
import { readHostFacts, reportNode, type HostFacts } from "./node-object.ts";
import { podsDirectory } from "./pod-paths.ts";
import { PodTable } from "./pod-table.ts";
import type { AgentContext } from "./pod-worker/context.ts";
import { errorWords } from "./pod-worker/failures.ts";
import { removePodRemains } from "./pod-worker/tear-down.ts";
import { PodWorker } from "./pod-worker/worker.ts";
import { createStreams } from "./streams.ts";

export type AgentOptions = {
  readonly nodeName: string;
  readonly clusterName: string;
  readonly client: ApiClient;
  readonly runtime: Runtime;
  readonly stateDirectory: string;
  readonly pauseImage: string;
  readonly network: { readonly name: string; readonly dnsServer: string | undefined; readonly domain: string };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  /** Ends the agent; Pods stay as they are. */
  readonly signal: AbortSignal;
};
export type Agent = {
  readonly streams: NodeStreams;
  /** Resolves when every Pod that was bound to the node at the start has been looked at once and its status is in the API; maybe never. */
  readonly firstSync: Promise<void>;
  /** Resolves when the agent has ended after the signal. */
  readonly done: Promise<void>;
};

const retry: Backoff = { initialMs: 200, maxMs: 10_000, factor: 2, jitter: 0.5 };
const relistMs = 1000;
const heartbeatMs = 10_000;
const volumeCheckMs = 10_000;
/** Pods looked at in the same moment; the heavy engine calls have their own limit. */
const reconcilersMax = 8;
const startsPerCore = 2;
/** However early a Pod asks to be looked at again. */
const wakeMsMin = 10;

/**
 * The node agent: keeps the Pods bound to this node as the API wants them. The engine's labels and the small facts files are all it
 * needs to go on after SIGKILL; nothing else is kept. Engine events only wake it; a list once a second is what it believes.
 */
export function startAgent(options: AgentOptions): Agent {
  const agent = new NodeAgent(options);
  return { streams: agent.streams, firstSync: agent.firstSync.done, done: agent.run() };
}

class NodeAgent {
  readonly streams: NodeStreams;
  readonly firstSync: FirstSync;
  readonly #options: AgentOptions;
  readonly #host: HostFacts;
  readonly #queue: KeyedQueue;
  readonly #table = new PodTable();
  readonly #workers = new Map<string, PodWorker>();
  #version: RuntimeVersion | undefined;
  #runtimeProblem: string | undefined = "container runtime has not answered yet";

  constructor(options: AgentOptions) {
    this.#options = options;
    this.firstSync = new FirstSync(options.client);
    this.#host = readHostFacts();
    this.#queue = new KeyedQueue({ clock: options.clock, backoff: retry, random: options.random });
    this.streams = createStreams({
      cluster: options.clusterName, client: options.client, runtime: options.runtime, clock: options.clock,
      waitingReason: (uid, container) => this.#workers.get(uid)?.describeWaiting(container),
    });
    options.metrics.gauge({ name: "podkit_agent_pods", help: "Pods of this node that the agent knows." }).collect(() => [{ value: this.#table.size }]);
  }

  async run(): Promise<void> {
    const { signal, clock } = this.#options;
    const heartbeat = this.#loop("heartbeat", heartbeatMs, async () => await this.#heartbeat());
    try {
      const version = await this.#awaitRuntime();
      const context = this.#context(version);
      const known = await Promise.race([Promise.all([this.#followPods(), this.#followReferences()]), aborted(signal)]);
      if (!signal.aborted) await this.#queueRemains();
      this.firstSync.begin(known?.[0] ?? []);
      const reconcilers = Array.from({ length: reconcilersMax }, async () => await this.#reconcileLoop(context));
      await Promise.all([
        ...reconcilers, this.#loop("relist", relistMs, async () => await this.#relist()), this.#followEvents(),
        this.#loop("volume-sizes", volumeCheckMs, async () => { for (const worker of this.#workers.values()) await worker.checkVolumeSizes(); }),
      ]);
      await context.recorder.flush();
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#queue.close();
      await Promise.all([...this.#workers.values()].map(async (worker) => await worker.close()));
      await heartbeat;
      this.#options.log.info({ atMs: clock.nowMs() }, "The node agent has ended; Pods go on");
    }
  }

  #context(version: RuntimeVersion): AgentContext {
    const { clusterName, runtime, clock, random, log, network } = this.#options;
    const { client } = this.firstSync;
    const { memoryBytes, mayLowerOomScore, cpus } = this.#host;
    return {
      cluster: clusterName, nodeName: this.#options.nodeName, hostIp: this.#host.ip, client, runtime, clock, random, log,
      node: { memoryBytes, mayLowerOomScore, allocatable: { cpu: String(cpus), memory: String(memoryBytes) } },
      recorder: createRecorder({ client, component: "kubelet", host: this.#options.nodeName, clock, random, onError: (error) => log.warn({ err: error }, "An event could not be written") }),
      images: new ImagePuller({ runtime, clock }),
      limiter: new Limiter(startsPerCore * availableParallelism()),
      stateDirectory: this.#options.stateDirectory, pauseImage: this.#options.pauseImage, networkName: network.name,
      dns: { server: network.dnsServer, domain: network.domain },
      podCgroups: version.cgroupDriver === "cgroupfs",
      wake: (uid) => this.#queue.add(uid),
    };
  }

  async #awaitRuntime(): Promise<RuntimeVersion> {
    const { runtime, clock, log, signal } = this.#options;
    for (;;) {
      try {
        this.#version = await runtime.version(signal);
        this.#runtimeProblem = undefined;
        await this.#heartbeat();
        return this.#version;
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ err: error }, "Waiting for the container engine and the API");
        await clock.sleep(relistMs, signal);
      }
    }
  }

  async #heartbeat(): Promise<void> {
    const { client, clock, nodeName } = this.#options;
    await reportNode({ client, clock, name: nodeName, host: this.#host, version: this.#version, problem: this.#runtimeProblem });
  }

  /** Resolves with the uids of the Pods of the first list. */
  async #followPods(): Promise<readonly string[]> {
    const { client, clock, signal, nodeName, random, log } = this.#options;
    const informer = startInformer({
      client, kind: pods, fieldSelector: `spec.nodeName=${nodeName}`, signal, clock, random,
      onChange: (key, pod) => { for (const uid of this.#table.set(key, pod)) this.#queue.add(uid); },
      onError: (error) => log.warn({ err: error }, "Cannot follow Pods: will try again"),
    });
    await informer.synced;
    return informer.list().flatMap((pod) => pod.metadata.uid ?? []);
  }

  /** ConfigMaps and Secrets wake the Pods that use them; their content is read from the API when needed. */
  async #followReferences(): Promise<void> {
    const { client, clock, signal, random, log } = this.#options;
    const shared = { client, clock, signal, random, onError: (error: unknown) => log.warn({ err: error }, "Cannot follow ConfigMaps and Secrets: will try again") };
    await Promise.all([
      startInformer({ ...shared, kind: configMaps, onChange: (key) => this.#referenceChanged("configMaps", key) }).synced,
      startInformer({ ...shared, kind: secrets, onChange: (key) => this.#referenceChanged("secrets", key) }).synced,
    ]);
  }

  #referenceChanged(kind: "configMaps" | "secrets", key: string): void {
    const [namespace, name = ""] = key.split("/");
    for (const worker of this.#workers.values()) if ((worker.pod.metadata.namespace ?? "default") === namespace) worker.referenceChanged(kind, name);
  }

  async #reconcileLoop(context: AgentContext): Promise<void> {
    const { signal, log } = this.#options;
    for (;;) {
      const uid = await this.#queue.take(signal).catch(() => undefined); // aborted
      if (uid === undefined) return;
      try {
        await this.#reconcile(context, uid);
        this.#queue.forget(uid);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error, uid }, "Cannot look after a Pod now: will try again");
        this.#queue.addRateLimited(uid);
      } finally {
        this.#queue.done(uid);
      }
    }
  }

  async #reconcile(context: AgentContext, uid: string): Promise<void> {
    const pod = this.#table.get(uid);
    let worker = this.#workers.get(uid);
    if (pod === undefined) {
      if (worker === undefined) await removePodRemains(context, uid);
      else await worker.removeOrphan();
      this.#workers.delete(uid);
      this.firstSync.gone(uid);
      return;
    }
    if (worker === undefined) {
      worker = new PodWorker(context, pod);
      this.#workers.set(uid, worker);
    }
    const wakeAtMs = await worker.reconcile(pod);
    await this.firstSync.seen(uid);
    if (wakeAtMs !== undefined) this.#queue.addAfter(uid, Math.max(wakeMsMin, wakeAtMs - this.#options.clock.nowMs()));
  }

  /** Finds what changed in the engine without an event reaching us, and what belongs to no Pod any more. */
  async #relist(): Promise<void> {
    try {
      const objects = await this.#options.runtime.list({ [label.cluster]: this.#options.clusterName });
      this.#runtimeProblem = undefined;
      for (const uid of this.#table.changedObjects(objects)) this.#queue.add(uid);
    } catch (error) {
      this.#runtimeProblem = `container runtime is down: ${errorWords(error)}`;
      throw error;
    }
  }

  /** Folders of Pods that were removed from the API while no agent ran. */
  async #queueRemains(): Promise<void> {
    const folders = await readdir(podsDirectory(this.#options.stateDirectory)).catch(() => []); // no Pod has ever run here
    for (const uid of folders) this.#queue.add(uid);
  }

  async #followEvents(): Promise<void> {
    const { runtime, clusterName, clock, random, signal, log } = this.#options;
    await supervise({
      name: "runtime-events", backoff: retry, clock, random, signal,
      run: async (signal) => {
        for await (const event of runtime.events({ labels: { [label.cluster]: clusterName }, signal })) {
          const uid = event.labels[label.podUid];
          if (uid !== undefined && event.action !== "other") this.#queue.add(uid);
        }
      },
      onFailure: (error) => log.debug({ err: error }, "The engine's event stream ended: the list goes on"),
    });
  }

  /** Repeats the work until the agent ends; a failure is reported and waits for the next round. */
  async #loop(name: string, periodMs: number, work: () => Promise<void>): Promise<void> {
    const { clock, signal, log } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(periodMs, signal).catch(() => undefined); // aborted: the loop's condition ends it
      if (signal.aborted) return;
      await work().catch((error: unknown) => {
        if (!signal.aborted) log.warn({ err: error, loop: name }, "A periodic task failed: will try again");
      });
    }
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
