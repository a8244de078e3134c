// pure
import { WriteFilter } from "./write-filter.ts";

/**
 * The proof behind "own writes are always read".
 *
 * Every key written through the ambassador is marked in the open generation before the write is passed on. From time to
 * time the open generation is sealed; when every write in it has been answered (or its connection is lost), the primary is
 * asked for its replication offset, which is then past all of them. A replica may answer a read of a marked key once its
 * own applied offset has reached that number; until then the primary answers.
 *
 * Promised: a read that starts after a write's reply was passed on, on any connection of this ambassador, does not give
 * the value from before the write. Not promised: anything about writes that other programs send to the servers, writes
 * whose connection was lost before the reply, and what a server loses when it fails over.
 */
export type Generation = {
  /** Of no more use once every replica has passed it. */
  keys: WriteFilter;
  /** Runs of commands that carry writes of this generation and are not answered yet. */
  outstanding: number;
  /** The primary's offset after the last write; undefined until asked. */
  offset: number | undefined;
  /** After a reset: the generation that stands for this one. */
  heir: Generation | undefined;
  /** Those that it stands for and whose writes were not answered at the reset: their server may still execute them. */
  readonly before: readonly Generation[];
};

/** What is known of one replica: the offset that it itself reported, or -1 when nothing is proven. */
export type ReplicaProof = { offset: number };

/** So many sealed generations are kept for replicas that lag; beyond it the oldest becomes a floor for every key. */
const sealedMax = 32;
/** Filters that are used again: making and growing them anew costs more than filling them. */
const spareMax = 4;

export class Fence {
  #open = newGeneration();
  #sealing: Generation | undefined;
  /** Oldest first, offsets ascending. */
  #sealed: Generation[] = [];
  /** Offset that every replica must have reached whatever is asked of it; -1 before the first fence. */
  #floor = -1;
  readonly #spare: WriteFilter[] = [];
  /** Clients whose replies cannot be counted and who have written: nothing can be proven while they are there. */
  #unprovable = 0;
  onDirty: () => void = () => undefined;
  /** Called when a read is refused a replica for the first time since `takeWanted`. */
  onWanted: () => void = () => undefined;
  #wanted = false;
  readonly counts = { fences: 0, resets: 0 };

  /** Marks a key and gives the generation that the write belongs to. */
  mark(hash: number): Generation {
    if (this.#open.keys.empty) this.onDirty();
    this.#open.keys.add(hash);
    return this.#open;
  }

  markAll(): Generation {
    if (this.#open.keys.empty) this.onDirty();
    this.#open.keys.addAll();
    return this.#open;
  }

  holdUnprovable(): () => void {
    this.#unprovable += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#unprovable -= 1;
      this.markAll();
    };
  }

  /** True when no key at all is in doubt, on any replica that has reached the floor. */
  get clear(): boolean {
    return this.#open.keys.empty && this.#sealing === undefined && this.#sealed.length === 0 && this.#unprovable === 0;
  }

  /** Whether a read has been refused a replica since the last call: then a proof is worth its cost. */
  takeWanted(): boolean {
    const wanted = this.#wanted;
    this.#wanted = false;
    return wanted;
  }

  #orWant(may: boolean): boolean {
    if (!may && !this.#wanted) {
      this.#wanted = true;
      this.onWanted();
    }
    return may;
  }

  canRead(hash: number, replica: ReplicaProof): boolean {
    return this.#orWant(this.#isProven(hash, replica));
  }

