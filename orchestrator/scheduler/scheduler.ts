import type { Backoff } from "../../kit/backoff.ts";
import type { Clock, Random } from "../../kit/clock.ts";
import { KeyedQueue } from "../../kit/keyed-queue.ts";
import type { Log } from "../../kit/log.ts";
import type { ApiClient } from "../api/client.ts";
import { createRecorder, type EventRecorder } from "../api/event-recorder.ts";
import { type Informer, objectKeyOf, startInformer } from "../api/informer.ts";
import { apiTime } from "../api/types/api-time.ts";
import { nodes, pods } from "../api/types/kinds.ts";
import type { Node } from "../api/types/node.ts";
import type { Pod, PodCondition } from "../api/types/pod.ts";
import { explainRefusal, filterNode, type NodeView } from "./filter.ts";
import { bestNode } from "./score.ts";

export type SchedulerOptions = { readonly client: ApiClient; readonly clock: Clock; readonly random: Random; readonly log: Log; readonly signal: AbortSignal };

const retry: Backoff = { initialMs: 100, maxMs: 10_000, factor: 2, jitter: 0.5 };
/** A Pod that fits nowhere is looked at again when something changes that could help, and after this long in any case. */
const lookAgainMs = 60_000;
/** How long the cache gets to catch up with a change that made a write conflict. */
const staleMs = 50;

/**
 * Binds Pods that have no node, until the signal is aborted. Several schedulers may run: the API lets only one bind a Pod, the others
 * see the conflict and forget it.
 */
export async function runScheduler(options: SchedulerOptions): Promise<void> {
  await new Scheduler(options).run();
}

class Scheduler {
  readonly #options: SchedulerOptions;
  /** Ends the informers when the scheduler fails, so that a new one does not find the old ones running. */
  readonly #over = new AbortController();
  readonly #queue: KeyedQueue;
  readonly #recorder: EventRecorder;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  /** Pods bound by us that the cache does not show as bound yet, with their node: they take room already. */
  readonly #assumed = new Map<string, { readonly pod: Pod; readonly nodeName: string }>();
  /** Pods that fit nowhere, in the form that was looked at: a change of their status alone is no reason to look again. */
  readonly #refused = new Map<string, string>();
  /** What matters of each node; its heartbeat does not. */
  readonly #nodeShapes = new Map<string, string>();

