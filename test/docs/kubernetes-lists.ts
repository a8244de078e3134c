import { allKinds } from "../../orchestrator/api/types/kinds.ts";
import { type Check, listFields, type UnsupportedFields } from "../../orchestrator/api/validate/schema.ts";
import { ipFamilyPolicyUnsupported, ipFamilyUnsupported, serviceTypesUnsupported, sessionAffinityUnsupported, unsupportedKinds } from "../../orchestrator/api/validate/unsupported.ts";
import { schemas } from "../../orchestrator/api/validate/validate-object.ts";
import { code, table } from "./markdown.ts";

/** The lists of docs/kubernetes.md, by the name in their markers, as the validation's tables say it now. */
export function kubernetesLists(): ReadonlyMap<string, string> {
  return new Map([
    ["kinds", kindsTable()],
    ["refused-kinds", refusedKinds()],
    ["pod-fields", fieldsTable(schemas.Pod, ["spec"], ["spec.initContainers[]", "spec.containers[].startupProbe", "spec.containers[].readinessProbe", "spec.containers[].lifecycle.preStop"])],
    ["init-containers", initContainers()],
    ["pod-refused", refusedTable(schemas.Pod, "spec", ["spec.initContainers[]", "spec.containers[].lifecycle.preStop"])],
    ["service-fields", fieldsTable(schemas.Service, ["spec"], [])],
    ["service-refused", refusedTable(schemas.Service, "spec", [], { type: serviceTypesUnsupported, sessionAffinity: sessionAffinityUnsupported, ipFamilies: ipFamilyUnsupported, ipFamilyPolicy: ipFamilyPolicyUnsupported })],
    ["metadata-fields", fieldsTable(schemas.Pod, ["metadata"], [])],
  ]);
}

const kindsTable = (): string => table(["kind", "apiVersion", "names"], allKinds.map((kind) => [kind.kind, code(kind.apiVersion), [kind.plural, kind.kind.toLowerCase(), ...kind.shortNames].map(code).join(", ")]));

/** Kinds with the same advice share a row. */
function refusedKinds(): string {
  const grouped = Map.groupBy(Object.entries(unsupportedKinds), ([, hint]) => hint);
  return table(["refused", "meanwhile"], [...grouped].map(([hint, kinds]) => [kinds.map(([kind]) => code(kind)).join(", "), hint]));
}

type RecordAt = { readonly path: string; readonly fields: Readonly<Record<string, Check<unknown>>>; readonly unsupported: UnsupportedFields };

/** Every record of a table below `path`, in the table's order. */
function records(check: Check<unknown>, path: string): readonly RecordAt[] {
  const { shape } = check;
  switch (shape.kind) {
    case "scalar": return [];
    case "list": return records(shape.item, `${path}[]`);
    case "map": return records(shape.value, `${path}[*]`);
    case "record": return [{ path, fields: shape.fields, unsupported: shape.unsupported }, ...Object.entries(shape.fields).flatMap(([key, field]) => records(field, path === "" ? key : `${path}.${key}`))];
    default: return shape satisfies never;
  }
}

const within = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}.`) || path.startsWith(`${folder}[`);

/** A row per record. One whose fields hold nothing further is written in its parent's row: `fieldRef.{apiVersion, fieldPath}`. */
function fieldsTable(check: Check<unknown>, roots: readonly string[], omit: readonly string[]): string {
  const shown = records(check, "").filter(({ path }) => roots.some((root) => within(path, root)) && !omit.some((one) => within(path, one)));
  const rows = shown.filter((record) => roots.includes(record.path) || !isSmall(record)).map(({ path, fields }) => [code(path), Object.entries(fields).map(([key, field]) => fieldText(key, field)).filter((text) => text !== undefined).map(code).join(", ")]);
  return table(["in", "fields"], rows.filter(([, fields]) => fields !== ""));
}

const isSmall = (record: RecordAt): boolean => Object.keys(record.fields).length <= 6 && Object.values(record.fields).every((field) => isFlat(field));
/** One value, or a list or map of single values. */
function isFlat({ shape }: Check<unknown>): boolean {
  if (shape.kind === "list") return shape.item.shape.kind === "scalar";
  return shape.kind === "scalar" || (shape.kind === "map" && shape.value.shape.kind === "scalar");
}

/** Undefined for a record that has a row of its own. */
function fieldText(key: string, check: Check<unknown>): string | undefined {
  const { shape } = check;
  switch (shape.kind) {
    case "scalar": return key;
    case "list": return fieldText(`${key}[]`, shape.item);
    case "map": return fieldText(`${key}[*]`, shape.value);
    case "record": return isSmall({ path: key, fields: shape.fields, unsupported: shape.unsupported }) ? `${key}.{${Object.entries(shape.fields).map(([name, field]) => fieldText(name, field) ?? name).join(", ")}}` : undefined;
    default: return shape satisfies never;
  }
}

/** What differs between the tables of containers and init containers. */
function initContainers(): string {
  const fieldsBelow = (prefix: string): ReadonlySet<string> => new Set(listFields(schemas.Pod).filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length)));
  const apps = fieldsBelow("spec.containers[].");
  const inits = fieldsBelow("spec.initContainers[].");
  const more = [...inits.difference(apps)];
  const fewer = [...apps.difference(inits)];
  const words = (fields: readonly string[]): string => fields.map(code).join(", ");
  if (more.length === 0 && fewer.length === 0) return "Init containers take the same fields as containers.";
  return [...(more.length === 0 ? [] : [`Init containers take these besides: ${words(more)}.`]), ...(fewer.length === 0 ? [] : [`Init containers do not take these: ${words(fewer)}.`])].join("\n");
}

function refusedTable(check: Check<unknown>, root: string, omit: readonly string[], values: Readonly<Record<string, UnsupportedFields>> = {}): string {
  const rows = records(check, "").filter(({ path }) => within(path, root) && !omit.some((one) => within(path, one))).flatMap(({ path, unsupported }) =>
    Object.entries(unsupported).map(([field, { hint, harmless }]) => ({ path, text: `${code(field)}${harmless === undefined ? "" : "\\*"}`, hint })));
  const refusedValues = Object.entries(values).flatMap(([field, unsupported]) => Object.entries(unsupported).map(([value, { hint }]) => ({ path: root, text: code(`${field}: ${value}`), hint })));
  // Fields of one place with one hint share a row.
  const grouped = Map.groupBy([...rows, ...refusedValues], ({ path, hint }) => `${path}\n${hint}`);
  return table(["in", "refused", "instead"], [...grouped.values()].map((group) => [code(group[0]?.path ?? ""), group.map(({ text }) => text).join(", "), group[0]?.hint ?? ""]));
}
