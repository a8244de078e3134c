import type { Hub } from "../hub.ts";
import type { ClusterRouting } from "./cluster-routing.ts";
import { Scatter, scatterWindowAtFirst, type ScatterClient } from "./scatter.ts";

/** A client whose requests may be spread over shards, one scatter after the other. */
export interface ScatteringClient extends ScatterClient {
  /** All of a scatter is answered. */
  scatterEnded(): void;
}

/** What one client of a cluster has spread over the shards: one scatter at a time, and nothing else is unanswered meanwhile. */
export class ClientScatters {
  readonly #hub: Hub;
  readonly #cluster: ClusterRouting;
  readonly #client: ScatteringClient;
  #current: Scatter | undefined;
  #window = scatterWindowAtFirst;
  /** So many of the next requests were refused by a cluster and go this way too, because a scatter knows how to deal with that. */
  #refusedBefore = 0;

  constructor(hub: Hub, cluster: ClusterRouting, client: ScatteringClient) {
    this.#hub = hub;
    this.#cluster = cluster;
    this.#client = client;
  }

  get underWay(): boolean {
    return this.#current !== undefined;
  }
  /** Whether the next request goes this way wherever it belongs. */
  get takesNext(): boolean {
    return this.#refusedBefore > 0;
  }

  refused(requests: number): void {
    this.#refusedBefore += requests;
  }

  /** Takes requests from `bytes` on for `start`; gives where the first one begins that is left, or undefined when none was taken. */
  take(bytes: Buffer, from: number, stateKey: string, entriesMax: number | undefined): number | undefined {
    const scatter = new Scatter({
      hub: this.#hub, cluster: this.#cluster, client: this.#client, stateKey, window: this.#window,
      onEnd: () => {
        this.#window = scatter.window;
        this.#current = undefined;
        this.#client.scatterEnded();
      },
    });
    const next = scatter.take(bytes, from, entriesMax);
    if (scatter.size === 0) return undefined;
    this.#refusedBefore = Math.max(0, this.#refusedBefore - scatter.size);
    this.#current = scatter;
    return next;
  }

  start(): void {
    this.#current?.start();
  }

  /** The client has left. */
  abandon(): void {
    this.#current?.abandon();
  }
}
