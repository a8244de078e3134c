// pure
import type { Container, Pod } from "../api/types/pod.ts";
import { ConfigError } from "./env/field-ref.ts";
import type { ContainerSpec, ImageInfo } from "../runtime/runtime.ts";

export type SecuritySpec = Pick<ContainerSpec, "user" | "supplementalGroups" | "readOnlyRootFilesystem" | "privileged" | "noNewPrivileges" | "capabilitiesAdd" | "capabilitiesDrop" | "seccomp">;

/**
 * Without a seccompProfile the engine's default applies, as with the kubelet's seccompDefault; a privileged container is unconfined.
 * The container's security context laid over the Pod's. `localhostProfile` gives the text of a seccomp profile. Throws ConfigError as the kubelet words it. */
export function securitySpec(pod: Pod, container: Container, image: ImageInfo, localhostProfile: (path: string) => string): SecuritySpec {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const uid = own.runAsUser ?? shared.runAsUser;
  const gid = own.runAsGroup ?? shared.runAsGroup;
  if (own.runAsNonRoot ?? shared.runAsNonRoot ?? false) checkNonRoot(pod, container, uid, image);
  const user = userOf(uid, gid, image);
  const profile = own.seccompProfile ?? shared.seccompProfile;
  const privileged = own.privileged ?? false;
  return {
    ...(user === undefined ? {} : { user }),
    supplementalGroups: [...(shared.supplementalGroups ?? []), ...(shared.fsGroup === undefined ? [] : [shared.fsGroup])],
    readOnlyRootFilesystem: own.readOnlyRootFilesystem ?? false,
    privileged,
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    capabilitiesAdd: own.capabilities?.add ?? [],
    capabilitiesDrop: own.capabilities?.drop ?? [],
    seccomp: privileged || profile?.type === "Unconfined" ? { kind: "unconfined" } : profile?.type === "Localhost" ? { kind: "profile", json: localhostProfile(profile.localhostProfile ?? "") } : { kind: "runtimeDefault" },
  };
}

function userOf(uid: number | undefined, gid: number | undefined, image: ImageInfo): string | undefined {
  if (gid === undefined) return uid === undefined ? undefined : String(uid);
  return `${uid ?? (image.user.split(":")[0] || "0")}:${gid}`;
}

function checkNonRoot(pod: Pod, container: Container, uid: number | undefined, image: ImageInfo): void {
  const where = `(pod: "${pod.metadata.name}_${pod.metadata.namespace ?? "default"}(${pod.metadata.uid ?? ""})", container: ${container.name})`;
  if (uid !== undefined) {
    if (uid === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${where}`);
    return;
  }
  const user = image.user.split(":")[0] ?? "";
  if (user === "" || user === "0") throw new ConfigError(`container has runAsNonRoot and image will run as root ${where}`);
  if (!/^\d+$/.test(user)) throw new ConfigError(`container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root ${where}`);
}
