// pure
import type { ConfigMap } from "../types/config-map.ts";
import type { ApiObject } from "../types/meta.ts";
import type { Node } from "../types/node.ts";
import type { Container, Pod, Toleration } from "../types/pod.ts";
import type { Secret } from "../types/secret.ts";
import type { Service } from "../types/service.ts";
import { isEqualJson } from "./equal.ts";
import { forbidden, invalid, type FieldCause } from "./fault.ts";
import { isKind } from "./validate-object.ts";

const immutable = "field is immutable";

/**
 * Faults of replacing `old` by `next`, both valid and defaulted: what Kubernetes does not let an update change. Writing the
 * status and binding a Pod to a node are operations of their own there, and are not judged here.
 */
export function validateUpdate(old: ApiObject, next: ApiObject): readonly FieldCause[] {
  return [...metadataFaults(old, next), ...kindFaults(old, next)];
}

function kindFaults(old: ApiObject, next: ApiObject): readonly FieldCause[] {
  if (isKind(old, "Pod") && isKind(next, "Pod")) return podFaults(old, next);
  if (isKind(old, "ConfigMap") && isKind(next, "ConfigMap")) return frozenDataFaults(old, next, ["data", "binaryData"]);
  if (isKind(old, "Secret") && isKind(next, "Secret")) return secretFaults(old, next);
  if (isKind(old, "Service") && isKind(next, "Service")) return serviceFaults(old, next);
  if (isKind(old, "Node") && isKind(next, "Node")) return nodeFaults(old, next);
  if (isKind(old, "EndpointSlice") && isKind(next, "EndpointSlice") && old.addressType !== next.addressType) return [invalid("addressType", next.addressType, immutable)];
  return [];
}

function metadataFaults(old: ApiObject, next: ApiObject): readonly FieldCause[] {
  const faults: FieldCause[] = [];
  for (const field of ["apiVersion", "kind"] as const) if (old[field] !== next[field]) faults.push(invalid(field, next[field], immutable));
  for (const field of ["name", "namespace", "uid", "creationTimestamp"] as const)
    if (next.metadata[field] !== old.metadata[field]) faults.push(invalid(`metadata.${field}`, next.metadata[field] ?? "", immutable));
  return faults;
}

const podUpdates =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

function podFaults(old: Pod, next: Pod): readonly FieldCause[] {
  const faults: FieldCause[] = [];
  let containersFit = true;
  for (const list of ["containers", "initContainers"] as const) {
    if ((old.spec[list] ?? []).length === (next.spec[list] ?? []).length) continue;
    containersFit = false;
    faults.push(forbidden(`spec.${list}`, "pod updates may not add or remove containers"));
  }
  faults.push(...deadlineFaults(old.spec.activeDeadlineSeconds, next.spec.activeDeadlineSeconds), ...tolerationFaults(old.spec.tolerations ?? [], next.spec.tolerations ?? []));
  if (containersFit && !isEqualJson(frozenPart(old), frozenPart(next))) faults.push(forbidden("spec", podUpdates));
  return faults;
}

/** The spec without what may change. */
function frozenPart(pod: Pod): unknown {
  const withoutImage = ({ image: _image, ...rest }: Container): Omit<Container, "image"> => rest;
  const { containers, initContainers = [], activeDeadlineSeconds: _deadline, tolerations: _tolerations, ...rest } = pod.spec;
  return { ...rest, containers: containers.map(withoutImage), initContainers: initContainers.map(withoutImage) };
}

function deadlineFaults(old: number | undefined, next: number | undefined): readonly FieldCause[] {
  const path = "spec.activeDeadlineSeconds";
  if (old === undefined || next === old) return [];
  if (next === undefined) return [invalid(path, null, "must not update from a positive integer to nil value")];
  return next > old ? [invalid(path, next, `must be less than or equal to previous value`)] : [];
}

function tolerationFaults(old: readonly Toleration[], next: readonly Toleration[]): readonly FieldCause[] {
  // The seconds of a toleration may change; everything else of an old one has to stay.
  const same = (left: Toleration, right: Toleration): boolean => isEqualJson({ ...left, tolerationSeconds: 0 }, { ...right, tolerationSeconds: 0 });
  const kept = old.every((one) => next.some((other) => same(one, other)));
  return kept ? [] : [forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")];
}

function frozenDataFaults<T extends ConfigMap | Secret>(old: T, next: T, fields: readonly (keyof T & string)[]): readonly FieldCause[] {
  if (old.immutable !== true) return [];
  const detail = "field is immutable when `immutable` is set";
  const faults = next.immutable === true ? [] : [forbidden("immutable", detail)];
  return [...faults, ...fields.filter((field) => !isEqualJson(old[field] ?? {}, next[field] ?? {})).map((field) => forbidden(field, detail))];
}

function secretFaults(old: Secret, next: Secret): readonly FieldCause[] {
  const type = old.type === next.type ? [] : [invalid("type", next.type ?? "", immutable)];
  return [...type, ...frozenDataFaults(old, next, ["data"])];
}

/** A Service without an address got none allocated, but on a real cluster it has one, which cannot be taken away. */
function serviceFaults(old: Service, next: Service): readonly FieldCause[] {
  const bothPlain = old.spec.type !== "ExternalName" && next.spec.type !== "ExternalName";
  return bothPlain && old.spec.clusterIP === undefined && next.spec.clusterIP !== undefined ? [invalid("spec.clusterIPs[0]", next.spec.clusterIP, "may not change once set")] : [];
}

function nodeFaults(old: Node, next: Node): readonly FieldCause[] {
  const faults: FieldCause[] = [];
  if ((old.spec?.podCIDRs ?? []).length > 0 && !isEqualJson(old.spec?.podCIDRs, next.spec?.podCIDRs)) faults.push(forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
  if (old.spec?.providerID !== undefined && old.spec.providerID !== next.spec?.providerID) faults.push(forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'));
  return faults;
}
