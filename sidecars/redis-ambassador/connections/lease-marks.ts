// pure
import type { CommandPlan } from "../commands/command-plan.ts";
import type { RequestScanner } from "../protocol/request-scanner.ts";
import { addMarks, applyMarks, noMarks, type Marks } from "../routing/marks.ts";
import type { Generation } from "../routing/fence.ts";
import type { Shard } from "../servers/node.ts";

export interface MarkingHub {
  readonly otherScanner: RequestScanner;
  readonly router: { readonly marksWrites: boolean };
}

/** Which keys the requests on one client's own connection may write, so that no replica answers for them too early. */
export class LeaseMarks {
  readonly #hub: MarkingHub;
  /** Tells the client of a write, by which its own reads are judged. */
  readonly #onWrite: (shard: Shard, generation: Generation) => void;
  /** Of requests that are executed later. */
  #pending: Marks = noMarks();
  #releaseUnprovable: (() => void) | undefined;

  constructor(hub: MarkingHub, onWrite: (shard: Shard, generation: Generation) => void) {
    this.#hub = hub;
    this.#onWrite = onWrite;
  }

  /** The request is executed later. */
  add(plan: CommandPlan, request: Buffer): void {
    addMarks(this.#pending, plan, request, this.#hub.otherScanner);
  }

  /** What was added is executed now; gives the generation that it belongs to. */
  applyAdded(shard: Shard): Generation | undefined {
    return this.#apply(this.#pending, shard);
  }

  /** The request is executed now. */
  apply(plan: CommandPlan, request: Buffer, shard: Shard): Generation | undefined {
    const marks = noMarks();
    addMarks(marks, plan, request, this.#hub.otherScanner);
    return this.#apply(marks, shard);
  }

  /** From now on nobody knows when what is written: until `reset` no replica of the shard is proven to have everything. */
  holdUnprovable(shard: Shard | undefined): void {
    if (shard !== undefined && this.#hub.router.marksWrites) this.#releaseUnprovable ??= shard.fence.holdUnprovable();
  }

  reset(): void {
    this.#pending = noMarks();
    this.#releaseUnprovable?.();
    this.#releaseUnprovable = undefined;
  }

  #apply(marks: Marks, shard: Shard): Generation | undefined {
    if (!this.#hub.router.marksWrites) return undefined;
    const generation = applyMarks(marks, shard.fence);
    if (generation !== undefined) this.#onWrite(shard, generation);
    return generation;
  }
}
