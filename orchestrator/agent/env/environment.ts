// pure
import type { ConfigMap } from "../../api/types/config-map.ts";
import type { Container, EnvVar, Pod } from "../../api/types/pod.ts";
import type { Secret } from "../../api/types/secret.ts";
import { expand } from "./expand.ts";
import { ConfigError, fieldValue, resourceValue, type FieldContext } from "./field-ref.ts";

/** The ConfigMaps and Secrets that a Pod refers to, by name; undefined for those that do not exist. */
export type Referenced = { readonly configMaps: ReadonlyMap<string, ConfigMap | undefined>; readonly secrets: ReadonlyMap<string, Secret | undefined> };
export type Environment = { readonly variables: ReadonlyMap<string, string>; /** Sentences for InvalidEnvironmentVariableNames events. */ readonly skipped: readonly string[] };

/** What Kubernetes takes as a variable's name in envFrom (relaxed since 1.30: printable ASCII but "="). */
const variableName = /^[\x20-\x3c\x3e-\x7e]+$/;

/** A container's environment: envFrom in order, then env, each able to refer to those before it. Throws ConfigError with the kubelet's words. */
export function buildEnvironment(pod: Pod, container: Container, referenced: Referenced, context: FieldContext): Environment {
  const variables = new Map<string, string>();
  const skipped: string[] = [];
  for (const source of container.envFrom ?? []) {
    const { kind, name, optional, data } = source.configMapRef === undefined
      ? { kind: "secret", ...source.secretRef, data: decodeSecret(referenced.secrets.get(source.secretRef?.name ?? "")) }
      : { kind: "configMap", ...source.configMapRef, data: referenced.configMaps.get(source.configMapRef.name)?.data ?? (referenced.configMaps.get(source.configMapRef.name) === undefined ? undefined : {}) };
    if (data === undefined) {
      if (optional === true) continue;
      throw new ConfigError(`${kind.toLowerCase()} "${name ?? ""}" not found`);
    }
    const names = Object.keys(data).map((key) => ({ key, variable: `${source.prefix ?? ""}${key}` }));
    const invalid = names.filter(({ variable }) => !variableName.test(variable)).map(({ key }) => key).toSorted();
    for (const { key, variable } of names) if (!invalid.includes(key)) variables.set(variable, data[key] ?? "");
    if (invalid.length > 0) skipped.push(`Keys [${invalid.join(", ")}] from the EnvFrom ${kind} ${pod.metadata.namespace ?? "default"}/${name ?? ""} were skipped since they are considered invalid environment variable names.`);
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(pod, container, variable, variables, referenced, context);
    if (value !== undefined) variables.set(variable.name, value);
  }
  return { variables, skipped };
}

function variableValue(pod: Pod, container: Container, variable: EnvVar, before: ReadonlyMap<string, string>, referenced: Referenced, context: FieldContext): string | undefined {
  const from = variable.valueFrom;
  if (from === undefined) return expand(variable.value ?? "", (name) => before.get(name));
  if (from.fieldRef !== undefined) return fieldValue(pod, from.fieldRef.fieldPath, context);
  if (from.resourceFieldRef !== undefined) return resourceValue(pod, container, from.resourceFieldRef, context);
  const namespace = pod.metadata.namespace ?? "default";
  const ref = from.configMapKeyRef ?? from.secretKeyRef;
  if (ref === undefined) return "";
  const isConfigMap = from.configMapKeyRef !== undefined;
  const data = isConfigMap ? referenced.configMaps.get(ref.name) : referenced.secrets.get(ref.name);
  if (data === undefined) return missing(ref.optional, `${isConfigMap ? "configmap" : "secret"} "${ref.name}" not found`);
  const value = (isConfigMap ? data.data : decodeSecret(referenced.secrets.get(ref.name)))?.[ref.key];
  return value ?? missing(ref.optional, `couldn't find key ${ref.key} in ${isConfigMap ? "ConfigMap" : "Secret"} ${namespace}/${ref.name}`);
}

function missing(optional: boolean | undefined, message: string): undefined {
  if (optional !== true) throw new ConfigError(message);
  return undefined;
}

function decodeSecret(secret: Secret | undefined): Readonly<Record<string, string>> | undefined {
  if (secret === undefined) return undefined;
  return Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]));
}

/** Names of the ConfigMaps and Secrets that the Pod's environment and volumes use. */
export function references(pod: Pod): { readonly configMaps: ReadonlySet<string>; readonly secrets: ReadonlySet<string> } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const add = (set: Set<string>, name: string | undefined): void => void (name === undefined || set.add(name));
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    for (const source of container.envFrom ?? []) {
      add(configMaps, source.configMapRef?.name);
      add(secrets, source.secretRef?.name);
    }
    for (const variable of container.env ?? []) {
      add(configMaps, variable.valueFrom?.configMapKeyRef?.name);
      add(secrets, variable.valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of pod.spec.volumes ?? []) {
    add(configMaps, volume.configMap?.name);
    add(secrets, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add(configMaps, source.configMap?.name);
      add(secrets, source.secret?.name);
    }
  }
  return { configMaps, secrets };
}
