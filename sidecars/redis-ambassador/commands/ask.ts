import type { Hub } from "../hub.ts";
import type { Lease, LeaseHolder } from "../connections/lease.ts";
import { collector } from "../connections/collector.ts";
import type { Upstream } from "../connections/upstream.ts";

/** A client as far as its special requests are concerned. */
export interface SpecialClient extends LeaseHolder {
  readonly id: number;
  readonly hub: Hub;
  readonly lease: Lease;
  /** Tries a request again whose connection was lost, but not for ever. */
  again(request: Buffer, reason: string): void;
  close(): void;
}

/**
 * Asks the primary something on a connection that is in this client's state, and gives the connection back. `request` is
 * the client's own, which is tried again when the connection is lost; `question` is what is sent. `answerFor` gives what
 * the client is answered, or undefined when it sees to that, and to `resume`, by itself.
 */
export function askServer(client: SpecialClient, request: Buffer, question: Buffer, answerFor: (reply: Buffer, upstream: Upstream) => Buffer | undefined): void {
  client.lease.take(request, (upstream) => {
    const owner = collector(1, (replies) => {
      const answer = answerFor(replies[0] ?? Buffer.alloc(0), upstream);
      client.hub.pool.release(upstream);
      if (client.closed || answer === undefined) return;
      client.answer(answer);
      client.resume();
    }, (reason) => client.again(request, reason));
    upstream.node.counts.pinned += 1;
    upstream.send(owner, question, 0, question.length, 1, undefined);
  });
}
