// pure
import type { Pod } from "../../api/types/pod.ts";
import { operationKey, type Action, type PodEvent } from "./actions.ts";
import type { ContainerFacts, PodFacts } from "./facts.ts";
import type { Observed } from "./observed.ts";

/** What one call of `decide` collects while it walks over the Pod. Lives no longer than that call. */
export class Plan {
  readonly pod: Pod;
  readonly observed: Observed;
  readonly nowMs: number;
  readonly actions: Action[] = [];
  readonly events: PodEvent[] = [];
  #facts: PodFacts;
  #wakeAtMs: number | undefined;

  constructor(pod: Pod, observed: Observed, facts: PodFacts, nowMs: number) {
    this.pod = pod;
    this.observed = observed;
    this.nowMs = nowMs;
    this.#facts = facts;
  }

  get facts(): PodFacts {
    return this.#facts;
  }

  get wakeAtMs(): number | undefined {
    return this.#wakeAtMs;
  }

  isBusy(key: string): boolean {
    return this.observed.busy.has(key);
  }

  /** Unless the same operation is in flight. */
  act(action: Action): void {
    if (!this.isBusy(operationKey(action))) this.actions.push(action);
  }

  event(event: PodEvent): void {
    this.events.push(event);
  }

  wakeAt(atMs: number): void {
    if (this.#wakeAtMs === undefined || atMs < this.#wakeAtMs) this.#wakeAtMs = atMs;
  }

  setFacts(facts: PodFacts): void {
    this.#facts = facts;
  }

  setContainerFacts(name: string, facts: ContainerFacts): void {
    this.#facts = { ...this.#facts, containers: { ...this.#facts.containers, [name]: facts } };
  }

  /** The default of the API server, should an object come without it. */
  get gracePeriodSeconds(): number {
    return this.pod.spec.terminationGracePeriodSeconds ?? 30;
  }
}
