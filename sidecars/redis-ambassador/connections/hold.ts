// pure
import type { Clock } from "../../../kit/clock.ts";
import { ambassadorErrors } from "../errors.ts";
import type { HubClient } from "../hub.ts";

/** Whether a command is kept while nobody can execute it. Times in ms. */
export function holdVerdict(now: { readonly outageMs: number; readonly heldBytes: number }, limits: { readonly holdMs: number; readonly heldBytesMax: number }): "held" | "expired" | "full" {
  if (now.outageMs >= limits.holdMs) return "expired";
  return now.heldBytes > limits.heldBytesMax ? "full" : "held";
}

/** What the holds of all clients have in common. */
export interface HoldHub {
  readonly clock: Clock;
  readonly counts: { held: number; heldMs: number };
  readonly settings: { readonly holdMs: number; readonly heldBytesMax: number };
  /** Who is to be resumed when a primary is known. */
  readonly parked: Set<HubClient>;
  heldBytes: number;
}

/** One client's waiting for servers: for a primary, and for a replica that may be read. */
export class Hold {
  readonly #hub: HoldHub;
  readonly #client: HubClient;
  /** Monotonic time since when the input waits for a primary. */
  #parkedSinceMs: number | undefined;
  /** Monotonic time since when a read waits for a replica. */
  #readWaitsSinceMs: number | undefined;

  constructor(hub: HoldHub, client: HubClient) {
    this.#hub = hub;
    this.#client = client;
  }

  /**
   * Why the client's commands are not held any longer, as an error; undefined while they are. `sinceMs`: monotonic time since
   * when there is no primary. `waitingBytes`: of this client, in addition to what is held already.
   */
  refusal(sinceMs: number, waitingBytes: number): Buffer | undefined {
    const hub = this.#hub, outageMs = hub.clock.monotonicMs() - sinceMs;
    switch (holdVerdict({ outageMs, heldBytes: hub.heldBytes + waitingBytes }, hub.settings)) {
      case "expired":
        return ambassadorErrors.noPrimary(Math.round(outageMs));
      case "full":
        return ambassadorErrors.holdFull();
      case "held":
        return undefined;
    }
  }

  /** The client waits until a primary is known again, or until the hold is over: the hub resumes it. */
  park(waitingBytes: number): void {
    const hub = this.#hub;
    this.#parkedSinceMs ??= hub.clock.monotonicMs();
    hub.counts.held += 1;
    hub.parked.add(this.#client);
    hub.heldBytes += waitingBytes;
  }

  resumed(): void {
    if (this.#parkedSinceMs === undefined) return;
    this.#hub.counts.heldMs += this.#hub.clock.monotonicMs() - this.#parkedSinceMs;
    this.#parkedSinceMs = undefined;
  }

  /** The client has left. */
  left(waitingBytes: number): void {
    const hub = this.#hub;
    if (hub.parked.delete(this.#client)) hub.heldBytes = Math.max(0, hub.heldBytes - waitingBytes);
  }

  /** A read cannot go to a replica now. The error when none may be read (`noReplica`) and that has been so for too long. */
  readRefusal(noReplica: boolean): Buffer | undefined {
    const nowMs = this.#hub.clock.monotonicMs(), sinceMs = (this.#readWaitsSinceMs ??= nowMs);
    if (!noReplica || nowMs - sinceMs < this.#hub.settings.holdMs) return undefined;
    this.#readWaitsSinceMs = undefined;
    return ambassadorErrors.noReplica(Math.round(nowMs - sinceMs));
  }

  /** Requests were sent, so nothing that was asked before waits for a replica. */
  sent(): void {
    this.#readWaitsSinceMs = undefined;
  }
}
