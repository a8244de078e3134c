// pure
import { nearest } from "../../../kit/nearest.ts";
import { allKinds, type KnownObject } from "../types/kinds.ts";
import type { ApiObject } from "../types/meta.ts";
import { configMap } from "./config-map.ts";
import { endpointSlice } from "./endpoint-slice.ts";
import { event } from "./event.ts";
import { invalid, required, wrongType, type FieldCause } from "./fault.ts";
import { namespace } from "./namespace.ts";
import { node } from "./node.ts";
import { pod } from "./pod.ts";
import { isMap, type Check } from "./schema.ts";
import { secret } from "./secret.ts";
import { service } from "./service.ts";
import { unsupportedKinds } from "./unsupported.ts";

export type { FieldCause, FaultReason } from "./fault.ts";

export type ValidationResult = { readonly kind: "ok"; readonly object: KnownObject } | { readonly kind: "invalid"; readonly causes: readonly FieldCause[] };

/** The table of each kind, by kind: `listFields(schemas.Pod)` lists what is supported and what is refused by name. */
export const schemas: { readonly [K in KnownObject["kind"]]: Check<Extract<KnownObject, { readonly kind: K }>> } = {
  Pod: pod,
  Service: service,
  ConfigMap: configMap,
  Secret: secret,
  Node: node,
  Namespace: namespace,
  Event: event,
  EndpointSlice: endpointSlice,
};

/**
 * Checks a JSON value as an object of one of the served kinds, strictly: unknown and unsupported fields are faults, and all
 * faults are reported at once, with Kubernetes' paths and words.
 *
 * The object returned is rebuilt: fields that Kubernetes does not tell from absent ones (null, "" and empty lists where the
 * wire format omits them) are gone and quantities are canonical, so that equal meanings compare equal. It shares nothing with
 * the value. Defaults are not filled in. `metadata.name` is required here: a caller that serves generateName has to make the
 * name first, and a namespaced object needs its namespace.
 */
export function validateObject(value: unknown): ValidationResult {
  const kindFaults = checkKind(value);
  if (kindFaults.length > 0 || !isMap(value)) return { kind: "invalid", causes: kindFaults };
  const causes: FieldCause[] = [];
  const check = Object.entries(schemas).find(([kind]) => kind === value["kind"])?.[1];
  const object = check?.run(value, "", (cause) => causes.push(cause));
  return causes.length === 0 && isKnownObject(object) ? { kind: "ok", object } : { kind: "invalid", causes };
}

/** Vouches for the type after the table of its kind has passed without a fault. */
function isKnownObject(value: unknown): value is KnownObject {
  return isMap(value) && typeof value["kind"] === "string" && Object.hasOwn(schemas, value["kind"]);
}

/** Narrows an object that came from the API, and so has passed validation, to its kind's type. */
export function isKind<K extends KnownObject["kind"]>(object: ApiObject, kind: K): object is Extract<KnownObject, { readonly kind: K }> {
  return object.kind === kind;
}

/** Faults of apiVersion and kind; when there are any, no table can be chosen for the rest. */
export function checkKind(value: unknown): readonly FieldCause[] {
  if (!isMap(value)) return [wrongType("", value, "a map")];
  const { apiVersion, kind } = value;
  const causes: FieldCause[] = [];
  if (apiVersion === undefined || apiVersion === null || apiVersion === "") causes.push(required("apiVersion"));
  else if (typeof apiVersion !== "string") causes.push(wrongType("apiVersion", apiVersion, "a string"));
  if (kind === undefined || kind === null || kind === "") causes.push(required("kind"));
  else if (typeof kind !== "string") causes.push(wrongType("kind", kind, "a string"));
  if (causes.length > 0 || typeof apiVersion !== "string" || typeof kind !== "string") return causes;
  return [...kindFault(apiVersion, kind)];
}

function kindFault(apiVersion: string, kind: string): readonly FieldCause[] {
  const definition = allKinds.find((one) => one.kind === kind);
  if (definition !== undefined) return definition.apiVersion === apiVersion ? [] : [invalid("apiVersion", apiVersion, `${kind} is served as ${definition.apiVersion}`)];
  if (Object.hasOwn(unsupportedKinds, kind)) {
    const hint = unsupportedKinds[kind] ?? "";
    return [{ path: "kind", reason: "FieldValueNotSupported", message: `"${kind}" is a kind of Kubernetes that podkit does not support yet${hint === "" ? "" : `; ${hint}`}` }];
  }
  const near = kind.length > 100 ? undefined : nearest(kind, [...allKinds.map((one) => one.kind), "List", ...Object.keys(unsupportedKinds)]);
  return [{ path: "kind", reason: "FieldValueNotSupported", message: `"${kind.slice(0, 100)}" is not a kind podkit knows${near === undefined ? "" : `; did you mean "${near}"?`}` }];
}
