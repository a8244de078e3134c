// pure
import type {
  ConfigMapVolumeSource, DownwardAPIVolumeFile, DownwardAPIVolumeSource, EmptyDirVolumeSource, HostPathType, HostPathVolumeSource, KeyProjection, KeyToPath, ProjectedVolumeSource, SecretVolumeSource, Volume, VolumeProjection,
} from "../types/pod.ts";
import { parseQuantity } from "../types/quantity.ts";
import { exactlyOne, quantity } from "./common.ts";
import { forbidden, invalid, required as requiredFault } from "./fault.ts";
import { fieldRef, resourceFieldRef, volumeFieldPaths } from "./env.ts";
import { configMapKey, dns1123Label, fileMode, noDotDot, payloadPath } from "./formats.ts";
import { boolean, choice, integer, list, record, required, text, type Check, type Loose, type Rule } from "./schema.ts";
import { projectionUnsupported, volumeUnsupported } from "./unsupported.ts";

const mode = integer({ check: fileMode });
const keyToPath = record<KeyToPath>({ key: required(text({ format: configMapKey })), path: required(text({ format: payloadPath })), mode });
const items = list(keyToPath);

const sizeNotNegative: Rule<EmptyDirVolumeSource> = (value, { path, report }) => {
  if (value.sizeLimit !== undefined && parseQuantity(value.sizeLimit).nano < 0n) report(forbidden(`${path}.sizeLimit`, "SizeLimit field must be a valid resource quantity"));
};
const emptyDir = record<EmptyDirVolumeSource>(
  { medium: choice(["Memory"], { unsupported: { HugePages: { hint: "" }, "HugePages-2Mi": { hint: "" }, "HugePages-1Gi": { hint: "" } } }), sizeLimit: quantity },
  { rules: [sizeNotNegative] },
);

const hostPathTypes: readonly HostPathType[] = ["", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"];
const hostPath = record<HostPathVolumeSource>({ path: required(text({ format: noDotDot })), type: choice(hostPathTypes) });

const configMap = record<ConfigMapVolumeSource>({ name: required(text()), items, defaultMode: mode, optional: boolean() });
const secret = record<SecretVolumeSource>({ secretName: required(text()), items, defaultMode: mode, optional: boolean() });

const oneReference: Rule<DownwardAPIVolumeFile> = (_, { path, report, given }) => {
  if (given.has("fieldRef") && given.has("resourceFieldRef")) report(invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
  if (!given.has("fieldRef") && !given.has("resourceFieldRef")) report(requiredFault(path, "one of fieldRef and resourceFieldRef is required"));
};
const downwardFile = record<DownwardAPIVolumeFile>(
  { path: required(text({ format: payloadPath })), fieldRef: fieldRef(volumeFieldPaths), resourceFieldRef: resourceFieldRef({ containerNameRequired: true }), mode },
  { rules: [oneReference] },
);
const downwardAPI = record<DownwardAPIVolumeSource>({ items: list(downwardFile), defaultMode: mode });

const keyProjection: Check<KeyProjection> = record<KeyProjection>({ name: required(text()), items, optional: boolean() });
const projection = record<VolumeProjection>(
  { configMap: keyProjection, secret: keyProjection, downwardAPI: record<{ readonly items?: readonly DownwardAPIVolumeFile[] }>({ items: list(downwardFile) }) },
  {
    unsupported: projectionUnsupported,
    rules: [(_, context) => exactlyOne(["configMap", "secret", "downwardAPI"], context, { none: "must specify a volume type", many: "may not specify more than 1 volume type per source" })],
  },
);

const distinctPaths: Rule<ProjectedVolumeSource> = (value, { path, report }) => {
  const seen = new Set<string>();
  for (const [index, source] of (value.sources ?? []).entries())
    for (const [kind, name, one] of projectedPaths(source)) {
      if (seen.has(one)) report(invalid(`${path}.sources[${index}].${kind}`, name, `conflicting duplicate paths: ${one}`));
      seen.add(one);
    }
};

function projectedPaths(source: Loose<VolumeProjection> | undefined): readonly (readonly [kind: string, name: string, path: string])[] {
  if (source === undefined) return [];
  const keyed = (["configMap", "secret"] as const).flatMap((kind) => (source[kind]?.items ?? []).map((item) => [kind, source[kind]?.name ?? "", item?.path ?? ""] as const));
  const downward = (source.downwardAPI?.items ?? []).map((item) => ["downwardAPI", "downward api", item?.path ?? ""] as const);
  return [...keyed, ...downward].filter(([, , path]) => path !== "");
}
const projected = record<ProjectedVolumeSource>({ sources: list(projection), defaultMode: mode }, { rules: [distinctPaths] });

const sourceKeys = ["emptyDir", "hostPath", "configMap", "secret", "downwardAPI", "projected"];
export const volume: Check<Volume> = record<Volume>(
  { name: required(text({ format: dns1123Label })), emptyDir, hostPath, configMap, secret, downwardAPI, projected },
  {
    unsupported: volumeUnsupported,
    rules: [(_, context) => exactlyOne(sourceKeys, context, { none: "must specify a volume type", many: "may not specify more than 1 volume type", others: ["name"] })],
  },
);
