// pure
import type { DownwardAPIVolumeFile, Volume, VolumeProjection } from "../types/pod.ts";
import { fieldRefWithDefaults, resourceFieldRefWithDefaults } from "./references.ts";

/** Kubernetes' default permission bits of files in volumes: rw-r--r--. */
const defaultMode = 0o644;

export function volumeWithDefaults(volume: Volume): Volume {
  const { configMap, secret, downwardAPI, projected, hostPath } = volume;
  if (configMap !== undefined) return { ...volume, configMap: { ...configMap, defaultMode: configMap.defaultMode ?? defaultMode } };
  if (secret !== undefined) return { ...volume, secret: { ...secret, defaultMode: secret.defaultMode ?? defaultMode } };
  if (downwardAPI !== undefined) return { ...volume, downwardAPI: { ...withFiles(downwardAPI), defaultMode: downwardAPI.defaultMode ?? defaultMode } };
  if (hostPath !== undefined) return { ...volume, hostPath: { ...hostPath, type: hostPath.type ?? "" } };
  if (projected !== undefined) {
    const sources = projected.sources === undefined ? {} : { sources: projected.sources.map(projectionWithDefaults) };
    return { ...volume, projected: { ...projected, ...sources, defaultMode: projected.defaultMode ?? defaultMode } };
  }
  return volume;
}

function projectionWithDefaults(projection: VolumeProjection): VolumeProjection {
  return projection.downwardAPI === undefined ? projection : { ...projection, downwardAPI: withFiles(projection.downwardAPI) };
}

function withFiles<T extends { readonly items?: readonly DownwardAPIVolumeFile[] }>(source: T): T {
  return source.items === undefined ? source : { ...source, items: source.items.map(fileWithDefaults) };
}

function fileWithDefaults(file: DownwardAPIVolumeFile): DownwardAPIVolumeFile {
  const { fieldRef, resourceFieldRef } = file;
  return { ...file, ...(fieldRef === undefined ? {} : { fieldRef: fieldRefWithDefaults(fieldRef) }), ...(resourceFieldRef === undefined ? {} : { resourceFieldRef: resourceFieldRefWithDefaults(resourceFieldRef) }) };
}
