import { setImmediate as turn } from "node:timers/promises";
import type { ApiClient } from "../api/client.ts";
import { pods } from "../api/types/kinds.ts";

/**
 * Tells when every Pod that was bound to the node at the start has been looked at once and what was seen is in the API. Until then the
 * statuses there are those of an earlier agent, and say nothing of what happened since. Not promised: that it ever comes about, since
 * the engine or the store may refuse for as long as they like; who waits sets a limit.
 */
export class FirstSync {
  /** Resolves at the first sync; never rejects. */
  readonly done: Promise<void>;
  /** The client for all who write statuses: its writes of Pod statuses are seen here. */
  readonly client: ApiClient;
  readonly #resolve: () => void;
  readonly #unwritten = new Set<string>();
  #unseen: Set<string> | undefined;

  constructor(client: ApiClient) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#resolve = resolve;
    this.client = this.#watching(client);
  }

  /** Call it when the Pods are known, and before any is looked at. */
  begin(uids: Iterable<string>): void {
    this.#unseen = new Set(uids);
    this.#check();
  }

  /** The Pod was looked at. A write that follows must have been begun in the same turn of the event loop. */
  async seen(uid: string): Promise<void> {
    if (this.#unseen?.has(uid) !== true) return;
    await turn();
    this.#unseen.delete(uid);
    this.#check();
  }

  #check(): void {
    if (this.#unseen?.size === 0 && this.#unwritten.size === 0) this.#resolve();
  }

  /** A write that failed or met a conflict will be repeated by its writer, so the Pod stays unwritten until one succeeds or the Pod is gone. */
  #watching(client: ApiClient): ApiClient {
    return {
      create: async (kind, object, options) => await client.create(kind, object, options),
      get: async (kind, key) => await client.get(kind, key),
      list: async (kind, options) => await client.list(kind, options),
      delete: async (kind, key, options) => await client.delete(kind, key, options),
      bind: async (key, nodeName) => await client.bind(key, nodeName),
      watch: (kind, options) => client.watch(kind, options),
      update: async (kind, object, options) => {
        const uid = kind.kind === pods.kind && options?.subresource === "status" ? object.metadata.uid : undefined;
        if (uid === undefined) return await client.update(kind, object, options);
        this.#unwritten.add(uid);
        const outcome = await client.update(kind, object, options);
        if (outcome.kind !== "conflict") this.#written(uid);
        return outcome;
      },
    };
  }

  #written(uid: string): void {
    this.#unwritten.delete(uid);
    this.#check();
  }

  /** The Pod is no longer in the API: nobody writes its status any more. */
  gone(uid: string): void {
    this.#unseen?.delete(uid);
    this.#written(uid);
  }
}
