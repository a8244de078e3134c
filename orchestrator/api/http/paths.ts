// pure
import type { ObjectKey } from "../client.ts";
import { groupOf } from "../errors.ts";
import { allKinds } from "../types/kinds.ts";
import type { ApiObject, KindDefinition } from "../types/meta.ts";

/** What a URL path of the Kubernetes REST API names. */
export type Route =
  | { readonly kind: "collection"; readonly definition: KindDefinition<ApiObject>; readonly namespace: string | undefined }
  | { readonly kind: "object"; readonly definition: KindDefinition<ApiObject>; readonly key: ObjectKey; readonly subresource: string | undefined }
  | { readonly kind: "document"; readonly name: "version" | "livez" | "readyz" | "healthz" | "api" | "apis" | "group" | "resources"; readonly apiVersion: string }
  | { readonly kind: "unknown" };

/** The path before the kind's plural: /api/v1, /apis/discovery.k8s.io/v1. */
export function groupPath(apiVersion: string): string {
  return groupOf(apiVersion) === "" ? `/api/${apiVersion}` : `/apis/${apiVersion}`;
}

export function collectionPath(kind: KindDefinition<ApiObject>, namespace: string | undefined): string {
  const inNamespace = kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${groupPath(kind.apiVersion)}${inNamespace}/${kind.plural}`;
}

export function objectPath(kind: KindDefinition<ApiObject>, key: ObjectKey, subresource?: string): string {
  return `${collectionPath(kind, kind.namespaced ? (key.namespace ?? "default") : undefined)}/${encodeURIComponent(key.name)}${subresource === undefined ? "" : `/${subresource}`}`;
}

export function parsePath(path: string): Route {
  const parts = decodeParts(path);
  if (parts === undefined) return { kind: "unknown" };
  const [root, ...rest] = parts;
  switch (root) {
    case "version": case "livez": case "readyz": case "healthz": return rest.length === 0 ? { kind: "document", name: root, apiVersion: "" } : { kind: "unknown" };
    case "api": return rest.length === 0 ? { kind: "document", name: "api", apiVersion: "" } : parseInGroup(rest[0] ?? "", rest.slice(1));
    case "apis":
      if (rest.length === 0) return { kind: "document", name: "apis", apiVersion: "" };
      return rest.length === 1 ? groupRoute(rest[0] ?? "") : parseInGroup(`${rest[0]}/${rest[1]}`, rest.slice(2));
    default: return { kind: "unknown" };
  }
}

function decodeParts(path: string): readonly string[] | undefined {
  try {
    const parts = path.replace(/^\//, "").replace(/\/$/, "").split("/").map((part) => decodeURIComponent(part));
    // An encoded slash would leave its place in the store.
    return parts.some((part) => part === "" || part.includes("/")) ? undefined : parts;
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function groupRoute(group: string): Route {
  return group !== "" && allKinds.some((kind) => groupOf(kind.apiVersion) === group) ? { kind: "document", name: "group", apiVersion: group } : { kind: "unknown" };
}

function parseInGroup(apiVersion: string, parts: readonly string[]): Route {
  const kinds = allKinds.filter((kind) => kind.apiVersion === apiVersion);
  if (kinds.length === 0) return { kind: "unknown" };
  if (parts.length === 0) return { kind: "document", name: "resources", apiVersion };
  // A namespace itself is an object of the kind Namespace; a longer path is what lies in it.
  const inside = parts[0] === "namespaces" && parts.length >= 3 ? kinds.find((kind) => kind.namespaced && kind.plural === parts[2]) : undefined;
  const namespace = inside === undefined ? undefined : parts[1];
  const [plural, name, subresource, ...more] = inside === undefined ? parts : parts.slice(2);
  const definition = inside ?? kinds.find((kind) => kind.plural === plural);
  if (definition === undefined || more.length > 0) return { kind: "unknown" };
  if (name === undefined) return { kind: "collection", definition, namespace };
  if (definition.namespaced && namespace === undefined) return { kind: "unknown" };
  return { kind: "object", definition, key: { name, ...(namespace === undefined ? {} : { namespace }) }, subresource };
}
