import { backoffDelayMs, type Backoff } from "../../kit/backoff.ts";
import type { Clock, Random } from "../../kit/clock.ts";
import type { ApiClient, ListOptions } from "./client.ts";
import { isGone } from "./errors.ts";
import type { ApiObject, KindDefinition } from "./types/meta.ts";

export type InformerOptions<T extends ApiObject> = {
  readonly client: ApiClient;
  readonly kind: KindDefinition<T>;
  readonly namespace?: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random?: Random;
  /** Called after the cache has changed, with the key of objectKeyOf; undefined = gone. Must not throw: put the key on a queue and return. */
  readonly onChange?: (key: string, object: T | undefined) => void;
  /** A list or watch that failed and will be tried again. */
  readonly onError?: (error: unknown) => void;
};

export type Informer<T extends ApiObject> = {
  /** Resolves after the first list; rejects with the signal's reason when it is aborted before. */
  readonly synced: Promise<void>;
  /** Resolves when the signal is aborted and the informer has stopped. */
  readonly done: Promise<void>;
  get(key: string): T | undefined;
  list(): readonly T[];
};

const retry: Backoff = { initialMs: 200, maxMs: 30_000, factor: 2, jitter: 0.5 };

/** `namespace/name`, or `name` of a kind without namespaces. */
export function objectKeyOf(object: ApiObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/**
 * A cache of one kind, kept by list and watch, after client-go's reflector. It lists again when its place in the history is gone (410)
 * or the watch fails, after a back-off, and reports what differs from what it knew. Every change is reported, and the cache is never
 * older than what was reported; changes that follow one another quickly may be reported as one after a new list. Reconcile by key.
 */
export function startInformer<T extends ApiObject>(options: InformerOptions<T>): Informer<T> {
  const cache = new Map<string, T>();
  const { promise: synced, resolve: isSynced, reject: isOver } = Promise.withResolvers<void>();
  // Who does not wait for `synced` need not handle its rejection.
  synced.catch(() => undefined);
  const done = run(options, cache, isSynced).finally(() => isOver(options.signal.reason));
  return { synced, done, get: (key) => cache.get(key), list: () => [...cache.values()] };
}

async function run<T extends ApiObject>(options: InformerOptions<T>, cache: Map<string, T>, isSynced: () => void): Promise<void> {
  const { signal, clock, random = Math.random } = options;
  const selection: ListOptions = {
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
  };
  let resourceVersion: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      if (resourceVersion === undefined) {
        const listed = await options.client.list(options.kind, selection);
        replaceAll(cache, listed.items, options.onChange);
        resourceVersion = listed.resourceVersion;
        isSynced();
      }
      for await (const event of options.client.watch(options.kind, { ...selection, resourceVersion, signal })) {
        failures = 0;
        resourceVersion = event.type === "BOOKMARK" ? event.resourceVersion : (event.object.metadata.resourceVersion ?? resourceVersion);
        if (event.type !== "BOOKMARK") apply(cache, event, options.onChange);
      }
      // A server ends a watch now and then; go on from where it ended, but never in a tight loop.
      if (!signal.aborted) await clock.sleep(backoffDelayMs(retry, failures++, random), signal);
    } catch (error) {
      if (signal.aborted) return;
      // A watch from the last revision cannot be trusted after a failure that is not understood.
      resourceVersion = undefined;
      options.onError?.(error);
      // The history was compacted under a slow watch: nothing is broken, only the first repetition waits little.
      const attempt = isGone(error) && failures === 0 ? 0 : failures;
      failures++;
      await clock.sleep(backoffDelayMs(retry, attempt, random), signal).catch(() => undefined);
    }
  }
}

function apply<T extends ApiObject>(cache: Map<string, T>, event: { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }, onChange: InformerOptions<T>["onChange"]): void {
  const key = objectKeyOf(event.object);
  if (event.type === "DELETED") cache.delete(key);
  else cache.set(key, event.object);
  onChange?.(key, event.type === "DELETED" ? undefined : event.object);
}

function replaceAll<T extends ApiObject>(cache: Map<string, T>, items: readonly T[], onChange: InformerOptions<T>["onChange"]): void {
  const listed = new Map(items.map((item) => [objectKeyOf(item), item] as const));
  const gone = [...cache.keys()].filter((key) => !listed.has(key));
  const changed = [...listed].filter(([key, item]) => cache.get(key)?.metadata.resourceVersion !== item.metadata.resourceVersion || cache.get(key)?.metadata.uid !== item.metadata.uid);
  for (const key of gone) cache.delete(key);
  for (const [key, item] of changed) cache.set(key, item);
  for (const key of gone) onChange?.(key, undefined);
  for (const [key, item] of changed) onChange?.(key, item);
}
