import { isDeepStrictEqual } from "node:util";
import type { Clock, Random } from "../../kit/clock.ts";
import type { Entry, Store, StoreEvent } from "../store/store.ts";
import { StoreError } from "../store/store.ts";
import type { ApiClient, DeleteOptions, DeleteOutcome, ListOptions, ObjectKey, ObjectList, UpdateOptions, UpdateOutcome, WatchEvent } from "./client.ts";
import { DecodeCache, decode, encode, isOfKind, kindPrefix, storeKey } from "./core-codec.ts";
import { decideDelete, fieldOf, generatedName, isFullyDeleted, markDeleted, newUid, prepareCreate, prepareStatusUpdate, prepareUpdate, withFields } from "./core-lifecycle.ts";
import { withBookmarks } from "./core-bookmarks.ts";
import { withDefaults } from "./defaults/with-defaults.ts";
import { alreadyExists, ApiError, badRequest, conflict, expired, forbidden, insufficientStorage, internalError, invalid, notFound, serviceUnavailable } from "./errors.ts";
import { matchesSelector, parseSelector, type Selector } from "./selectors.ts";
import { apiTime } from "./types/api-time.ts";
import { allKinds, namespaces, pods } from "./types/kinds.ts";
import type { ApiObject, KindDefinition } from "./types/meta.ts";
import { qosClass } from "./types/pod-resources.ts";
import { validateObject } from "./validate/validate-object.ts";
import { validateUpdate } from "./validate/validate-update.ts";

export type ApiOptions = {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** How often an idle watch is told how far it has come. */
  readonly bookmarkMs?: number;
};

/** The namespaces that may not be deleted. */
export const permanentNamespaces: readonly string[] = ["default", "kube-system"];

/** Attempts of a write that names no resourceVersion against others who write the same object at the same moment. */
const unconditionalAttempts = 20;
const generateNameAttempts = 8;
/** Kubernetes' own limit is that of an etcd request. */
const objectBytesMax = 1.5 * 1024 * 1024;

/**
 * The API server without HTTP: validation, defaults, identity, versions and deletion, straight on the store. One core per store: it
 * counts the creations in hand to know when a namespace is really empty.
 */
export function createApi(options: ApiOptions): ApiClient {
  return new Core(options);
}

class Core implements ApiClient {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #bookmarkMs: number;
  readonly #cache = new DecodeCache();
  /** Creations between their look at the namespace and their write, by namespace. */
  readonly #creating = new Map<string, number>();

  constructor(options: ApiOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#bookmarkMs = options.bookmarkMs ?? 60_000;
  }

