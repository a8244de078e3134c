// pure
import type { Generation } from "../routing/fence.ts";
import type { RedisNode } from "../servers/node.ts";

/**
 * A run: consecutive requests of one client that go to one server connection in one piece and whose replies come back in
 * one piece. Its bytes are kept until the last reply, so that what was not answered can be sent elsewhere.
 */
export type Run = {
  owner: RunOwner;
  readonly count: number;
  replied: number;
  /** The requests; undefined for a streamed request, which cannot be sent again. */
  readonly bytes: Uint8Array | undefined;
  readonly start: number;
  readonly end: number;
  readonly generation: Generation | undefined;
  /** True when a byte of the current reply has already been passed on. */
  partial: boolean;
  /** True once the bytes were given to the socket: a server may have executed the requests. */
  handed: boolean;
  /** It asks for nothing but reads, and may be asked again elsewhere. */
  onlyReads: boolean;
  /** Monotonic time of the turn of the event loop in which it was queued; 0 when it does not matter. */
  readonly sentMs: number;
  readonly chunk: OutChunk | undefined;
  /** The client's own request, when its one request was put into a form that only reads. Any error then means: ask the original of the primary. */
  original: Buffer | undefined;
};

/** A run of one request whose bytes are written in another way: it cannot be sent again. */
export function runWithoutBytes(owner: RunOwner, generation: Generation | undefined, sentMs: number): Run {
  return { owner, count: 1, replied: 0, bytes: undefined, start: 0, end: 0, generation, partial: false, handed: true, onlyReads: false, sentMs, chunk: undefined, original: undefined };
}

/** Bytes waiting to be written, shared by many runs. A chunk is written over only when no run refers to it any more. */
export type OutChunk = { readonly bytes: Buffer; used: number; flushed: number; runs: number };

/** Who gets the replies of a run. The byte ranges are valid only during the call. */
export interface RunOwner {
  /** Whether every single reply must be given to `replyFrame`, because some requests are to be sent again. */
  readonly watching: boolean;
  /** Some bytes of the run's replies, in order. Gives true when the buffer is still in use after the call. */
  replyBytes(run: Run, bytes: Buffer, start: number, end: number, runDone: boolean): boolean;
  /** A reply that is an error: true when the owner takes it (it was not executed and will be sent again). */
  takesError(run: Run, word: string, frame: Uint8Array): boolean;
  /** One whole reply while `watching` or taken; `refused` says that the request was not executed. */
  replyFrame(run: Run, frame: Buffer, refused: boolean, runDone: boolean): void;
  /** The run has been answered whole, and that took long. */
  slow?(run: Run, durationMs: number, node: RedisNode): void;
  /** These runs, all of this owner's on their connection, are to be asked again elsewhere; without this method `runsLost` is called. */
  moved?(runs: readonly Run[]): void;
  /** The connection is gone. `runs` are this owner's unanswered ones on it, in order. */
  runsLost(runs: readonly Run[], reason: string): void;
}

/** Swallows the replies of a client that has left. */
export const nobody: RunOwner = {
  watching: false,
  replyBytes: () => false,
  takesError: () => false,
  replyFrame: () => undefined,
  runsLost: () => undefined,
};