  constructor(options: SchedulerOptions) {
    const { client, clock, random, log } = options;
    const signal = AbortSignal.any([options.signal, this.#over.signal]);
    this.#options = { ...options, signal };
    this.#queue = new KeyedQueue({ clock, random, backoff: retry });
    this.#recorder = createRecorder({ client, component: "default-scheduler", clock, random, onError: (error) => { log.warn({ err: error }, "An event was lost"); } });
    const onError = (error: unknown): void => { log.warn({ err: error }, "Watching failed; listing again"); };
    this.#pods = startInformer({ client, kind: pods, signal, clock, random, onError, onChange: (key, pod) => { this.#podChanged(key, pod); } });
    this.#nodes = startInformer({ client, kind: nodes, signal, clock, random, onError, onChange: (name, node) => { this.#nodeChanged(name, node); } });
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    try {
      await Promise.all([this.#pods.synced, this.#nodes.synced]);
      this.#addWaiting();
      for (let key = await this.#queue.take(signal); key !== undefined; key = await this.#queue.take(signal)) await this.#work(key);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#queue.close();
      this.#over.abort();
      await Promise.all([this.#pods.done, this.#nodes.done]);
    }
  }

  #podChanged(key: string, pod: Pod | undefined): void {
    if (pod === undefined || isBound(pod)) {
      this.#assumed.delete(key);
      this.#refused.delete(key);
    }
    if (pod !== undefined && waits(pod)) {
      if (this.#refused.get(key) !== formOf(pod)) this.#queue.add(key);
    }
    // Its room may be what another one waits for.
    else if (pod === undefined || isOver(pod)) this.#addWaiting();
  }

  #nodeChanged(name: string, node: Node | undefined): void {
    const shape = node === undefined ? undefined : JSON.stringify([node.metadata.labels, node.spec, node.status?.allocatable, node.status?.conditions?.find(({ type }) => type === "Ready")?.status]);
    if (shape === this.#nodeShapes.get(name)) return;
    if (shape === undefined) this.#nodeShapes.delete(name);
    else this.#nodeShapes.set(name, shape);
    this.#addWaiting();
  }

  #addWaiting(): void {
    for (const pod of this.#pods.list()) if (waits(pod)) this.#queue.add(objectKeyOf(pod));
  }

  async #work(key: string): Promise<void> {
    const { log, signal } = this.#options;
    try {
      await this.#schedule(key);
      this.#queue.forget(key);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error, pod: key }, "Scheduling failed; trying again");
      this.#queue.addRateLimited(key);
    } finally {
      this.#queue.done(key);
    }
  }

  async #schedule(key: string): Promise<void> {
    const pod = this.#pods.get(key);
    if (pod === undefined || !waits(pod) || this.#assumed.has(key)) return;
    const views = this.#views();
    const fits = views.map((view) => ({ view, fit: filterNode(pod, view) }));
    const best = bestNode(pod, fits.filter(({ fit }) => fit.kind === "fits").map(({ view }) => view));
    if (best === undefined) {
      this.#refused.set(key, formOf(pod));
      const told = await this.#refuse(pod, explainRefusal(fits.map(({ fit }) => (fit.kind === "refused" ? fit.reasons : []))));
      if (told) this.#queue.addAfter(key, lookAgainMs);
      else {
        this.#refused.delete(key);
        this.#queue.addAfter(key, staleMs);
      }
      return;
    }
    await this.#bind(key, pod, best.node.metadata.name);
  }

  async #bind(key: string, pod: Pod, nodeName: string): Promise<void> {
    this.#assumed.set(key, { pod, nodeName });
    try {
      const outcome = await this.#options.client.bind(pod.metadata, nodeName);
      if (outcome.kind === "updated") {
        this.#recorder.event(pod, "Normal", "Scheduled", `Successfully assigned ${key} to ${nodeName}`);
        // The cache may have shown it bound, and so forgotten, before this answer came.
        if (isBound(this.#pods.get(key) ?? pod)) this.#assumed.delete(key);
        return;
      }
      // Another scheduler was faster, or the Pod is gone or going: the watch tells the rest.
      this.#assumed.delete(key);
    } catch (error) {
      this.#assumed.delete(key);
      throw error;
    }
  }

  #views(): readonly NodeView[] {
    const byNode = new Map<string, Pod[]>(this.#nodes.list().map((node) => [node.metadata.name, []]));
    for (const pod of this.#pods.list()) if (isBound(pod) && !isOver(pod)) byNode.get(pod.spec.nodeName ?? "")?.push(pod);
    for (const { pod, nodeName } of this.#assumed.values()) byNode.get(nodeName)?.push(pod);
    return this.#nodes.list().map((node) => ({ node, pods: byNode.get(node.metadata.name) ?? [] }));
  }

  /** False when the Pod was looked at in a form that is out of date: nothing was told. */
  async #refuse(pod: Pod, message: string): Promise<boolean> {
    const known = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
    if (known?.status !== "False" || known.message !== message) {
      const outcome = await this.#options.client.update(pods, { ...pod, status: { ...pod.status, conditions: [...othersOf(pod), this.#unscheduled(known, message)] } }, { subresource: "status" });
      if (outcome.kind !== "updated") return false;
    }
    this.#recorder.event(pod, "Warning", "FailedScheduling", message);
    return true;
  }

  #unscheduled(known: PodCondition | undefined, message: string): PodCondition {
    const now = apiTime(this.#options.clock.nowMs());
    return {
      type: "PodScheduled", status: "False", reason: "Unschedulable", message, lastProbeTime: null,
      lastTransitionTime: known?.status === "False" ? (known.lastTransitionTime ?? now) : now,
    };
  }
}

const othersOf = (pod: Pod): readonly PodCondition[] => (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
const formOf = (pod: Pod): string => `${pod.metadata.uid}/${pod.metadata.generation}`;
const isBound = (pod: Pod): boolean => (pod.spec.nodeName ?? "") !== "";
const isOver = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
const waits = (pod: Pod): boolean => !isBound(pod) && !isOver(pod) && pod.metadata.deletionTimestamp === undefined;
