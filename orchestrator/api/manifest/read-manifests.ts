// pure
import type { LineCounter } from "yaml";
import { allKinds } from "../types/kinds.ts";
import type { ApiObject } from "../types/meta.ts";
import { typeName, type FaultReason, type FieldCause } from "../validate/fault.ts";
import { isMap } from "../validate/schema.ts";
import { validateObject } from "../validate/validate-object.ts";
import { locate } from "./locate.ts";
import { parseDocuments, type ParsedDocument } from "./parse-yaml.ts";

export type ManifestSource = { readonly name: string; readonly text: string };
export type ManifestProblem = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** Which document of the file, from 1. */
  readonly document: number;
  /** "Pod/web", when kind and name can be read. */
  readonly object?: string;
  /** Within the object; "" when the fault is in no field. */
  readonly path: string;
  readonly message: string;
};
export type ManifestResult = { readonly kind: "ok"; readonly objects: readonly ApiObject[] } | { readonly kind: "invalid"; readonly problems: readonly ManifestProblem[] };

/** In characters; etcd would refuse an object a tenth as large. */
const textMax = 16 * 1024 * 1024;
/** More problems than anybody reads are counted, not listed. */
const problemsMax = 200;

/**
 * Reads manifests, all or nothing: every fault of every document is reported with its place, and one fault anywhere means no
 * objects. `kind: List` is unfolded; an object of a namespaced kind without a namespace gets the default one. Objects come in
 * the order of the text and are validated but not defaulted. A `status` is dropped, as the API server drops it on create.
 */
export function readManifests(sources: readonly ManifestSource[], options: { readonly defaultNamespace: string }): ManifestResult {
  const state: ReadState = { objects: [], problems: [], seen: new Map(), defaultNamespace: options.defaultNamespace };
  for (const source of sources) {
    const before = state.problems.length;
    readSource(source, state);
    // In the order in which a reader meets them.
    const own = state.problems.splice(before).toSorted((left, right) => left.line - right.line || left.column - right.column);
    for (const one of own) state.problems.push(one);
  }
  if (state.problems.length === 0) return { kind: "ok", objects: state.objects };
  const shown = state.problems.slice(0, problemsMax);
  const last = shown.at(-1);
  const more = state.problems.length - shown.length;
  return { kind: "invalid", problems: more === 0 || last === undefined ? shown : [...shown, { ...last, path: "", message: `and ${more} more problems` }] };
}

type ReadState = { readonly objects: ApiObject[]; readonly problems: ManifestProblem[]; readonly seen: Map<string, string>; readonly defaultNamespace: string };
/** Where an object stands: its document, and its path within that document when it came in a List. */
type Place = { readonly file: string; readonly lines: LineCounter; readonly parsed: Extract<ParsedDocument, { readonly kind: "ok" }>; readonly prefix: string };

function readSource(source: ManifestSource, state: ReadState): void {
  const file = source.name;
  if (source.text.length > textMax) {
    state.problems.push({ file, line: 1, column: 1, document: 1, path: "", message: `is larger than ${textMax} characters` });
    return;
  }
  const { documents, lines } = parseDocuments(source.text);
  for (const parsed of documents) {
    if (parsed.kind === "ok") readValue(parsed.value, { file, lines, parsed, prefix: "" }, state);
    else for (const fault of parsed.faults) state.problems.push({ file, ...position(lines, fault.offset), document: parsed.index + 1, path: "", message: fault.message });
  }
}

function readValue(value: unknown, place: Place, state: ReadState): void {
  if (isMap(value) && value["kind"] === "List") readList(value, place, state);
  else readObject(value, place, state);
}

function readList(list: Readonly<Record<string, unknown>>, place: Place, state: ReadState): void {
  const { items, apiVersion } = list;
  if (apiVersion !== "v1") state.problems.push(problem(place, { path: "apiVersion", reason: "FieldValueInvalid", message: "List is served as v1" }));
  if (!Array.isArray(items)) {
    state.problems.push(problem(place, { path: "items", reason: "FieldValueTypeInvalid", message: `must be a list, got ${typeName(items)}` }));
    return;
  }
  for (const [index, item] of items.entries()) readValue(item, { ...place, prefix: `${place.prefix}items[${index}].` }, state);
}

function readObject(value: unknown, place: Place, state: ReadState): void {
  const result = validateObject(prepare(value, state.defaultNamespace));
  if (result.kind === "invalid") {
    const object = objectName(value);
    for (const cause of result.causes) state.problems.push({ ...problem(place, cause), ...(object === undefined ? {} : { object }) });
    return;
  }
  const { kind, metadata } = result.object;
  const key = `${kind}/${metadata.namespace ?? ""}/${metadata.name}`;
  const first = state.seen.get(key);
  const cause: FieldCause = { path: "metadata.name", reason: "FieldValueDuplicate", message: `Duplicate value: ${JSON.stringify(metadata.name)}: the same object stands at ${first ?? ""}` };
  const here = problem(place, cause);
  if (first === undefined) {
    state.seen.set(key, `${here.file}:${here.line}:${here.column}`);
    state.objects.push(result.object);
  } else state.problems.push({ ...here, object: `${kind}/${metadata.name}` });
}

const kindsWithServerStatus = new Set(["Pod", "Service", "Namespace"]);

/** What a client may leave to be added, and what it may write without effect. */
function prepare(value: unknown, defaultNamespace: string): unknown {
  if (!isMap(value)) return value;
  const { status, ...rest } = value;
  const kept = typeof value["kind"] === "string" && kindsWithServerStatus.has(value["kind"]) ? rest : { ...rest, ...(status === undefined ? {} : { status }) };
  const definition = allKinds.find((one) => one.kind === value["kind"]);
  const metadata = value["metadata"];
  if (definition?.namespaced !== true || !isMap(metadata)) return kept;
  const { namespace } = metadata;
  return namespace === undefined || namespace === null || namespace === "" ? { ...kept, metadata: { ...metadata, namespace: defaultNamespace } } : kept;
}

function objectName(value: unknown): string | undefined {
  if (!isMap(value) || typeof value["kind"] !== "string") return undefined;
  const metadata = value["metadata"];
  const name = isMap(metadata) ? metadata["name"] : undefined;
  return typeof name === "string" && name !== "" ? `${value["kind"]}/${name}` : value["kind"];
}

/** Faults of fields that should not be there point at the field's name, the others at its value. */
const keyReasons: ReadonlySet<FaultReason> = new Set<FaultReason>(["FieldValueUnknown", "FieldValueForbidden"]);

function problem(place: Place, cause: FieldCause): ManifestProblem {
  const { offset } = locate(place.parsed.document, `${place.prefix}${cause.path}`, { atKey: keyReasons.has(cause.reason) });
  return { file: place.file, ...position(place.lines, offset), document: place.parsed.index + 1, path: cause.path, message: cause.message };
}

function position(lines: LineCounter, offset: number): { readonly line: number; readonly column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}
