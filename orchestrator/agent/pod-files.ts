// pure
import type { Pod } from "../api/types/pod.ts";

export type ClusterDns = { readonly server: string | undefined; readonly domain: string };

const hostnameBytesMax = 63;

/** The hostname that the Pod's processes see, and the domain when a subdomain gives it one. */
export function podHostname(pod: Pod, dns: ClusterDns): { readonly hostname: string; readonly domain: string | undefined } {
  const short = pod.spec.hostname ?? pod.metadata.name.slice(0, hostnameBytesMax).replace(/[-.]+$/, "");
  const domain = pod.spec.subdomain === undefined || pod.spec.subdomain === "" ? undefined : `${pod.spec.subdomain}.${pod.metadata.namespace ?? "default"}.svc.${dns.domain}`;
  return { hostname: pod.spec.setHostnameAsFQDN === true && domain !== undefined ? `${short}.${domain}` : short, domain };
}

/** The kubelet's hosts file of a Pod with its own network. */
export function hostsFile(pod: Pod, podIp: string, dns: ClusterDns): string {
  const { hostname, domain } = podHostname({ ...pod, spec: { ...pod.spec, setHostnameAsFQDN: false } }, dns);
  const own = domain === undefined ? `${podIp}\t${hostname}` : `${podIp}\t${hostname}.${domain}\t${hostname}`;
  return [
    "# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback", "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix", "fe00::1\tip6-allnodes", "fe00::2\tip6-allrouters", own, "",
  ].join("\n") + hostAliases(pod);
}

/** The node's own hosts file plus the Pod's aliases, for hostNetwork. */
export function hostNetworkHostsFile(pod: Pod, nodeHosts: string): string {
  return `# Kubernetes-managed hosts file (host network).\n${nodeHosts}${hostAliases(pod)}`;
}

function hostAliases(pod: Pod): string {
  const aliases = pod.spec.hostAliases ?? [];
  if (aliases.length === 0) return "";
  return `\n# Entries added by HostAliases.\n${aliases.map((alias) => `${[alias.ip, ...(alias.hostnames ?? [])].join("\t")}\n`).join("")}`;
}
