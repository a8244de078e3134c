// pure
import { parseQuantity } from "../types/quantity.ts";
import type { EnvFromSource, EnvVar, EnvVarSource, KeySelector, ObjectFieldSelector, ReferenceToAll, ResourceFieldSelector } from "../types/pod.ts";
import { quantity } from "./common.ts";
import { invalid, notSupported, required as requiredFault } from "./fault.ts";
import { configMapKey, envVarName, qualifiedName } from "./formats.ts";
import { boolean, record, required, text, type Check, type Rule, type RuleContext } from "./schema.ts";
import { envSourceUnsupported } from "./unsupported.ts";

/** Fields of the Pod that an environment variable can show. */
export const envFieldPaths: readonly string[] = ["metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"];
/** Fields of the Pod that a file of a downwardAPI volume can show. */
export const volumeFieldPaths: readonly string[] = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
/** Resources that a resourceFieldRef can show. */
export const resourceFields: readonly string[] = ["limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];

const cpuDivisors = ["1m", "1"];
const memoryDivisors = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

export function fieldRef(paths: readonly string[]): Check<ObjectFieldSelector> {
  const rule: Rule<ObjectFieldSelector> = (value, { path, report }) => {
    if (value.apiVersion !== undefined && value.apiVersion !== "v1") report(invalid(`${path}.apiVersion`, value.apiVersion, "must be v1"));
    const fieldPath = value.fieldPath;
    if (fieldPath === undefined) return;
    const subscript = splitSubscript(fieldPath);
    if (subscript === undefined) {
      if (paths.includes(fieldPath)) return;
      if (envFieldPaths.includes(fieldPath) || volumeFieldPaths.includes(fieldPath)) report(notSupported(`${path}.fieldPath`, fieldPath, paths));
      else report(invalid(`${path}.fieldPath`, fieldPath, `error converting fieldPath: field label not supported: ${fieldPath}`));
      return;
    }
    for (const detail of subscriptFaults(subscript)) report(invalid(`${path}.fieldPath`, subscript.subscript, detail));
  };
  return record<ObjectFieldSelector>({ apiVersion: text(), fieldPath: required(text()) }, { rules: [rule] });
}

/** `metadata.labels['key']` -> path and key; undefined without a subscript. */
export function splitSubscript(fieldPath: string): { readonly path: string; readonly subscript: string } | undefined {
  if (!fieldPath.endsWith("']")) return undefined;
  const at = fieldPath.indexOf("['");
  return at <= 0 ? undefined : { path: fieldPath.slice(0, at), subscript: fieldPath.slice(at + 2, -2) };
}

function subscriptFaults({ path, subscript }: { readonly path: string; readonly subscript: string }): readonly string[] {
  if (path === "metadata.labels") return qualifiedName(subscript);
  if (path === "metadata.annotations") return qualifiedName(subscript.toLowerCase());
  return [`subscript is not supported for field path "${path}"`];
}

export function resourceFieldRef(options: { readonly containerNameRequired: boolean }): Check<ResourceFieldSelector> {
  const rule: Rule<ResourceFieldSelector> = (value, { path, report }) => {
    if (options.containerNameRequired && value.containerName === undefined) report(requiredFault(`${path}.containerName`));
    const { resource, divisor } = value;
    if (resource === undefined) return;
    if (!resourceFields.includes(resource)) report(notSupported(`${path}.resource`, resource, resourceFields));
    else if (divisor !== undefined) checkDivisor(resource, divisor, `${path}.divisor`, report);
  };
  return record<ResourceFieldSelector>({ containerName: text(), resource: required(text()), divisor: quantity }, { rules: [rule] });
}

function checkDivisor(resource: string, divisor: string, path: string, report: RuleContext["report"]): void {
  const isCpu = resource.endsWith(".cpu");
  const allowed = isCpu ? cpuDivisors : memoryDivisors;
  const nano = parseQuantity(divisor).nano;
  if (nano !== 0n && !allowed.some((one) => parseQuantity(one).nano === nano)) {
    const values = isCpu ? `${allowed.join(" and ")} are supported with the cpu resource` : `${allowed.join(", ")} are supported with the memory resource`;
    report(invalid(path, divisor, `only divisor's values ${values}`));
  }
}

const keySelector: Check<KeySelector> = record<KeySelector>({ name: required(text()), key: required(text({ format: configMapKey })), optional: boolean() });

const sources = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"];
const oneSource: Rule<EnvVarSource> = (_, { path, report, given }) => {
  const count = sources.filter((key) => given.has(key)).length;
  if (count > 1) report(invalid(path, "", "may not have more than one field specified at a time"));
  if (given.size === 0) report(invalid(path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"));
};
const valueFrom = record<EnvVarSource>(
  { fieldRef: fieldRef(envFieldPaths), resourceFieldRef: resourceFieldRef({ containerNameRequired: false }), configMapKeyRef: keySelector, secretKeyRef: keySelector },
  { unsupported: envSourceUnsupported, rules: [oneSource] },
);

const valueOrSource: Rule<EnvVar> = (value, { path, report, given }) => {
  if (value.value !== undefined && given.has("valueFrom")) report(invalid(`${path}.valueFrom`, "", "may not be specified when `value` is not empty"));
};
export const envVar: Check<EnvVar> = record<EnvVar>({ name: required(text({ format: envVarName })), value: text(), valueFrom }, { rules: [valueOrSource] });

const reference: Check<ReferenceToAll> = record<ReferenceToAll>({ name: required(text()), optional: boolean() });
const oneReference: Rule<EnvFromSource> = (_, { path, report, given }) => {
  const count = ["configMapRef", "secretRef"].filter((key) => given.has(key)).length;
  if (count > 1) report(invalid(path, "", "may not have more than one field specified at a time"));
  if (count === 0) report(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
};
export const envFrom: Check<EnvFromSource> = record<EnvFromSource>({ prefix: text({ format: envVarName }), configMapRef: reference, secretRef: reference }, { rules: [oneReference] });

