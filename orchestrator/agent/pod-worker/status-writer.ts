import { isDeepStrictEqual } from "node:util";
import { backoffDelayMs, type Backoff } from "../../../kit/backoff.ts";
import type { Clock, Random } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import type { ApiClient } from "../../api/client.ts";
import { pods } from "../../api/types/kinds.ts";
import type { Pod, PodStatus } from "../../api/types/pod.ts";

const retry: Backoff = { initialMs: 100, maxMs: 10_000, factor: 2, jitter: 0.5 };

/** Brings the newest status of one Pod into the API: one write at a time, older ones are left out, failures are repeated until stopped. */
export class StatusWriter {
  readonly #options: { readonly client: ApiClient; readonly clock: Clock; readonly random: Random; readonly log: Log; readonly signal: AbortSignal };
  #wanted: { readonly pod: Pod; readonly status: PodStatus } | undefined;
  #written: PodStatus | undefined;
  #working: Promise<void> | undefined;

  constructor(options: { readonly client: ApiClient; readonly clock: Clock; readonly random: Random; readonly log: Log; readonly signal: AbortSignal }) {
    this.#options = options;
  }

  push(pod: Pod, status: PodStatus): void {
    if (this.#wanted === undefined && isDeepStrictEqual(this.#written ?? pod.status, status)) return;
    this.#wanted = { pod, status };
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** Resolves when nothing is left to write. */
  async flush(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  async #work(): Promise<void> {
    await Promise.resolve();
    const { clock, random, log, signal } = this.#options;
    for (let attempt = 0; this.#wanted !== undefined && !signal.aborted; ) {
      const { pod, status } = this.#wanted;
      try {
        await this.#write(pod, status);
        this.#written = status;
        if (this.#wanted.status === status) this.#wanted = undefined;
        attempt = 0;
      } catch (error) {
        log.warn({ err: error, attempt }, "Cannot write the Pod's status: will try again");
        await clock.sleep(backoffDelayMs(retry, attempt++, random), signal).catch(() => undefined); // ends with the loop's condition
      }
    }
  }

  /** The status is the agent's alone, so a conflict is settled by taking the newest object of the same Pod. */
  async #write(pod: Pod, status: PodStatus): Promise<void> {
    const { client } = this.#options;
    const key = { name: pod.metadata.name, ...(pod.metadata.namespace === undefined ? {} : { namespace: pod.metadata.namespace }) };
    let base: Pod | undefined = pod;
    while (base !== undefined && base.metadata.uid === pod.metadata.uid) {
      const outcome = await client.update(pods, { ...base, status }, { subresource: "status" });
      if (outcome.kind !== "conflict") return;
      base = await client.get(pods, key);
    }
  }
}
