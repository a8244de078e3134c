// pure
import { isDeepStrictEqual } from "node:util";
import { apiTime } from "./types/api-time.ts";
import type { ApiObject, ObjectMeta } from "./types/meta.ts";
import type { DeleteOptions } from "./client.ts";

/** The rules by which an API server changes an object besides what the caller wrote: pkg/registry/rest/{create,update,delete}.go of Kubernetes. */

/** A field of an object whose type does not name it; undefined when absent. */
export function fieldOf(object: unknown, ...path: readonly string[]): unknown {
  let at: unknown = object;
  for (const name of path) at = typeof at === "object" && at !== null && Object.hasOwn(at, name) ? Reflect.get(at, name) : undefined;
  return at;
}

/** The same for text: "" when absent or no text. */
export function textOf(object: unknown, ...path: readonly string[]): string {
  const value = fieldOf(object, ...path);
  return typeof value === "string" ? value : "";
}

const kindsWithStatus: ReadonlySet<string> = new Set(["Pod", "Node", "Namespace", "Service"]);
export const hasStatusSubresource = (kind: string): boolean => kindsWithStatus.has(kind);

/** As rest.BeforeCreate and the kinds' strategies: the server owns identity, times and (but for Nodes) the status. */
export function prepareCreate(object: ApiObject, identity: { readonly name: string; readonly namespace: string | undefined; readonly uid: string; readonly nowMs: number; readonly qosClass?: string }): ApiObject {
  const { resourceVersion: _r, deletionTimestamp: _d, deletionGracePeriodSeconds: _g, namespace: _n, ...metadata } = object.metadata;
  const hasSpec = fieldOf(object, "spec") !== undefined;
  const created: ApiObject = {
    ...object,
    metadata: {
      ...metadata, name: identity.name, ...(identity.namespace === undefined ? {} : { namespace: identity.namespace }),
      uid: identity.uid, creationTimestamp: apiTime(identity.nowMs), ...(hasSpec ? { generation: 1 } : {}),
    },
  };
  switch (object.kind) {
    case "Pod": return withFields(created, { status: { phase: "Pending", qosClass: identity.qosClass } });
    case "Namespace": return withFields(created, { spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } });
    case "Service": return withFields(created, { status: { loadBalancer: {} } });
    default: return created;
  }
}

/** What is stored by an update of the whole object: the caller's, but for what the server owns. */
export function prepareUpdate(current: ApiObject, next: ApiObject): ApiObject {
  const owned: Partial<ObjectMeta> = serverOwned(current.metadata);
  const specChanged = !isDeepStrictEqual(fieldOf(current, "spec"), fieldOf(next, "spec"));
  const generation = current.metadata.generation === undefined ? {} : { generation: current.metadata.generation + (specChanged ? 1 : 0) };
  const { deletionTimestamp: _d, deletionGracePeriodSeconds: _g, resourceVersion: _r, generateName: _n, ...metadata } = next.metadata;
  const merged: ApiObject = { ...next, metadata: { ...metadata, ...owned, ...generation } };
  if (!hasStatusSubresource(current.kind)) return merged;
  return withStatus(merged, fieldOf(current, "status"));
}

/** What is stored by an update of the status subresource: nothing but the status. */
export function prepareStatusUpdate(current: ApiObject, next: ApiObject): ApiObject {
  const { resourceVersion: _r, ...metadata } = current.metadata;
  return withStatus({ ...current, metadata }, fieldOf(next, "status"));
}

/** Sets fields that ApiObject does not name. */
export function withFields(object: ApiObject, fields: Readonly<Record<string, unknown>>): ApiObject {
  return { ...object, ...fields };
}

function withStatus(object: ApiObject, status: unknown): ApiObject {
  const { status: _s, ...rest } = { status: undefined, ...object };
  return { ...rest, ...(status === undefined ? {} : { status }) };
}

function serverOwned(metadata: ObjectMeta): Partial<ObjectMeta> {
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generateName } = metadata;
  return {
    ...(uid === undefined ? {} : { uid }), ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }), ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds }),
    ...(generateName === undefined ? {} : { generateName }),
  };
}

/** True when an object marked for deletion has nothing left that holds it. */
export function isFullyDeleted(object: ApiObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  return deletionTimestamp !== undefined && (deletionGracePeriodSeconds ?? 0) === 0 && (finalizers ?? []).length === 0;
}

export type DeleteDecision =
  | { readonly kind: "remove" }
  | { readonly kind: "mark"; readonly object: ApiObject }
  /** It is being deleted already and this request changes nothing. */
  | { readonly kind: "pending" };

/**
 * As rest.BeforeDelete with the Pod strategy's CheckGracefulDelete: a bound, unfinished Pod gets its grace period and stays until the
 * agent deletes it with 0; a repeated delete can only shorten the period; finalizers keep any object.
 */
export function decideDelete(current: ApiObject, options: DeleteOptions, nowMs: number): DeleteDecision {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = current.metadata;
  const held = (finalizers ?? []).length > 0;
  if (deletionTimestamp !== undefined) {
    const running = deletionGracePeriodSeconds ?? 0;
    const wanted = options.gracePeriodSeconds;
    if (running === 0) return held ? { kind: "pending" } : { kind: "remove" };
    if (wanted === undefined || wanted >= running) return { kind: "pending" };
    if (wanted === 0 && !held) return { kind: "remove" };
    return { kind: "mark", object: markDeleted(current, Date.parse(deletionTimestamp) + (wanted - running) * 1000, wanted) };
  }
  const graceSeconds = current.kind === "Pod" ? podGraceSeconds(current, options.gracePeriodSeconds) : 0;
  if (graceSeconds === 0 && !held) return { kind: "remove" };
  return { kind: "mark", object: markDeleted(current, nowMs + graceSeconds * 1000, graceSeconds) };
}

function podGraceSeconds(pod: ApiObject, requested: number | undefined): number {
  const phase = fieldOf(pod, "status", "phase");
  const nodeName = fieldOf(pod, "spec", "nodeName");
  if (nodeName === undefined || nodeName === "" || phase === "Succeeded" || phase === "Failed") return 0;
  const inSpec = fieldOf(pod, "spec", "terminationGracePeriodSeconds");
  const seconds = requested ?? (typeof inSpec === "number" ? inSpec : 30);
  return seconds < 0 ? 1 : seconds;
}

/** `generation` rises, because what the agent should do has changed. */
export function markDeleted(current: ApiObject, atMs: number, graceSeconds: number): ApiObject {
  const { resourceVersion: _r, ...metadata } = current.metadata;
  const generation = metadata.generation === undefined || metadata.deletionTimestamp !== undefined ? {} : { generation: metadata.generation + 1 };
  return { ...current, metadata: { ...metadata, ...generation, deletionTimestamp: apiTime(atMs), deletionGracePeriodSeconds: graceSeconds } };
}

const suffixLetters = "bcdfghjklmnpqrstvwxz2456789";
/** The five letters Kubernetes adds to generateName: no vowels, nothing easily confused. The prefix is cut so that the name stays a label. */
export function generatedName(prefix: string, random: () => number): string {
  const suffix = Array.from({ length: 5 }, () => suffixLetters[Math.floor(random() * suffixLetters.length)]).join("");
  return `${prefix.slice(0, 58)}${suffix}`;
}

/** A version 4 UUID from the given randomness: unique, not a secret. */
export function newUid(random: () => number): string {
  const digit = (): number => Math.floor(random() * 16);
  return "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".replace(/[xy]/g, (letter) => (letter === "x" ? digit() : 8 + (digit() % 4)).toString(16));
}
