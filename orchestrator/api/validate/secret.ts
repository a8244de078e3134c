// pure
import type { Secret } from "../types/secret.ts";
import { decodeBase64Utf8, decodedLength } from "./base64.ts";
import { base64Text, dataBytesMax } from "./config-map.ts";
import { forbidden, required as requiredFault, tooLong } from "./fault.ts";
import { configMapKey, dns1123Subdomain } from "./formats.ts";
import { metadata, utf8Length } from "./metadata.ts";
import { boolean, choice, hiddenText, map, record, required, text, type Check, type Rule } from "./schema.ts";

/** Keys that the built-in types demand. */
const demandedKeys: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};

const typeDemands: Rule<Secret> = (value, { report }) => {
  const type = value.type ?? "Opaque";
  const has = (key: string): boolean => Object.hasOwn(value.data ?? {}, key) || Object.hasOwn(value.stringData ?? {}, key);
  for (const key of demandedKeys[type] ?? []) if (!has(key)) report(requiredFault(`data[${key}]`));
  if (type === "kubernetes.io/basic-auth" && !has("username") && !has("password")) {
    report(requiredFault("data[username]"));
    report(requiredFault("data[password]"));
  }
  if (type === "kubernetes.io/service-account-token") report(forbidden("type", "kubernetes.io/service-account-token is not supported by podkit: there are no service accounts"));
};

/** As in Kubernetes the fault leaves the contents out. */
const dockerConfigIsJson: Rule<Secret> = (value, { report }) => {
  for (const key of [".dockercfg", ".dockerconfigjson"]) {
    if (demandedKeys[value.type ?? ""]?.includes(key) !== true) continue;
    const contents = value.stringData?.[key] ?? decodeBase64Utf8(value.data?.[key] ?? "");
    if (contents !== undefined && contents !== "" && !isJson(contents)) report({ path: `data[${key}]`, reason: "FieldValueInvalid", message: 'Invalid value: "<secret contents redacted>": must be JSON' });
  }
};

function isJson(contents: string): boolean {
  try {
    JSON.parse(contents);
    return true;
  } catch {
    // Not JSON: the caller's answer, not a failure.
    return false;
  }
}

const sizeLimit: Rule<Secret> = (value, { report }) => {
  const replaced = value.stringData ?? {};
  let bytes = 0;
  for (const one of Object.values(replaced)) bytes += utf8Length(one ?? "");
  for (const [key, one] of Object.entries(value.data ?? {})) if (!Object.hasOwn(replaced, key)) bytes += decodedLength(one ?? "") ?? 0;
  if (bytes > dataBytesMax) report(tooLong("data", dataBytesMax));
};

export const secret: Check<Secret> = record<Secret>(
  {
    apiVersion: required(choice(["v1"])),
    kind: required(choice(["Secret"])),
    metadata: required(metadata({ namespaced: true, nameFormat: dns1123Subdomain })),
    type: text(),
    data: map(base64Text, { checkKey: configMapKey }),
    stringData: map(hiddenText(), { checkKey: configMapKey }),
    immutable: boolean(),
  },
  { rules: [typeDemands, dockerConfigIsJson, sizeLimit] },
);