  #isProven(hash: number, replica: ReplicaProof): boolean {
    if (this.#unprovable > 0 || replica.offset < this.#floor) return false;
    if (this.#open.keys.has(hash)) return false;
    if (this.#sealing !== undefined && this.#sealing.keys.has(hash)) return false;
    for (const generation of this.#sealed) {
      if ((generation.offset ?? 0) > replica.offset && generation.keys.has(hash)) return false;
    }
    return true;
  }

  /** Whether a read of keys that are not known may go to the replica. */
  canReadAll(replica: ReplicaProof): boolean {
    return this.#orWant(this.#areAllProven(replica));
  }

  #areAllProven(replica: ReplicaProof): boolean {
    if (this.#unprovable > 0 || replica.offset < this.#floor) return false;
    if (!this.#open.keys.empty || this.#sealing !== undefined) return false;
    return this.#sealed.every((generation) => (generation.offset ?? 0) <= replica.offset);
  }

  /** Whether a client whose last write was in `generation` may read anything there (consistency `session`). */
  hasPassed(generation: Generation, replica: ReplicaProof): boolean {
    let last = generation;
    while (last.heir !== undefined) last = last.heir;
    return this.#orWant(replica.offset >= this.#floor && last.offset !== undefined && last.offset <= replica.offset);
  }

  /** Seals the open generation, if there is something in it and no other is being sealed. */
  seal(): void {
    if (this.#sealing !== undefined || this.#open.keys.empty) return;
    this.#sealing = this.#open;
    this.#open = newGeneration([], this.#spare.pop());
  }

  /** True when the primary's offset may be asked now: all writes of the sealing generation are answered. */
  get mayAskPrimary(): boolean {
    return this.#sealing !== undefined && isAnswered(this.#sealing);
  }

  /** The generation being sealed, to be given back to `primaryAt` with an answer that was asked for after it drained. */
  get sealing(): Generation | undefined {
    return this.#sealing;
  }

  /** The primary's offset, asked after `generation` drained. An answer for a generation from before a reset is ignored. */
  primaryAt(generation: Generation, offset: number): void {
    if (generation !== this.#sealing || !isAnswered(generation)) return;
    generation.offset = offset;
    this.#sealed.push(generation);
    this.#sealing = undefined;
    this.counts.fences += 1;
    if (this.#sealed.length > sealedMax) this.#dropOldest();
  }

  /** The offset that a replica must reach before nothing is in doubt there; undefined when there is none to reach. */
  get wantedOffset(): number | undefined {
    return this.#sealed.at(-1)?.offset ?? (this.#floor < 0 ? undefined : this.#floor);
  }

  /** Forgets generations that every one of these replicas has passed. */
  settle(replicas: readonly ReplicaProof[]): void {
    while (this.#sealed.length > 0) {
      const offset = this.#sealed[0]?.offset ?? 0;
      if (!replicas.every((replica) => replica.offset >= offset)) return;
      this.#dropOldest();
    }
  }

  #dropOldest(): void {
    const oldest = this.#sealed.shift();
    if (oldest === undefined) return;
    if (oldest.offset !== undefined) this.#floor = Math.max(this.#floor, oldest.offset);
    const { keys } = oldest;
    oldest.keys = nothing; // a client may keep the generation for its offset
    if (this.#spare.length >= spareMax) return;
    keys.clear();
    this.#spare.push(keys);
  }

  /**
   * Forgets every proof, because offsets of another primary (or of the same one after a restart) are other numbers. The
   * caller also sets every replica's proof to -1. Until the next fence every read goes to the primary.
   */
  reset(): void {
    const former = [this.#open, this.#sealing, ...this.#sealed].filter((generation) => generation !== undefined);
    const heir = newGeneration([...former, ...former.flatMap(({ before }) => before)].filter(({ outstanding }) => outstanding > 0));
    for (const generation of former) generation.heir = heir;
    this.#open = heir;
    this.#sealing = undefined;
    this.#sealed = [];
    this.#floor = -1;
    this.counts.resets += 1;
    this.#open.keys.addAll();
    this.onDirty();
  }
}

const nothing = new WriteFilter();

function newGeneration(before: readonly Generation[] = [], keys = new WriteFilter()): Generation {
  return { keys, outstanding: 0, offset: undefined, heir: undefined, before };
}

/** Whether all writes of a generation are answered, or their connections lost. */
function isAnswered(generation: Generation): boolean {
  return generation.outstanding === 0 && generation.before.every(({ outstanding }) => outstanding === 0);
}
