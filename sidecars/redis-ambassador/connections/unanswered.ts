// pure
import type { Run } from "./run.ts";
import type { Upstream } from "./upstream.ts";

/** So many requests of one client are on their way at first. */
const requestsAtFirst = 16, windowMax = 8192, windowReplyBytes = 4 * 1024 * 1024;

/**
 * How many requests of one client may be on their way next, after `count` of them were answered with so many bytes: twice as
 * many while replies are small. A server does nothing for others while it puts the replies of a long pipeline together.
 */
export function nextWindow(window: number, count: number, replyBytes: number): number {
  return Math.max(1, Math.min(window * 2, windowMax, Math.floor(windowReplyBytes * count / Math.max(1, replyBytes))));
}

/** What one client has been sent on with and has no answer to. All of it is at one server connection. */
export class Unanswered {
  runs = 0;
  bytes = 0;
  requests = 0;
  /** The connection that carries them; while there are none, the one that carried the last. */
  on: Upstream | undefined;
  #window = requestsAtFirst;
  /** Of the run that is being answered. */
  #replyBytes = 0;

  /** Whether no further request may go out, when `gathered` are about to. */
  isFull(gathered: number): boolean {
    return this.requests + gathered >= this.#window;
  }

  sent(upstream: Upstream, bytes: number, count: number): void {
    this.on = upstream;
    this.requests += count;
    this.runs += 1;
    this.bytes += bytes;
  }

  replied(bytes: number): void {
    this.#replyBytes += bytes;
  }

  /** The run is answered, and the size of its replies says how many requests may be under way from now on. */
  answered(run: Run): void {
    this.ended(run);
    this.#window = nextWindow(this.#window, run.count, this.#replyBytes);
    this.#replyBytes = 0;
  }

  /** The run is over, by whatever way. */
  ended(run: Run): void {
    this.runs -= 1;
    this.bytes -= run.end - run.start;
    this.requests -= run.count;
  }
}
