import type { Chunk } from "../delivery/chunk.ts";

/** What became of a chunk. */
export type Delivery =
  | {
      readonly kind: "delivered";
      /** Indexes, ascending, of the records that the destination will never take; they stand in the dead-letter file instead. */
      readonly deadLettered: readonly number[];
    }
  /** The sink was told to give up before the chunk was confirmed. */
  | { readonly kind: "stopped" };

export const delivered: Delivery = { kind: "delivered", deadLettered: [] };
export const stopped: Delivery = { kind: "stopped" };

/**
 * Where chunks go. `deliver` may be called again before earlier chunks are done; the caller bounds how much is in flight.
 * A chunk may be delivered twice (after a lost acknowledgement), never silently not at all.
 */
export interface Sink {
  readonly name: string;
  /** Resolves once the destination has confirmed the chunk, or the sink was told to stop. */
  deliver(chunk: Chunk): Promise<Delivery>;
  /** Why nothing gets through at the moment, or undefined. */
  problem(): string | undefined;
  /** Gives up everything undelivered and ends. */
  close(): Promise<void>;
}
