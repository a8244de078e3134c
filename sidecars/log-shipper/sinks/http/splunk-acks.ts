import type { Clock } from "../../../../kit/clock.ts";
import { isObject, jsonObject } from "./answer.ts";
import type { Transport } from "./transport.ts";

type Waiting = { readonly untilMs: number; readonly settle: (outcome: "confirmed" | "lost") => void };

/**
 * Asks a collector again and again which requests its indexers have acknowledged, all of an endpoint in one question. What is not
 * acknowledged in time is lost as far as we know: the indexer may have restarted and forgotten it. Needs that an endpoint is always
 * the same indexer, as Splunk's own clients do.
 */
export class SplunkAcks {
  readonly #options: { readonly path: string; readonly headers: Readonly<Record<string, string>>; readonly pollMs: number; readonly timeoutMs: number; readonly clock: Clock };
  readonly #waiting = new Map<number, Map<number, Waiting>>();

  constructor(options: { readonly path: string; readonly headers: Readonly<Record<string, string>>; readonly pollMs: number; readonly timeoutMs: number; readonly clock: Clock }) {
    this.#options = options;
  }

  async confirm({ transport, endpoint, ackId, signal }: { readonly transport: Transport; readonly endpoint: number; readonly ackId: number; readonly signal: AbortSignal }): Promise<"confirmed" | "lost"> {
    const { promise, resolve } = Promise.withResolvers<"confirmed" | "lost">();
    const known = this.#waiting.get(endpoint);
    const waiting = known ?? new Map<number, Waiting>();
    // A number that comes twice is from a server that began anew: what it had is not to be waited for.
    waiting.get(ackId)?.settle("lost");
    waiting.set(ackId, { untilMs: this.#options.clock.monotonicMs() + this.#options.timeoutMs, settle: resolve });
    if (known === undefined) {
      this.#waiting.set(endpoint, waiting);
      void this.#poll(transport, endpoint, waiting, signal);
    }
    return await promise;
  }

  async #poll(transport: Transport, endpoint: number, waiting: Map<number, Waiting>, signal: AbortSignal): Promise<void> {
    const { clock, pollMs } = this.#options;
    while (waiting.size > 0 && !signal.aborted) {
      await clock.sleep(pollMs, signal).catch(() => undefined);
      if (signal.aborted) break;
      const acknowledged = await this.#ask(transport, endpoint, [...waiting.keys()], signal);
      const nowMs = clock.monotonicMs();
      for (const [ackId, { settle, untilMs }] of waiting) {
        const confirmed = acknowledged?.[ackId] === true;
        if (!confirmed && nowMs < untilMs) continue;
        waiting.delete(ackId);
        settle(confirmed ? "confirmed" : "lost");
      }
    }
    this.#waiting.delete(endpoint);
    for (const { settle } of waiting.values()) settle("lost");
  }

  async #ask(transport: Transport, endpoint: number, acks: readonly number[], signal: AbortSignal): Promise<Readonly<Record<string, unknown>> | undefined> {
    try {
      const answer = await transport.send(endpoint, { path: this.#options.path, headers: { ...this.#options.headers, "content-type": "application/json" }, body: Buffer.from(JSON.stringify({ acks })), answerBytesMax: 262_144 }, signal);
      const found = answer.status === 200 ? jsonObject(answer.body)?.["acks"] : undefined;
      return isObject(found) ? found : undefined;
    } catch {
      return undefined; // an outage: asked again, until the time is over
    }
  }
}
