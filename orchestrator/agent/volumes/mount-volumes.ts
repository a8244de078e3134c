import { mkdir } from "node:fs/promises";
import type { Container, Pod, Volume } from "../../api/types/pod.ts";
import { toBytes } from "../../api/types/quantity.ts";
import type { Mount, Runtime } from "../../runtime/runtime.ts";
import { memoryVolumeName, podLabels } from "../container-build.ts";
import type { Referenced } from "../env/environment.ts";
import { expand } from "../env/expand.ts";
import { ConfigError, type FieldContext } from "../env/field-ref.ts";
import type { PodPaths } from "../pod-paths.ts";
import { writeAtomically } from "./atomic-writer.ts";
import { makeEmptyDirectory } from "./empty-dir.ts";
import { prepareHostPath } from "./host-path.ts";
import { volumePayload } from "./payload.ts";
import { resolveSubPath } from "./sub-path.ts";

export type MountedVolume =
  /** `writable` false: the content is the API's (configMap, secret, downwardAPI, projected). */
  | { readonly kind: "directory"; readonly path: string; readonly writable: boolean }
  | { readonly kind: "memory"; readonly volumeName: string };
export type MountedVolumes = ReadonlyMap<string, MountedVolume>;

export type VolumeContext = { readonly cluster: string; readonly pod: Pod; readonly paths: PodPaths; readonly runtime: Runtime; readonly referenced: Referenced; readonly fields: FieldContext };

/** A volume that cannot be used, in the words of the kubelet's FailedMount event. */
export class MountError extends Error {
  constructor(volume: string, cause: unknown) {
    super(`MountVolume.SetUp failed for volume "${volume}" : ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "MountError";
  }
}

/**
 * Makes every volume of the Pod usable, or brings the content of API volumes up to date; safe to repeat. Throws MountError for the first
 * that fails. Secrets are written to the state directory (mode 0700 above them), not to a tmpfs as the kubelet does.
 */
export async function mountVolumes(context: VolumeContext): Promise<MountedVolumes> {
  await mkdir(context.paths.volumes, { recursive: true, mode: 0o700 });
  const mounted = new Map<string, MountedVolume>();
  for (const volume of context.pod.spec.volumes ?? []) {
    try {
      mounted.set(volume.name, await mountVolume(context, volume));
    } catch (error) {
      throw new MountError(volume.name, error);
    }
  }
  return mounted;
}

async function mountVolume(context: VolumeContext, volume: Volume): Promise<MountedVolume> {
  const path = context.paths.volume(volume.name);
  const gid = context.pod.spec.securityContext?.fsGroup;
  if (volume.hostPath !== undefined) {
    await prepareHostPath(volume.hostPath);
    return { kind: "directory", path: volume.hostPath.path, writable: true };
  }
  if (volume.emptyDir !== undefined) {
    if (volume.emptyDir.medium === "Memory") return await memoryVolume(context, volume, gid);
    await makeEmptyDirectory(path, gid);
    return { kind: "directory", path, writable: true };
  }
  await writeAtomically(path, volumePayload(context.pod, volume, context.referenced, context.fields), gid);
  return { kind: "directory", path, writable: false };
}

async function memoryVolume(context: VolumeContext, volume: Volume, gid: number | undefined): Promise<MountedVolume> {
  const name = memoryVolumeName(context.cluster, context.pod.metadata.uid ?? "", volume.name);
  const limit = volume.emptyDir?.sizeLimit;
  await context.runtime.ensureVolume({ name, labels: podLabels(context.cluster, context.pod), tmpfs: { mode: gid === undefined ? 0o1777 : 0o2777, ...(limit === undefined ? {} : { sizeBytes: toBytes(limit) }), ...(gid === undefined ? {} : { gid }) } });
  return { kind: "memory", volumeName: name };
}

/** Where a container sees the Pod's volumes. Throws ConfigError, which becomes CreateContainerConfigError. */
export async function volumeMounts(container: Container, volumes: MountedVolumes, variables: ReadonlyMap<string, string>): Promise<readonly Mount[]> {
  return await Promise.all((container.volumeMounts ?? []).map(async (mount): Promise<Mount> => {
    const volume = volumes.get(mount.name);
    if (volume === undefined) throw new ConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    const subPath = mount.subPathExpr === undefined ? mount.subPath : expandAll(mount.subPathExpr, variables);
    const readOnly = mount.readOnly ?? false;
    if (volume.kind === "memory") {
      if (subPath !== undefined && subPath !== "") throw new ConfigError(`subPath on the emptyDir "${mount.name}" with medium Memory is not supported: mount the whole volume, or use the default medium`);
      return { kind: "volume", name: volume.volumeName, target: mount.mountPath, readOnly };
    }
    const source = subPath === undefined || subPath === "" ? volume.path : await subPathSource(mount.name, volume.path, subPath);
    return { kind: "bind", source, target: mount.mountPath, readOnly: readOnly || !volume.writable, propagation: mount.mountPropagation === "Bidirectional" ? "rshared" : mount.mountPropagation === "HostToContainer" ? "rslave" : "rprivate" };
  }));
}

async function subPathSource(volume: string, root: string, subPath: string): Promise<string> {
  try {
    return await resolveSubPath(root, subPath);
  } catch (error) {
    throw new ConfigError(`failed to prepare subPath for volumeMount "${volume}" of container: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function expandAll(expression: string, variables: ReadonlyMap<string, string>): string {
  return expand(expression, (name) => {
    const value = variables.get(name);
    if (value === undefined) throw new ConfigError(`cannot expand subPathExpr "${expression}": there is no variable ${name}`);
    return value;
  });
}
