// pure
import { nearest } from "../../../kit/nearest.ts";
import type { Capabilities, PodSecurityContext, SeccompProfile, SecurityContext, Sysctl } from "../types/pod.ts";
import { duplicate, invalid, required as requiredFault, type FieldCause } from "./fault.ts";
import { descendingPath, idNumber } from "./formats.ts";
import { boolean, choice, integer, list, record, required, text, type Check, type Rule } from "./schema.ts";
import { podSecurityContextUnsupported, securityContextUnsupported } from "./unsupported.ts";

/** Linux capabilities as Kubernetes writes them, without CAP_; from capabilities(7). */
export const capabilityNames: readonly string[] = [
  "ALL", "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER",
  "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID",
  "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM",
];

/** Kubernetes lets any text through and the container then cannot be created; here it is refused at once. */
function capabilityFaults(name: string): readonly string[] {
  if (capabilityNames.includes(name)) return [];
  const plain = name.toUpperCase().replace(/^CAP_/, "");
  const near = name.length > 100 ? undefined : nearest(plain, capabilityNames);
  return [`must be a Linux capability in capitals without CAP_${near === undefined ? "" : `; did you mean "${near}"?`}`];
}
const capabilityList = list(text({ format: capabilityFaults, keepEmpty: true }));
const capabilities: Check<Capabilities> = record<Capabilities>({ add: capabilityList, drop: capabilityList });

const profileMatchesType: Rule<SeccompProfile> = (value, { path, report, given }) => {
  if (value.type === "Localhost" && !given.has("localhostProfile")) report(requiredFault(`${path}.localhostProfile`, "must be set when seccomp type is Localhost"));
  if (value.type !== undefined && value.type !== "Localhost" && value.localhostProfile !== undefined) report(invalid(`${path}.localhostProfile`, value.localhostProfile, "can only be set when seccomp type is Localhost"));
};
const seccompProfile: Check<SeccompProfile> = record<SeccompProfile>(
  { type: required(choice(["RuntimeDefault", "Unconfined", "Localhost"])), localhostProfile: text({ format: descendingPath }) },
  { rules: [profileMatchesType] },
);

const id = integer({ check: idNumber });

const escalation: Rule<SecurityContext> = (value, { path, report }) => {
  if (value.allowPrivilegeEscalation !== false) return;
  if (value.privileged === true) report(invalid(path, value, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
  if ((value.capabilities?.add ?? []).includes("SYS_ADMIN")) report(invalid(path, value, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"));
};

export const securityContext: Check<SecurityContext> = record<SecurityContext>(
  {
    runAsUser: id,
    runAsGroup: id,
    runAsNonRoot: boolean(),
    readOnlyRootFilesystem: boolean(),
    privileged: boolean(),
    allowPrivilegeEscalation: boolean(),
    capabilities,
    seccompProfile,
  },
  { unsupported: securityContextUnsupported, rules: [escalation] },
);

const sysctlPattern = /^([a-z0-9][-_a-z0-9]*[a-z0-9]?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const namespacedSysctls = [/^kernel[./](shm|msg|sem$)/, /^fs[./]mqueue[./]/, /^net[./]/];

/** Only sysctls that belong to the Pod's own namespaces; a kubelet refuses the others too, since they would change the node. */
function sysctlFaults(name: string): readonly string[] {
  if (name.length > 253 || !sysctlPattern.test(name)) return ["must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"];
  return namespacedSysctls.some((pattern) => pattern.test(name)) ? [] : ["is not a sysctl of a Pod's own namespaces (kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*, net.*)"];
}
const sysctl: Check<Sysctl> = record<Sysctl>({ name: required(text({ format: sysctlFaults })), value: required(text({ keepEmpty: true })) });

const distinctSysctls: Rule<PodSecurityContext> = (value, { path, report }) => {
  const seen = new Set<string>();
  for (const [index, one] of (value.sysctls ?? []).entries()) {
    if (one?.name === undefined) continue;
    const name = one.name.replaceAll("/", ".");
    if (seen.has(name)) report(duplicate(`${path}.sysctls[${index}].name`, one.name));
    seen.add(name);
  }
};

export const podSecurityContext: Check<PodSecurityContext> = record<PodSecurityContext>(
  {
    runAsUser: id,
    runAsGroup: id,
    runAsNonRoot: boolean(),
    fsGroup: id,
    fsGroupChangePolicy: choice(["OnRootMismatch", "Always"]),
    supplementalGroups: list(id),
    sysctls: list(sysctl),
    seccompProfile,
  },
  { unsupported: podSecurityContextUnsupported, rules: [distinctSysctls] },
);

/** Sysctls of a namespace that the Pod shares with the node would change the node. */
export function sharedSysctlFaults(sysctls: readonly ({ readonly name?: string | undefined } | undefined)[], shared: { readonly hostNetwork: boolean; readonly hostIPC: boolean }, path: string): readonly FieldCause[] {
  return sysctls.flatMap((one, index) => {
    const name = one?.name ?? "";
    const isNet = /^net[./]/.test(name);
    if (isNet && shared.hostNetwork) return [invalid(`${path}[${index}].name`, name, "may not be specified when 'hostNetwork' is true")];
    if (!isNet && name !== "" && shared.hostIPC) return [invalid(`${path}[${index}].name`, name, "may not be specified when 'hostIPC' is true")];
    return [];
  });
}
