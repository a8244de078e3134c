import type { Entry } from "../store/store.ts";
import type { ApiObject, KindDefinition } from "./types/meta.ts";
import type { ObjectKey } from "./client.ts";
import { groupOf } from "./errors.ts";

/** Where a kind's objects are kept: /registry/[group/]plural/[namespace/]name. */
export function kindPrefix(kind: Pick<KindDefinition<ApiObject>, "apiVersion" | "plural">, namespace?: string): string {
  const group = groupOf(kind.apiVersion);
  return `/registry/${group === "" ? "" : `${group}/`}${kind.plural}/${namespace === undefined ? "" : `${namespace}/`}`;
}

export function storeKey(kind: KindDefinition<ApiObject>, key: ObjectKey): string {
  return kindPrefix(kind, kind.namespaced ? (key.namespace ?? "default") : undefined) + key.name;
}

/** The text that is stored: without resourceVersion, which is the revision of the text itself. */
export function encode(object: ApiObject): string {
  const { resourceVersion: _r, ...metadata } = object.metadata;
  return JSON.stringify({ ...object, metadata });
}

const isApiObject = (value: unknown): value is ApiObject =>
  typeof value === "object" && value !== null && "kind" in value && typeof value.kind === "string" && "metadata" in value && typeof value.metadata === "object" && value.metadata !== null;

/** @throws {SyntaxError} If the text is no object, which only a damaged store can hold. */
export function decode(key: string, value: string, revision: number): ApiObject {
  const parsed: unknown = JSON.parse(value);
  if (!isApiObject(parsed)) throw new SyntaxError(`Cannot read ${key} at revision ${revision}: it holds no API object`);
  return deepFreeze({ ...parsed, metadata: { ...parsed.metadata, resourceVersion: String(revision) } });
}

/** Objects are shared between all readers in the process, so nobody may change one. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const name of Object.keys(value)) deepFreeze(Reflect.get(value, name));
  return value;
}

export const isOfKind = <T extends ApiObject>(kind: KindDefinition<T>, object: ApiObject): object is T => object.kind === kind.kind && object.apiVersion === kind.apiVersion;

/** Parsed objects by key, so that a list or a watch of many readers parses each revision once. Bounded; the oldest key leaves first. */
export class DecodeCache {
  readonly #objects = new Map<string, { readonly revision: number; readonly object: ApiObject }>();
  readonly #capacity: number;
  constructor(capacity = 10_000) { this.#capacity = capacity; }

  read(entry: Entry): ApiObject {
    const known = this.#objects.get(entry.key);
    if (known?.revision === entry.revision) return known.object;
    const object = decode(entry.key, entry.value, entry.revision);
    if (known === undefined || known.revision < entry.revision) {
      this.#objects.set(entry.key, { revision: entry.revision, object });
      if (this.#objects.size > this.#capacity) for (const oldest of this.#objects.keys()) { this.#objects.delete(oldest); break; }
    }
    return object;
  }

  forget(key: string): void {
    this.#objects.delete(key);
  }
}
