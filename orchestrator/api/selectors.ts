// pure
import type { ApiObject } from "./types/meta.ts";
import { badRequest } from "./errors.ts";

/** Label and field selectors in the text form of the API's query parameters (labels.Parse and fields.ParseSelector of Kubernetes). */
export type LabelRequirement =
  | { readonly kind: "in" | "notIn"; readonly key: string; readonly values: ReadonlySet<string> }
  | { readonly kind: "exists" | "absent"; readonly key: string }
  | { readonly kind: "greater" | "less"; readonly key: string; readonly than: number };

export type FieldRequirement = { readonly field: string; readonly negated: boolean; readonly value: string };
export type Selector = { readonly labels: readonly LabelRequirement[]; readonly fields: readonly FieldRequirement[] };

const labelKey = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Throws ApiError BadRequest naming the requirement that cannot be read. An empty text selects everything. */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  return splitOutsideParentheses(text).map((part) => parseLabelRequirement(part, text));
}

function splitOutsideParentheses(text: string): readonly string[] {
  if (text.trim() === "") return [];
  const parts: string[] = [];
  let depth = 0, start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "(") depth++;
    else if (text[at] === ")") depth--;
    else if (text[at] === "," && depth === 0) { parts.push(text.slice(start, at)); start = at + 1; }
  }
  parts.push(text.slice(start));
  return parts;
}

function parseLabelRequirement(part: string, whole: string): LabelRequirement {
  const trimmed = part.trim();
  const refuse = (why: string): Error => badRequest(`unable to parse requirement: "${trimmed}" in label selector "${whole}": ${why}`);
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(trimmed);
  const compare = /^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*(\S*)$/.exec(trimmed);
  const key = set?.[1] ?? compare?.[1] ?? trimmed.replace(/^!\s*/, "");
  if (!labelKey.test(key)) throw refuse(`"${key}" is not a label key`);
  if (set !== null) {
    const values = (set[3] ?? "").split(",").map((value) => value.trim());
    const wrong = values.find((value) => !labelValue.test(value));
    if (wrong !== undefined) throw refuse(`"${wrong}" is not a label value`);
    return { kind: set[2] === "in" ? "in" : "notIn", key, values: new Set(values) };
  }
  if (compare === null) return { kind: trimmed.startsWith("!") ? "absent" : "exists", key };
  const operator = compare[2], value = compare[3] ?? "";
  if (operator === ">" || operator === "<") {
    if (!/^-?\d+$/.test(value)) throw refuse(`"${value}" is not an integer`);
    return { kind: operator === ">" ? "greater" : "less", key, than: Number(value) };
  }
  if (!labelValue.test(value)) throw refuse(`"${value}" is not a label value`);
  return { kind: operator === "!=" ? "notIn" : "in", key, values: new Set([value]) };
}

export function matchesLabels(requirements: readonly LabelRequirement[], labels: Readonly<Record<string, string>> | undefined): boolean {
  return requirements.every((requirement) => {
    const value = labels === undefined || !Object.hasOwn(labels, requirement.key) ? undefined : labels[requirement.key];
    switch (requirement.kind) {
      case "in": return value !== undefined && requirement.values.has(value);
      case "notIn": return value === undefined || !requirement.values.has(value);
      case "exists": return value !== undefined;
      case "absent": return value === undefined;
      case "greater": return value !== undefined && /^-?\d+$/.test(value) && Number(value) > requirement.than;
      case "less": return value !== undefined && /^-?\d+$/.test(value) && Number(value) < requirement.than;
      default: return requirement satisfies never;
    }
  });
}

/** A Service's or controller's `matchLabels` form: every pair must be present. An empty or absent map selects nothing, as for Services. */
export function matchesSelectorMap(selector: Readonly<Record<string, string>> | undefined, labels: Readonly<Record<string, string>> | undefined): boolean {
  const pairs = Object.entries(selector ?? {});
  return pairs.length > 0 && pairs.every(([key, value]) => labels?.[key] === value);
}

/** The fields that can be selected on, by kind, besides metadata.name and metadata.namespace. */
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  Pod: ["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"],
  Event: ["involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"],
  Secret: ["type"],
  Namespace: ["status.phase"],
  Node: ["spec.unschedulable"],
  Service: ["spec.clusterIP", "spec.type"],
};

/** Throws ApiError BadRequest for text that cannot be read and for a field the kind cannot be selected by. */
export function parseFieldSelector(text: string, kind: string): readonly FieldRequirement[] {
  if (text.trim() === "") return [];
  const allowed = ["metadata.name", "metadata.namespace", ...(selectableFields[kind] ?? [])];
  return splitFieldTerms(text).map((term) => {
    const match = /^([^=!]+)(==|!=|=)(.*)$/s.exec(term);
    if (match === null) throw badRequest(`invalid field selector "${text}": cannot understand "${term}"`);
    const field = (match[1] ?? "").trim();
    if (!allowed.includes(field)) throw badRequest(`Unable to find "${kind}" by field selector "${text}": field label not supported: ${field}; supported are ${allowed.join(", ")}`);
    return { field, negated: match[2] === "!=", value: (match[3] ?? "").replace(/\\([\\,=])/g, "$1") };
  });
}

/** Splits at commas that no backslash escapes. */
function splitFieldTerms(text: string): readonly string[] {
  return (text.match(/(?:\\.|[^,\\])+/gs) ?? []).filter((term) => term.trim() !== "");
}

export function matchesFields(requirements: readonly FieldRequirement[], object: ApiObject): boolean {
  return requirements.every(({ field, negated, value }) => (fieldText(object, field) === value) !== negated);
}

/** The selectable form of a field: absent is "", a boolean "true" or "false". `source` of an Event is its component. */
function fieldText(object: ApiObject, field: string): string {
  const path = object.kind === "Event" && field === "source" ? ["source", "component"] : field.split(".");
  let at: unknown = object;
  for (const name of path) at = typeof at === "object" && at !== null && Object.hasOwn(at, name) ? Reflect.get(at, name) : undefined;
  if (typeof at === "boolean" || typeof at === "number") return String(at);
  if (typeof at === "string") return at;
  return field === "spec.unschedulable" || field === "spec.hostNetwork" ? "false" : "";
}

export function parseSelector(options: { readonly labelSelector?: string; readonly fieldSelector?: string }, kind: string): Selector {
  return { labels: parseLabelSelector(options.labelSelector ?? ""), fields: parseFieldSelector(options.fieldSelector ?? "", kind) };
}

export function matchesSelector(selector: Selector, object: ApiObject): boolean {
  return matchesLabels(selector.labels, object.metadata.labels) && matchesFields(selector.fields, object);
}
