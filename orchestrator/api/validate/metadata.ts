// pure
import type { ObjectMeta, OwnerReference } from "../types/meta.ts";
import { time } from "./common.ts";
import { forbidden, invalid, required as requiredFault, tooLong } from "./fault.ts";
import { dns1123Label, labelValue, qualifiedName } from "./formats.ts";
import { boolean, integer, list, map, record, required, text, type Check, type Format, type Rule, type UnsupportedFields } from "./schema.ts";

const annotationBytesMax = 262_144;

export const labels: Check<Readonly<Record<string, string>>> = map(text({ format: labelValue, keepEmpty: true }), { checkKey: qualifiedName, keyFaultAt: "map" });
/** Kubernetes compares annotation keys without regard to case. */
const annotations = map(text({ keepEmpty: true }), { checkKey: (key) => qualifiedName(key.toLowerCase()), keyFaultAt: "map" });

const ownerReference = record<OwnerReference>({
  apiVersion: required(text()),
  kind: required(text()),
  name: required(text()),
  uid: required(text()),
  controller: boolean(),
  blockOwnerDeletion: boolean(),
});

/** Written by the server alone and without meaning from a client, so that the output of `get -o yaml` can be applied again. */
const unsupported: UnsupportedFields = {
  managedFields: { hint: "", harmless: () => true },
  selfLink: { hint: "", harmless: () => true },
};

/** A namespaced object needs its namespace by now: the API takes it from the request path, manifest reading from its options. */
export function metadata(options: { readonly namespaced: boolean; readonly nameFormat: Format }): Check<ObjectMeta> {
  return record<ObjectMeta>(
    {
      name: required(text({ format: options.nameFormat })),
      generateName: text({ format: (prefix) => options.nameFormat(prefix.replace(/-$/, "")) }),
      namespace: text({ format: dns1123Label }),
      uid: text(),
      resourceVersion: text(),
      generation: integer(),
      creationTimestamp: time,
      deletionTimestamp: time,
      deletionGracePeriodSeconds: integer(),
      labels,
      annotations,
      ownerReferences: list(ownerReference),
      finalizers: list(text({ format: qualifiedName })),
    },
    { unsupported, rules: [namespaceRule(options.namespaced), annotationSize, oneController] },
  );
}

function namespaceRule(namespaced: boolean): Rule<ObjectMeta> {
  return (value, { path, report, given }) => {
    if (namespaced && value.namespace === undefined && !given.has("namespace")) report(requiredFault(`${path}.namespace`));
    if (!namespaced && value.namespace !== undefined) report(forbidden(`${path}.namespace`, "not allowed on this type"));
  };
}

const annotationSize: Rule<ObjectMeta> = (value, { path, report }) => {
  let bytes = 0;
  for (const [key, one] of Object.entries(value.annotations ?? {})) bytes += utf8Length(key) + utf8Length(one ?? "");
  if (bytes > annotationBytesMax) report(tooLong(`${path}.annotations`, annotationBytesMax));
};

const oneController: Rule<ObjectMeta> = (value, { path, report }) => {
  const controllers = (value.ownerReferences ?? []).filter((owner) => owner?.controller === true);
  if (controllers.length > 1)
    report(invalid(`${path}.ownerReferences`, controllers.map((owner) => owner?.name), "Only one reference can have Controller set to true"));
};

/** Bytes of a text in UTF-8. */
export function utf8Length(value: string): number {
  let bytes = 0;
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}
