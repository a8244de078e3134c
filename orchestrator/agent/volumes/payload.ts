// pure
import type { ConfigMap } from "../../api/types/config-map.ts";
import type { DownwardAPIVolumeFile, KeyToPath, Pod, Volume } from "../../api/types/pod.ts";
import type { Secret } from "../../api/types/secret.ts";
import type { Referenced } from "../env/environment.ts";
import { ConfigError, fieldValue, resourceValue, type FieldContext } from "../env/field-ref.ts";

/** The files of a configMap, secret, downwardAPI or projected volume, by path relative to the volume. */
export type Payload = ReadonlyMap<string, PayloadFile>;
export type PayloadFile = { readonly data: Uint8Array; readonly mode: number };

const defaultMode = 0o644;

/** Throws ConfigError, worded as the kubelet's mount failures, when something that is not optional does not exist. */
export function volumePayload(pod: Pod, volume: Volume, referenced: Referenced, context: FieldContext): Payload {
  const files = new Map<string, PayloadFile>();
  const addAll = (payload: Payload): void => payload.forEach((file, path) => void files.set(path, file));
  if (volume.configMap !== undefined) addAll(configMapFiles(volume.configMap, volume.configMap.defaultMode, referenced));
  if (volume.secret !== undefined) addAll(secretFiles({ ...volume.secret, name: volume.secret.secretName }, volume.secret.defaultMode, referenced));
  if (volume.downwardAPI !== undefined) addAll(downwardFiles(pod, volume.downwardAPI.items, volume.downwardAPI.defaultMode, context));
  for (const source of volume.projected?.sources ?? []) {
    const mode = volume.projected?.defaultMode;
    if (source.configMap !== undefined) addAll(configMapFiles(source.configMap, mode, referenced));
    if (source.secret !== undefined) addAll(secretFiles(source.secret, mode, referenced));
    if (source.downwardAPI !== undefined) addAll(downwardFiles(pod, source.downwardAPI.items, mode, context));
  }
  return files;
}

type KeySource = { readonly name: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean };

function configMapFiles(source: KeySource, mode: number | undefined, referenced: Referenced): Payload {
  const object = referenced.configMaps.get(source.name);
  if (object === undefined && source.optional !== true) throw new ConfigError(`configmap "${source.name}" not found`);
  return selected(source, configMapBytes(object), mode, (key) => `configmap references non-existent config key: ${key}`);
}

function secretFiles(source: KeySource, mode: number | undefined, referenced: Referenced): Payload {
  const object = referenced.secrets.get(source.name);
  if (object === undefined && source.optional !== true) throw new ConfigError(`secret "${source.name}" not found`);
  return selected(source, secretBytes(object), mode, (key) => `references non-existent secret key: ${key}`);
}

function configMapBytes(object: ConfigMap | undefined): ReadonlyMap<string, Uint8Array> {
  const text = Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "utf8")] as const);
  return new Map([...text, ...base64Entries(object?.binaryData)]);
}

function secretBytes(object: Secret | undefined): ReadonlyMap<string, Uint8Array> {
  return new Map(base64Entries(object?.data));
}

function base64Entries(data: Readonly<Record<string, string>> | undefined): readonly (readonly [string, Uint8Array])[] {
  return Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")] as const);
}

function selected(source: KeySource, data: ReadonlyMap<string, Uint8Array>, mode: number | undefined, absent: (key: string) => string): Payload {
  const files = new Map<string, PayloadFile>();
  if (source.items === undefined || source.items.length === 0) {
    for (const [key, bytes] of data) files.set(key, { data: bytes, mode: mode ?? defaultMode });
    return files;
  }
  for (const item of source.items) {
    const bytes = data.get(item.key);
    if (bytes !== undefined) files.set(item.path, { data: bytes, mode: item.mode ?? mode ?? defaultMode });
    else if (source.optional !== true) throw new ConfigError(absent(item.key));
  }
  return files;
}

function downwardFiles(pod: Pod, items: readonly DownwardAPIVolumeFile[] | undefined, mode: number | undefined, context: FieldContext): Payload {
  return new Map((items ?? []).map((item) => {
    const value = item.fieldRef === undefined ? resourceValue(pod, undefined, item.resourceFieldRef ?? { resource: "" }, context) : fieldValue(pod, item.fieldRef.fieldPath, context);
    return [item.path, { data: Buffer.from(value, "utf8"), mode: item.mode ?? mode ?? defaultMode }] as const;
  }));
}
