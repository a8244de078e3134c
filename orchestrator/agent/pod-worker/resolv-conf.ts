import { readFile } from "node:fs/promises";
import type { Pod } from "../../api/types/pod.ts";
import type { ClusterDns } from "../pod-files.ts";

type ResolvConf = { readonly nameservers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] };

/** The resolv.conf of a Pod by its dnsPolicy and dnsConfig. Without a cluster DNS server ClusterFirst falls back to Default, as in Kubernetes. */
export async function resolvConfFile(pod: Pod, dns: ClusterDns): Promise<string> {
  return buildResolvConf(pod, dns, await nodeResolvConf());
}

export function buildResolvConf(pod: Pod, dns: ClusterDns, node: ResolvConf): string {
  const base = baseFor(pod, dns, node);
  const own = pod.spec.dnsConfig;
  const ownOptions = (own?.options ?? []).map((option) => (option.value === undefined ? option.name : `${option.name}:${option.value}`));
  const overridden = new Set((own?.options ?? []).map((option) => option.name));
  const options = [...base.options.filter((option) => !overridden.has(option.split(":")[0] ?? option)), ...ownOptions];
  const searches = [...new Set([...base.searches, ...(own?.searches ?? [])])];
  return [
    ...[...new Set([...base.nameservers, ...(own?.nameservers ?? [])])].map((server) => `nameserver ${server}`),
    ...(searches.length === 0 ? [] : [`search ${searches.join(" ")}`]),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}`]),
    "",
  ].join("\n");
}

function baseFor(pod: Pod, dns: ClusterDns, node: ResolvConf): ResolvConf {
  const policy = pod.spec.dnsPolicy ?? "ClusterFirst";
  if (policy === "None") return { nameservers: [], searches: [], options: [] };
  const clusterFirst = policy === "ClusterFirstWithHostNet" || (policy === "ClusterFirst" && pod.spec.hostNetwork !== true);
  if (!clusterFirst || dns.server === undefined) return node;
  const namespace = pod.metadata.namespace ?? "default";
  return { nameservers: [dns.server], searches: [`${namespace}.svc.${dns.domain}`, `svc.${dns.domain}`, dns.domain, ...node.searches], options: ["ndots:5"] };
}

/** The node's servers without loopback addresses, which mean something else inside a Pod; systemd-resolved keeps the real ones apart. */
async function nodeResolvConf(): Promise<ResolvConf> {
  for (const path of ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"]) {
    const text = await readFile(path, "utf8").catch(() => undefined); // absent: try the next
    const parsed = text === undefined ? undefined : parseResolvConf(text);
    if (parsed !== undefined && parsed.nameservers.length > 0) return parsed;
  }
  return { nameservers: [], searches: [], options: [] };
}

export function parseResolvConf(text: string): ResolvConf {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const words = (keyword: string): readonly string[] => lines.filter(([first]) => first === keyword).flatMap((line) => line.slice(1));
  return { nameservers: words("nameserver").filter((server) => !server.startsWith("127.") && server !== "::1"), searches: words("search").filter((domain) => domain !== "."), options: words("options") };
}
