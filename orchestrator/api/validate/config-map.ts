// pure
import type { ConfigMap } from "../types/config-map.ts";
import { decodedLength } from "./base64.ts";
import { invalid, tooLong } from "./fault.ts";
import { configMapKey, dns1123Subdomain } from "./formats.ts";
import { metadata, utf8Length } from "./metadata.ts";
import { boolean, choice, hiddenText, map, record, required, text, type Check, type Rule } from "./schema.ts";

/** The most bytes of all values of a ConfigMap or Secret. */
export const dataBytesMax = 1_048_576;

/** Base64 text; the fault never shows the value. */
export const base64Text: Check<string> = hiddenText((value, path, report) => {
  if (decodedLength(value) === undefined) report({ path, reason: "FieldValueInvalid", message: "Invalid value: must be base64 with padding" });
});

const distinctKeys: Rule<ConfigMap> = (value, { report }) => {
  for (const key of Object.keys(value.data ?? {})) if (Object.hasOwn(value.binaryData ?? {}, key)) report(invalid(`data[${key}]`, key, "duplicate of key present in binaryData"));
};

const sizeLimit: Rule<ConfigMap> = (value, { report }) => {
  let bytes = 0;
  for (const one of Object.values(value.data ?? {})) bytes += utf8Length(one ?? "");
  for (const one of Object.values(value.binaryData ?? {})) bytes += decodedLength(one ?? "") ?? 0;
  if (bytes > dataBytesMax) report(tooLong("data", dataBytesMax));
};

export const configMap: Check<ConfigMap> = record<ConfigMap>(
  {
    apiVersion: required(choice(["v1"])),
    kind: required(choice(["ConfigMap"])),
    metadata: required(metadata({ namespaced: true, nameFormat: dns1123Subdomain })),
    data: map(text({ keepEmpty: true }), { checkKey: configMapKey }),
    binaryData: map(base64Text, { checkKey: configMapKey }),
    immutable: boolean(),
  },
  { rules: [distinctKeys, sizeLimit] },
);
