import type { ApiObject, KindDefinition } from "./types/meta.ts";

/**
 * The only way in which scheduler, controllers, agent, network and cli reach objects. Two implementations with one contract
 * suite (test/contract/api-client): in process on the API server's core, and over HTTP (undici, Unix socket or TCP) with
 * Kubernetes REST paths. Failures other than the expected outcomes below throw ApiError carrying a Kubernetes Status.
 */
export interface ApiClient {
  /** Throws ApiError AlreadyExists (409), Invalid (422, with causes), NotFound (namespace). `generateName` is honoured. `dryRun` validates and defaults without storing. */
  create<T extends ApiObject>(kind: KindDefinition<T>, object: T, options?: { readonly dryRun?: boolean }): Promise<T>;
  get<T extends ApiObject>(kind: KindDefinition<T>, key: ObjectKey): Promise<T | undefined>;
  list<T extends ApiObject>(kind: KindDefinition<T>, options?: ListOptions): Promise<ObjectList<T>>;
  /** Compares metadata.resourceVersion when the object carries one. With subresource "status" only status is taken. */
  update<T extends ApiObject>(kind: KindDefinition<T>, object: T, options?: UpdateOptions): Promise<UpdateOutcome<T>>;
  /** Pods: without gracePeriodSeconds 0, first sets deletionTimestamp and leaves the rest to the agent, as Kubernetes does. */
  delete<T extends ApiObject>(kind: KindDefinition<T>, key: ObjectKey, options?: DeleteOptions): Promise<DeleteOutcome<T>>;
  /** Binds a Pod to a node (the binding subresource). Conflict when it is bound already. */
  bind(key: ObjectKey, nodeName: string): Promise<UpdateOutcome<ApiObject>>;
  /** Changes after `resourceVersion`; "0" or "" first gives everything there is as ADDED. Ends without an error when the signal aborts. In order, with bookmarks. Throws ApiError Gone (410) when that revision is compacted: list again. */
  watch<T extends ApiObject>(kind: KindDefinition<T>, options: ListOptions & { readonly resourceVersion: string; readonly signal: AbortSignal }): AsyncIterable<WatchEvent<T>>;
}

export type ObjectKey = { readonly namespace?: string; readonly name: string };
export type ListOptions = { readonly namespace?: string; readonly labelSelector?: string; readonly fieldSelector?: string };
export type ObjectList<T> = { readonly items: readonly T[]; readonly resourceVersion: string };
export type UpdateOutcome<T> = { readonly kind: "updated"; readonly object: T } | { readonly kind: "conflict"; readonly current: T } | { readonly kind: "notFound" };
/** `dryRun` answers as if, without storing. */
export type UpdateOptions = { readonly subresource?: "status"; readonly dryRun?: boolean };
export type DeleteOptions = { readonly dryRun?: boolean;  readonly gracePeriodSeconds?: number; readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } };
export type DeleteOutcome<T> = { readonly kind: "deleted" } | { readonly kind: "deleting"; readonly object: T } | { readonly kind: "notFound" } | { readonly kind: "conflict"; readonly current: T };
export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };
