// pure
import type { Container, PodSpec } from "../types/pod.ts";
import { duplicate, forbidden, invalid, notFound, required as requiredFault, type FieldCause } from "./fault.ts";
import { sleepFault } from "./probe.ts";
import { reportDuplicates, type Loose, type Rule, type RuleContext } from "./schema.ts";
import { sharedSysctlFaults } from "./security.ts";

type LooseSpec = Loose<PodSpec>;
type LooseContainer = Loose<Container> | undefined;

/** Init containers come first, as Kubernetes starts them first. */
function eachContainer(spec: LooseSpec, path: string): readonly { readonly container: LooseContainer; readonly at: string }[] {
  return (["initContainers", "containers"] as const).flatMap((list) => (spec[list] ?? []).map((container, index) => ({ container, at: `${path}.${list}[${index}]` })));
}

const distinctContainers: Rule<PodSpec> = (spec, { path, report }) => {
  const all = eachContainer(spec, path);
  reportDuplicates(all, ({ container }) => container?.name, (index) => `${all[index]?.at ?? path}.name`, report);
};

const distinctVolumes: Rule<PodSpec> = (spec, { path, report }) => {
  reportDuplicates(spec.volumes ?? [], (volume) => volume?.name, (index) => `${path}.volumes[${index}].name`, report);
};

const mountsHaveVolumes: Rule<PodSpec> = (spec, { path, report }) => {
  const names = new Set((spec.volumes ?? []).map((volume) => volume?.name));
  for (const { container, at } of eachContainer(spec, path))
    for (const [index, mount] of (container?.volumeMounts ?? []).entries()) if (mount?.name !== undefined && !names.has(mount.name)) report(notFound(`${at}.volumeMounts[${index}].name`, mount.name));
};

/** The engine mounts a tmpfs volume as a whole alone. */
const noSubPathInMemory: Rule<PodSpec> = (spec, { path, report }) => {
  const inMemory = new Set((spec.volumes ?? []).filter((volume) => volume?.emptyDir?.medium === "Memory").map((volume) => volume?.name));
  for (const { container, at } of eachContainer(spec, path))
    for (const [index, mount] of (container?.volumeMounts ?? []).entries())
      for (const field of ["subPath", "subPathExpr"] as const)
        if (inMemory.has(mount?.name) && (mount?.[field] ?? "") !== "") report(forbidden(`${at}.volumeMounts[${index}].${field}`, `podkit does not support ${field} on a Memory emptyDir yet: mount the whole volume, or leave out the medium`));
};

/** Two containers cannot bind one port of the node. Init containers that end before are compared among themselves alone. */
const distinctHostPorts: Rule<PodSpec> = (spec, { path, report }) => {
  const seen = new Set<string>();
  for (const { container, at } of eachContainer(spec, path)) {
    const endsBefore = at.includes(".initContainers[") && container?.restartPolicy !== "Always";
    const taken = endsBefore ? new Set<string>() : seen;
    for (const [index, port] of (container?.ports ?? []).entries()) {
      if (port?.hostPort === undefined) continue;
      const key = `${port.protocol ?? "TCP"}/${port.hostIP ?? ""}/${port.hostPort}`;
      if (taken.has(key)) report(duplicate(`${at}.ports[${index}].hostPort`, key));
      taken.add(key);
    }
  }
};

const hostNetworkPorts: Rule<PodSpec> = (spec, { path, report }) => {
  if (spec.hostNetwork !== true) return;
  for (const { container, at } of eachContainer(spec, path))
    for (const [index, port] of (container?.ports ?? []).entries())
      if (port?.hostPort !== undefined && port.hostPort !== port.containerPort) report(invalid(`${at}.ports[${index}].containerPort`, port.containerPort, "must match `hostPort` when `hostNetwork` is true"));
};

/** Kubernetes accepts an unknown container here and then never starts the Pod. */
const resourceRefsHaveContainers: Rule<PodSpec> = (spec, { path, report }) => {
  const names = new Set(eachContainer(spec, path).map(({ container }) => container?.name));
  const check = (name: string | undefined, at: string): void => {
    if (name !== undefined && !names.has(name)) report(notFound(`${at}.resourceFieldRef.containerName`, name));
  };
  for (const { container, at } of eachContainer(spec, path))
    for (const [index, one] of (container?.env ?? []).entries()) check(one?.valueFrom?.resourceFieldRef?.containerName, `${at}.env[${index}].valueFrom`);
  for (const [index, volume] of (spec.volumes ?? []).entries()) {
    const at = `${path}.volumes[${index}]`;
    for (const [item, file] of (volume?.downwardAPI?.items ?? []).entries()) check(file?.resourceFieldRef?.containerName, `${at}.downwardAPI.items[${item}]`);
    for (const [source, one] of (volume?.projected?.sources ?? []).entries())
      for (const [item, file] of (one?.downwardAPI?.items ?? []).entries()) check(file?.resourceFieldRef?.containerName, `${at}.projected.sources[${source}].downwardAPI.items[${item}]`);
  }
};

/** A named port of a probe or hook must be one of the container's own. Kubernetes accepts others and the probe then always fails. */
const handlerPortsExist: Rule<PodSpec> = (spec, { path, report }) => {
  for (const { container, at } of eachContainer(spec, path)) {
    const names = new Set((container?.ports ?? []).map((port) => port?.name));
    for (const [where, port] of handlerPorts(container)) if (typeof port === "string" && !names.has(port)) report(notFound(`${at}.${where}.port`, port));
  }
};

function handlerPorts(container: LooseContainer): readonly (readonly [where: string, port: number | string | undefined])[] {
  const probes = (["livenessProbe", "readinessProbe", "startupProbe"] as const).flatMap((name) => [[`${name}.httpGet`, container?.[name]?.httpGet?.port] as const, [`${name}.tcpSocket`, container?.[name]?.tcpSocket?.port] as const]);
  const hooks = (["postStart", "preStop"] as const).map((name) => [`lifecycle.${name}.httpGet`, container?.lifecycle?.[name]?.httpGet?.port] as const);
  return [...probes, ...hooks];
}

const hooksEndInTime: Rule<PodSpec> = (spec, { path, report }) => {
  const graceSeconds = spec.terminationGracePeriodSeconds ?? 30;
  for (const { container, at } of eachContainer(spec, path))
    for (const name of ["postStart", "preStop"] as const) {
      const fault = sleepFault(container?.lifecycle?.[name], graceSeconds, `${at}.lifecycle.${name}`);
      if (fault !== undefined) report(fault);
    }
};

const dns: Rule<PodSpec> = (spec, { path, report, given }) => {
  if (spec.dnsPolicy !== "None") return;
  if (!given.has("dnsConfig")) report(requiredFault(`${path}.dnsConfig`, "must provide `dnsConfig` when `dnsPolicy` is None"));
  else if ((spec.dnsConfig?.nameservers ?? []).length === 0) report(requiredFault(`${path}.dnsConfig.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None"));
};

const namespaces: Rule<PodSpec> = (spec, { path, report }) => {
  if (spec.shareProcessNamespace === true && spec.hostPID === true) report(invalid(`${path}.shareProcessNamespace`, true, "ShareProcessNamespace and HostPID cannot both be enabled"));
  const shared = { hostNetwork: spec.hostNetwork === true, hostIPC: spec.hostIPC === true };
  for (const fault of sharedSysctlFaults(spec.securityContext?.sysctls ?? [], shared, `${path}.securityContext.sysctls`)) report(fault);
};

const singleValues: Rule<PodSpec> = (spec, context) => {
  if (spec.hostUsers === false) reportAt(context, "hostUsers", false, "must be true: podkit maps no user namespaces");
  if (spec.automountServiceAccountToken === true) reportAt(context, "automountServiceAccountToken", true, "must be false: podkit has no service accounts and mounts no token");
};

function reportAt({ path, report }: RuleContext, field: string, value: unknown, detail: string): void {
  const fault: FieldCause = invalid(`${path}.${field}`, value, detail);
  report(fault);
}

/** Rules of a Pod's spec that look at more than one field. */
export const podSpecRules: readonly Rule<PodSpec>[] = [
  distinctContainers, distinctVolumes, mountsHaveVolumes, noSubPathInMemory, distinctHostPorts, hostNetworkPorts, resourceRefsHaveContainers, handlerPortsExist, hooksEndInTime, dns, namespaces, singleValues,
];
