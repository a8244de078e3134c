// pure
import type { HostAlias, Pod, PodDNSConfig, PodDNSConfigOption, PodSpec, Toleration } from "../types/pod.ts";
import { ip } from "./common.ts";
import { container, initContainer } from "./container.ts";
import { invalid } from "./fault.ts";
import { atLeastZero, dns1123Label, dns1123Subdomain, inRange, qualifiedName } from "./formats.ts";
import { labels, metadata } from "./metadata.ts";
import { podSpecRules } from "./pod-rules.ts";
import { podStatus } from "./pod-status.ts";
import { boolean, choice, flag, integer, list, record, required, text, type Check, type Format, type Rule } from "./schema.ts";
import { podSecurityContext } from "./security.ts";
import { tolerationRule } from "./toleration.ts";
import { podSpecUnsupported } from "./unsupported.ts";
import { volume } from "./volume.ts";

const searchDomain: Format = (domain) => (domain === "." ? [] : dns1123Subdomain(domain.replace(/\.$/, "")));

const dnsLimits: Rule<PodDNSConfig> = (value, { path, report }) => {
  const { nameservers = [], searches = [] } = value;
  if (nameservers.length > 3) report(invalid(`${path}.nameservers`, nameservers, "must not have more than 3 nameservers"));
  if (searches.length > 32) report(invalid(`${path}.searches`, searches, "must not have more than 32 search paths"));
  if (searches.join(" ").length > 2048) report(invalid(`${path}.searches`, searches, "must not have more than 2048 characters (including spaces) in the search list"));
};
const dnsOption = record<PodDNSConfigOption>({ name: required(text()), value: text({ keepEmpty: true }) });
const dnsConfig: Check<PodDNSConfig> = record<PodDNSConfig>({ nameservers: list(ip), searches: list(text({ format: searchDomain })), options: list(dnsOption) }, { rules: [dnsLimits] });

const hostAlias: Check<HostAlias> = record<HostAlias>({ ip: required(ip), hostnames: list(text({ format: dns1123Subdomain })) });

const toleration: Check<Toleration> = record<Toleration>(
  { key: text({ format: qualifiedName }), operator: choice(["Exists", "Equal"]), value: text(), effect: choice(["NoSchedule", "PreferNoSchedule", "NoExecute"]), tolerationSeconds: integer() },
  { rules: [tolerationRule] },
);

/** One accepted value, with the reason why the others are not. */
function only(value: string, why: string): Check<string> {
  return text({ format: (given) => (given === value ? [] : [`must be ${value}: ${why}`]) });
}
const serviceAccount = only("default", "podkit has no service accounts");

const spec: Check<PodSpec> = record<PodSpec>(
  {
    containers: required(list(container)),
    initContainers: list(initContainer),
    volumes: list(volume),
    restartPolicy: choice(["Always", "OnFailure", "Never"]),
    terminationGracePeriodSeconds: integer({ check: atLeastZero }),
    activeDeadlineSeconds: integer({ check: inRange(1, 2_147_483_647) }),
    dnsPolicy: choice(["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]),
    dnsConfig,
    hostAliases: list(hostAlias),
    hostname: text({ format: dns1123Label }),
    subdomain: text({ format: dns1123Label }),
    setHostnameAsFQDN: boolean(),
    hostNetwork: flag(),
    hostPID: flag(),
    hostIPC: flag(),
    // true is what happens anyway: the container's user ids are the node's.
    hostUsers: boolean(),
    shareProcessNamespace: boolean(),
    securityContext: podSecurityContext,
    nodeSelector: labels,
    nodeName: text({ format: dns1123Subdomain }),
    tolerations: list(toleration),
    schedulerName: only("default-scheduler", "there is one scheduler"),
    // Without priority classes every Pod has priority 0, and nothing is ever preempted, under either policy.
    priority: integer({ check: (value) => (value === 0 ? undefined : "must be 0: podkit has no priority classes") }),
    preemptionPolicy: choice(["PreemptLowerPriority", "Never"]),
    serviceAccountName: serviceAccount,
    serviceAccount,
    // No token is ever mounted, so false holds and true cannot; absent, a real cluster would mount one.
    automountServiceAccountToken: boolean(),
    enableServiceLinks: boolean(),
    os: record<{ readonly name: string }>({ name: required(only("linux", "containers are Linux containers")) }),
  },
  { unsupported: podSpecUnsupported, rules: podSpecRules },
);

export const pod: Check<Pod> = record<Pod>(
  { apiVersion: required(choice(["v1"])), kind: required(choice(["Pod"])), metadata: required(metadata({ namespaced: true, nameFormat: dns1123Subdomain })), spec: required(spec), status: podStatus },
);
