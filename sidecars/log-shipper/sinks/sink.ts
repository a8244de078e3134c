import type { Chunk } from "../chunk.ts";

/**
 * Where chunks go. `deliver` may be called again before earlier chunks are done; the caller bounds how much is in flight.
 * A chunk may be delivered twice (after a lost acknowledgement), never silently not at all.
 */
export interface Sink {
  readonly name: string;
  /** Resolves "delivered" once the destination has confirmed the chunk, "stopped" when the sink was told to give up before that. */
  deliver(chunk: Chunk): Promise<"delivered" | "stopped">;
  /** Why nothing gets through at the moment, or undefined. */
  problem(): string | undefined;
  /** Gives up everything undelivered and ends. */
  close(): Promise<void>;
}
