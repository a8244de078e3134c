// pure
import type { ResourceRequirements } from "../types/pod.ts";
import { parseQuantity } from "../types/quantity.ts";
import { nonNegativeQuantity } from "./common.ts";
import { forbidden, invalid } from "./fault.ts";
import { qualifiedName } from "./formats.ts";
import { map, record, type Check, type Rule } from "./schema.ts";
import { resourcesUnsupported } from "./unsupported.ts";

const supported = ["cpu", "memory"];
const hints: Readonly<Record<string, string>> = { "ephemeral-storage": "limit each emptyDir with sizeLimit" };

const amounts = map(nonNegativeQuantity, { checkKey: qualifiedName });

const knownResources: Rule<ResourceRequirements> = (value, { path, report }) => {
  for (const list of ["limits", "requests"] as const)
    for (const name of Object.keys(value[list] ?? {})) {
      if (supported.includes(name) || qualifiedName(name).length > 0) continue;
      report(forbidden(`${path}.${list}[${name}]`, `resource ${name} is not supported by podkit: ${hints[name] ?? "only cpu and memory are"}`));
    }
};

const requestsWithinLimits: Rule<ResourceRequirements> = (value, { path, report }) => {
  for (const [name, request] of Object.entries(value.requests ?? {})) {
    const limit = value.limits?.[name];
    if (request === undefined || limit === undefined) continue;
    if (parseQuantity(request).nano > parseQuantity(limit).nano) report(invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`));
  }
};

export const resources: Check<ResourceRequirements> = record<ResourceRequirements>({ limits: amounts, requests: amounts }, { unsupported: resourcesUnsupported, rules: [knownResources, requestsWithinLimits] });
