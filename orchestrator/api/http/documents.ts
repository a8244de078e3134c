// pure
import { groupOf } from "../errors.ts";
import { hasStatusSubresource } from "../core-lifecycle.ts";
import { allKinds } from "../types/kinds.ts";

/** Discovery: what the API serves, as /api, /apis, /apis/GROUP, /api/v1 and /apis/GROUP/VERSION tell it. */

const verbs = ["create", "delete", "deletecollection", "get", "list", "update", "watch"] as const;
const namedGroups = (): readonly string[] => [...new Set(allKinds.map((kind) => kind.apiVersion).filter((apiVersion) => groupOf(apiVersion) !== ""))];

export const apiVersions = (serverAddress: string): unknown => ({ kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }] });
export const apiGroups = (): unknown => ({ kind: "APIGroupList", apiVersion: "v1", groups: namedGroups().map((groupVersion) => groupFields(groupVersion)) });
export const apiGroup = (group: string): unknown => ({ kind: "APIGroup", apiVersion: "v1", ...groupFields(namedGroups().find((groupVersion) => groupOf(groupVersion) === group) ?? group) });

function groupFields(groupVersion: string): Readonly<Record<string, unknown>> {
  const version = { groupVersion, version: groupVersion.slice(groupVersion.indexOf("/") + 1) };
  return { name: groupOf(groupVersion), versions: [version], preferredVersion: version };
}

export function apiResources(groupVersion: string): unknown {
  const resources = allKinds.filter((kind) => kind.apiVersion === groupVersion).flatMap((kind) => [
    { name: kind.plural, singularName: kind.kind.toLowerCase(), namespaced: kind.namespaced, kind: kind.kind, verbs, ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}) },
    ...(hasStatusSubresource(kind.kind) ? [{ name: `${kind.plural}/status`, singularName: "", namespaced: kind.namespaced, kind: kind.kind, verbs: ["get", "update"] }] : []),
    ...(kind.kind === "Pod" ? podSubresources : []),
  ]);
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources };
}

const podSubresources = [
  { name: "pods/binding", singularName: "", namespaced: true, kind: "Binding", verbs: ["create"] },
  { name: "pods/exec", singularName: "", namespaced: true, kind: "PodExecOptions", verbs: ["get"] },
  { name: "pods/log", singularName: "", namespaced: true, kind: "Pod", verbs: ["get"] },
];

/** `gitVersion` names the Kubernetes release whose behaviour is followed; podkit's own version stands beside it. */
export function versionDocument(podkitVersion: string): unknown {
  return { major: "1", minor: "30", gitVersion: `v1.30.0+podkit-${podkitVersion}`, gitCommit: "", gitTreeState: "clean", buildDate: "1970-01-01T00:00:00Z", goVersion: "", compiler: "", platform: "linux", podkit: podkitVersion };
}
