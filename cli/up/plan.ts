// pure
import { createHash } from "node:crypto";
import { namespaces, findKind } from "../../orchestrator/api/types/kinds.ts";
import type { ApiObject, KindDefinition, ObjectMeta } from "../../orchestrator/api/types/meta.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure } from "../failure.ts";
import { appliedAnnotation, isPod, isService } from "../print/kinds.ts";

/** A hash of the content the object was applied with, and which labels and annotations are the manifest's, so that those it no longer has can be taken away while others' stay. */
type AppliedRecord = { readonly content: string; readonly labels: readonly string[]; readonly annotations: readonly string[] };

/** What has to be done to have the object as the manifest wants it. */
export type Step =
  | { readonly kind: "create"; readonly object: ApiObject }
  | { readonly kind: "unchanged" }
  | { readonly kind: "update"; readonly object: ApiObject; readonly before: ApiObject }
  | { readonly kind: "replace"; readonly object: ApiObject; readonly before: ApiObject; readonly changed: string };

/**
 * `wanted` has its defaults filled in. A Pod whose specification differs in anything is replaced: even the few fields that may be
 * changed in place would restart its containers without the order of a start.
 */
export function planStep(wanted: ApiObject, live: ApiObject | undefined): Step {
  if (live === undefined) return { kind: "create", object: withRecord(wanted, wanted.metadata) };
  const record = readRecord(live);
  const content = contentHash(wanted);
  const changed = firstDifference(contentOf(wanted), contentOf(live), "") ?? (record !== undefined && record.content !== content ? "a field was taken out" : undefined);
  if (changed !== undefined && isPod(wanted)) return { kind: "replace", object: withRecord(wanted, wanted.metadata), before: live, changed };
  const metadata = mergeMetadata(wanted.metadata, live.metadata, record);
  const labelsDiffer = !same(metadata.labels ?? {}, live.metadata.labels ?? {}) || !same(withoutRecord(metadata.annotations), withoutRecord(live.metadata.annotations));
  if (changed === undefined && !labelsDiffer && record !== undefined) return { kind: "unchanged" };
  const base = isPod(wanted) ? { ...live } : { ...live, ...wanted };
  return { kind: "update", object: withRecord({ ...base, metadata }, wanted.metadata, content), before: live };
}

/** Namespaces first, then what Pods refer to, Pods last; otherwise the order of the files. */
export function applyOrder<T extends ApiObject>(objects: readonly T[]): readonly T[] {
  const rank: Readonly<Record<string, number>> = { Namespace: 0, ConfigMap: 1, Secret: 1, Service: 2, Pod: 4 };
  return objects.toSorted((left, right) => (rank[left.kind] ?? 3) - (rank[right.kind] ?? 3));
}

/**
 * The order in which objects end: first the Pods that no Service among them selects, then, when those are gone, the rest. A Pod behind a
 * Service may be what others need to finish: a log receiver, a database. Within a wave all end at once.
 */
export function removalWaves(objects: readonly ApiObject[]): readonly (readonly ApiObject[])[] {
  const selectors = objects.filter(isService).flatMap((service) => (service.spec.selector === undefined ? [] : [{ namespace: service.metadata.namespace, wanted: Object.entries(service.spec.selector) }]));
  const serves = (object: ApiObject): boolean =>
    selectors.some(({ namespace, wanted }) => namespace === object.metadata.namespace && wanted.length > 0 && wanted.every(([key, value]) => object.metadata.labels?.[key] === value));
  const users = objects.filter((object) => isPod(object) && !serves(object));
  return [users, objects.filter((object) => !users.includes(object))].filter((wave) => wave.length > 0);
}

/** The definition of an object's kind. The reader of manifests lets no other pass. */
export function kindOfObject(object: ApiObject): KindDefinition<ApiObject> {
  const kind = findKind(object.apiVersion, object.kind);
  if (kind === undefined) throw new CliFailure(cliExit.config, `podkit has no kind ${object.kind} of ${object.apiVersion}`);
  return kind;
}

/** Namespaces that objects need and neither the cluster nor the manifests have. */
export function missingNamespaces(objects: readonly ApiObject[], existing: ReadonlySet<string>): readonly string[] {
  const made = new Set(objects.filter((object) => object.kind === namespaces.kind).map((object) => object.metadata.name));
  const needed = new Set(objects.flatMap((object) => (object.metadata.namespace === undefined ? [] : [object.metadata.namespace])));
  return [...needed].filter((name) => !existing.has(name) && !made.has(name));
}

function contentOf(object: ApiObject): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !["apiVersion", "kind", "metadata", "status"].includes(key)));
}

const contentHash = (object: ApiObject): string => createHash("sha256").update(canonical(contentOf(object))).digest("hex").slice(0, 32);

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, child]) => child !== undefined).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return `{${entries.map(([key, child]) => `${JSON.stringify(key)}:${canonical(child)}`).join(",")}}`;
}

const same = (left: unknown, right: unknown): boolean => canonical(left) === canonical(right);

/** The path of the first field that is wanted otherwise than it is; what only the live object has (set by the server) does not count. */
function firstDifference(wanted: unknown, live: unknown, path: string): string | undefined {
  if (Array.isArray(wanted) && Array.isArray(live)) {
    if (wanted.length !== live.length) return path;
    for (const [index, item] of wanted.entries()) {
      const found = firstDifference(item, live[index], `${path}[${index}]`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (typeof wanted === "object" && wanted !== null && typeof live === "object" && live !== null && !Array.isArray(wanted) && !Array.isArray(live)) {
    const fields = new Map<string, unknown>(Object.entries(live));
    for (const [key, child] of Object.entries(wanted)) {
      if (child === undefined) continue;
      const found = firstDifference(child, fields.get(key), path === "" ? key : `${path}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return same(wanted, live) ? undefined : path;
}

function mergeMetadata(wanted: ObjectMeta, live: ObjectMeta, record: AppliedRecord | undefined): ObjectMeta {
  const merge = (ours: Readonly<Record<string, string>> | undefined, theirs: Readonly<Record<string, string>> | undefined, applied: readonly string[]): Record<string, string> =>
    Object.fromEntries([...Object.entries(theirs ?? {}).filter(([key]) => !applied.includes(key)), ...Object.entries(ours ?? {})]);
  return { ...live, labels: merge(wanted.labels, live.labels, record?.labels ?? []), annotations: merge(wanted.annotations, live.annotations, record?.annotations ?? []) };
}

function withRecord(object: ApiObject, wanted: ObjectMeta, content = contentHash(object)): ApiObject {
  const record: AppliedRecord = { content, labels: Object.keys(wanted.labels ?? {}), annotations: Object.keys(withoutRecord(wanted.annotations)) };
  return { ...object, metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [appliedAnnotation]: JSON.stringify(record) } } };
}

const withoutRecord = (annotations: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(annotations ?? {}).filter(([key]) => key !== appliedAnnotation));

function readRecord(object: ApiObject): AppliedRecord | undefined {
  const text = object.metadata.annotations?.[appliedAnnotation];
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("content" in value) || typeof value.content !== "string") return undefined;
    const names = (list: unknown): readonly string[] => (Array.isArray(list) ? list.filter((name) => typeof name === "string") : []);
    return { content: value.content, labels: names("labels" in value ? value.labels : undefined), annotations: names("annotations" in value ? value.annotations : undefined) };
  } catch {
    return undefined; // somebody else's text: the object counts as never applied
  }
}