  async create<T extends ApiObject>(kind: KindDefinition<T>, object: T, options: { readonly dryRun?: boolean } = {}): Promise<T> {
    requireKind(kind, object);
    if ((object.metadata.resourceVersion ?? "") !== "") throw badRequest("resourceVersion should not be set on objects to be created");
    if (!kind.namespaced && object.metadata.namespace !== undefined) throw badRequest(`namespace may not be set on ${kind.plural}: the kind is not namespaced`);
    const { name, generateName } = object.metadata;
    const generated = (name ?? "") === "" && generateName !== undefined && generateName !== "";
    for (let attempt = 1; ; attempt++) {
      const named = generated ? { ...object, metadata: { ...object.metadata, name: generatedName(generateName, this.#random) } } : object;
      try {
        return await this.#createNamed(kind, named, options.dryRun === true);
      } catch (error) {
        const taken = error instanceof ApiError && error.reason === "AlreadyExists";
        if (!generated || !taken || attempt >= generateNameAttempts) throw error;
      }
    }
  }

  async #createNamed<T extends ApiObject>(kind: KindDefinition<T>, object: T, dryRun: boolean): Promise<T> {
    const namespace = kind.namespaced ? (object.metadata.namespace ?? "default") : undefined;
    const complete = this.#admit(kind, withDefaults(valid(kind, namespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace } })));
    const key = storeKey(kind, complete.metadata);
    return await this.#inNamespace(namespace, async () => {
      await this.#requireNamespace(kind, complete.metadata.name, namespace);
      if (dryRun) {
        if ((await storeCall(this.#store.get(key))) !== undefined) throw alreadyExists(kind, complete.metadata.name);
        return ofKind(kind, complete);
      }
      const text = encode(complete);
      requireSize(text);
      const result = await storeCall(this.#store.create(key, text));
      if (result.kind === "exists") throw alreadyExists(kind, complete.metadata.name);
      return this.#read(kind, { key, value: text, revision: result.revision });
    });
  }

  /** Identity, times and the first status. */
  #admit(kind: KindDefinition<ApiObject>, object: ApiObject): ApiObject {
    const qos = isOfKind(pods, object) ? { qosClass: qosClass(object) } : {};
    return prepareCreate(object, { name: object.metadata.name, namespace: kind.namespaced ? object.metadata.namespace : undefined, uid: newUid(this.#random), nowMs: this.#clock.nowMs(), ...qos });
  }

  async #inNamespace<R>(namespace: string | undefined, work: () => Promise<R>): Promise<R> {
    if (namespace === undefined) return await work();
    this.#creating.set(namespace, (this.#creating.get(namespace) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const left = (this.#creating.get(namespace) ?? 1) - 1;
      if (left === 0) this.#creating.delete(namespace);
      else this.#creating.set(namespace, left);
    }
  }

  async #requireNamespace(kind: KindDefinition<ApiObject>, name: string, namespace: string | undefined): Promise<void> {
    if (namespace === undefined) return;
    const found = await this.get(namespaces, { name: namespace });
    if (found === undefined) throw notFound(namespaces, namespace);
    if (found.metadata.deletionTimestamp === undefined) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    throw forbidden(kind, name, why, [{ path: "metadata.namespace", reason: "NamespaceTerminating", message: `namespace ${namespace} is being terminated` }]);
  }

  async get<T extends ApiObject>(kind: KindDefinition<T>, key: ObjectKey): Promise<T | undefined> {
    const entry = await storeCall(this.#store.get(storeKey(kind, key)));
    return entry === undefined ? undefined : this.#read(kind, entry);
  }

  async list<T extends ApiObject>(kind: KindDefinition<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const selector = parseSelector(options, kind.kind);
    const { revision, entries } = await storeCall(this.#store.list(kindPrefix(kind, kind.namespaced ? options.namespace : undefined)));
    const items = entries.map((entry) => this.#read(kind, entry)).filter((object) => matchesSelector(selector, object));
    return { items, resourceVersion: String(revision) };
  }

  async update<T extends ApiObject>(kind: KindDefinition<T>, object: T, options: UpdateOptions = {}): Promise<UpdateOutcome<T>> {
    requireKind(kind, object);
    const key = storeKey(kind, object.metadata);
    const complete = options.subresource === "status" ? object : withDefaults(valid(kind, object));
    return await this.#change(kind, key, object, options.dryRun === true, (current) => {
      const { resourceVersion, uid } = object.metadata;
      if ((resourceVersion ?? "") !== "" && resourceVersion !== current.metadata.resourceVersion) return undefined;
      if ((uid ?? "") !== "" && uid !== current.metadata.uid) return undefined;
      if (options.subresource === "status") return valid(kind, prepareStatusUpdate(current, complete));
      const next = prepareUpdate(current, complete);
      const causes = validateUpdate(current, next);
      if (causes.length > 0) throw invalid(kind, object.metadata.name, causes);
      return next;
    });
  }

  async bind(key: ObjectKey, nodeName: string): Promise<UpdateOutcome<ApiObject>> {
    return await this.#change(pods, storeKey(pods, key), undefined, false, (current) => {
      const bound = current.spec.nodeName ?? "";
      if (bound !== "" || current.metadata.deletionTimestamp !== undefined) return undefined;
      const { resourceVersion: _r, ...metadata } = current.metadata;
      const others = (current.status?.conditions ?? []).filter((condition) => condition.type !== "PodScheduled");
      const scheduled = { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: apiTime(this.#clock.nowMs()) };
      return withFields({ ...current, metadata }, { spec: { ...current.spec, nodeName }, status: { ...current.status, conditions: [...others, scheduled] } });
    });
  }

  /** Reads, lets `next` decide (undefined = conflict), writes; again when somebody else wrote in between and `given` names no version. */
  async #change<T extends ApiObject>(kind: KindDefinition<T>, key: string, given: ApiObject | undefined, dryRun: boolean, next: (current: T) => ApiObject | undefined): Promise<UpdateOutcome<T>> {
    for (let attempt = 1; ; attempt++) {
      const entry = await storeCall(this.#store.get(key));
      if (entry === undefined) return { kind: "notFound" };
      const current = this.#read(kind, entry);
      const changed = next(current);
      if (changed === undefined) return { kind: "conflict", current };
      if (dryRun) return { kind: "updated", object: ofKind(kind, changed) };
      if (isFullyDeleted(changed)) {
        const removed = await storeCall(this.#store.delete(key, entry.revision));
        if (removed.kind === "deleted") return { kind: "updated", object: ofKind(kind, decode(key, encode(changed), removed.revision)) };
      } else {
        const text = encode(changed);
        if (isDeepStrictEqual(JSON.parse(text), JSON.parse(entry.value))) return { kind: "updated", object: current };
        requireSize(text);
        const result = await storeCall(this.#store.update(key, text, entry.revision));
        if (result.kind === "updated") return { kind: "updated", object: this.#read(kind, { key, value: text, revision: result.revision }) };
      }
      if ((given?.metadata.resourceVersion ?? "") !== "" || attempt >= unconditionalAttempts) return await this.#conflicted(kind, key);
    }
  }

  async #conflicted<T extends ApiObject>(kind: KindDefinition<T>, key: string): Promise<{ readonly kind: "conflict"; readonly current: T } | { readonly kind: "notFound" }> {
    const entry = await storeCall(this.#store.get(key));
    return entry === undefined ? { kind: "notFound" } : { kind: "conflict", current: this.#read(kind, entry) };
  }

  async delete<T extends ApiObject>(kind: KindDefinition<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<DeleteOutcome<T>> {
    if (kind.kind === "Namespace" && permanentNamespaces.includes(key.name)) throw forbidden(kind, key.name, "this namespace may not be deleted");
    const at = storeKey(kind, key);
    for (let attempt = 1; ; attempt++) {
      const entry = await storeCall(this.#store.get(at));
      if (entry === undefined) return { kind: "notFound" };
      const current = this.#read(kind, entry);
      const { uid, resourceVersion } = options.preconditions ?? {};
      if ((uid !== undefined && uid !== current.metadata.uid) || (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion)) return { kind: "conflict", current };
      const decision = kind.kind === "Namespace" ? await this.#decideNamespace(current) : decideDelete(current, options, this.#clock.nowMs());
      if (decision.kind === "pending") return { kind: "deleting", object: current };
      if (options.dryRun === true) return decision.kind === "remove" ? { kind: "deleted" } : { kind: "deleting", object: ofKind(kind, decision.object) };
      if (decision.kind === "remove") {
        const removed = await storeCall(this.#store.delete(at, entry.revision));
        if (removed.kind === "deleted") { this.#cache.forget(at); return { kind: "deleted" }; }
      } else {
        const text = encode(decision.object);
        const marked = await storeCall(this.#store.update(at, text, entry.revision));
        if (marked.kind === "updated") {
          // An empty namespace ends with the same call; one with content when its content is gone.
          if (kind.kind === "Namespace") return await this.delete(kind, key);
          return { kind: "deleting", object: this.#read(kind, { key: at, value: text, revision: marked.revision }) };
        }
      }
      if (attempt >= unconditionalAttempts) throw conflict(kind, key.name);
    }
  }

  /** A namespace is first marked, so that nothing new comes into it, and removed only when it is empty. */
  async #decideNamespace(current: ApiObject): Promise<ReturnType<typeof decideDelete>> {
    if (current.metadata.deletionTimestamp === undefined) {
      const marked = markDeleted(current, this.#clock.nowMs(), 0);
      const status = fieldOf(current, "status");
      return { kind: "mark", object: withFields(marked, { status: { ...(typeof status === "object" ? status : {}), phase: "Terminating" } }) };
    }
    if (!isFullyDeleted(current) || this.#creating.has(current.metadata.name)) return { kind: "pending" };
    for (const kind of allKinds) {
      if (!kind.namespaced) continue;
      const { entries } = await storeCall(this.#store.list(kindPrefix(kind, current.metadata.name)));
      if (entries.length > 0) return { kind: "pending" };
    }
    return { kind: "remove" };
  }

  async *watch<T extends ApiObject>(kind: KindDefinition<T>, options: ListOptions & { readonly resourceVersion: string; readonly signal: AbortSignal }): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const selector = parseSelector(options, kind.kind);
    let afterRevision = parseRevision(options.resourceVersion);
    if (afterRevision === 0) {
      const { items, resourceVersion } = await this.list(kind, options);
      for (const object of items) yield { type: "ADDED", object };
      afterRevision = Number(resourceVersion);
    }
    const prefix = kindPrefix(kind, kind.namespaced ? options.namespace : undefined);
    const start = (signal: AbortSignal) => this.#store.watch(prefix, { afterRevision, signal });
    try {
      for await (const change of withBookmarks(start, { clock: this.#clock, everyMs: this.#bookmarkMs, signal: options.signal })) {
        if (change.kind === "progress") yield { type: "BOOKMARK", resourceVersion: String(change.revision) };
        else {
          const event = this.#eventFor(kind, selector, change.event);
          if (event !== undefined) yield event;
        }
      }
    } catch (error) {
      throw asApiError(error);
    }
  }

  /** An object that leaves the selection is DELETED to this watcher, one that enters it ADDED, as in Kubernetes. */
  #eventFor<T extends ApiObject>(kind: KindDefinition<T>, selector: Selector, event: StoreEvent): WatchEvent<T> | undefined {
    const object = event.kind === "delete" ? undefined : this.#read(kind, event);
    const matches = object !== undefined && matchesSelector(selector, object);
    if (event.previous === undefined) return matches ? { type: "ADDED", object } : undefined;
    if (matches && selector.labels.length === 0 && selector.fields.length === 0) return { type: "MODIFIED", object };
    // The last state that this watcher knew, with the revision of the change that took it away.
    const before = ofKind(kind, decode(event.key, event.previous.value, event.revision));
    const matched = matchesSelector(selector, before);
    if (matches) return { type: matched ? "MODIFIED" : "ADDED", object };
    return matched ? { type: "DELETED", object: before } : undefined;
  }

  #read<T extends ApiObject>(kind: KindDefinition<T>, entry: Entry): T {
    return ofKind(kind, this.#cache.read(entry));
  }
}

function ofKind<T extends ApiObject>(kind: KindDefinition<T>, object: ApiObject): T {
  if (isOfKind(kind, object)) return object;
  throw internalError(new TypeError(`expected ${kind.apiVersion} ${kind.kind}, found ${object.apiVersion} ${object.kind} "${object.metadata.name}"`));
}

function requireKind<T extends ApiObject>(kind: KindDefinition<T>, object: ApiObject): void {
  if (!isOfKind(kind, object)) throw badRequest(`the object is ${object.apiVersion} ${object.kind}, but the request is for ${kind.apiVersion} ${kind.kind}`);
}

function valid(kind: KindDefinition<ApiObject>, object: ApiObject): ApiObject {
  const result = validateObject(object);
  if (result.kind === "invalid") throw invalid(kind, object.metadata.name, result.causes);
  return result.object;
}

function requireSize(text: string): void {
  if (text.length > objectBytesMax) throw new ApiError({ code: 413, reason: "RequestEntityTooLarge", message: `Request entity too large: the object has ${text.length} bytes, at most ${objectBytesMax} can be stored` });
}

function parseRevision(resourceVersion: string): number {
  if (resourceVersion === "") return 0;
  if (!/^\d{1,15}$/.test(resourceVersion)) throw badRequest(`Invalid value: "${resourceVersion}": resourceVersion must be a number that a list or watch returned`);
  return Number(resourceVersion);
}

async function storeCall<R>(call: Promise<R>): Promise<R> {
  try {
    return await call;
  } catch (error) {
    throw asApiError(error);
  }
}

function asApiError(error: unknown): Error {
  if (error instanceof ApiError) return error;
  if (!(error instanceof StoreError)) return internalError(error);
  switch (error.code) {
    case "Compacted": return expired(`The resourceVersion for the provided watch is too old: ${error.message}`);
    case "FutureRevision": return expired(`The resourceVersion for the provided watch is too large: ${error.message}`);
    case "Closed": return serviceUnavailable("the API server is shutting down", error);
    case "DiskFull": return insufficientStorage(error.message, error);
    default: return internalError(error);
  }
}
