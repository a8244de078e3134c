// pure
/** One fault of one field, in the words and codes of the Kubernetes API server (a cause in a Status of reason Invalid). */
export type FieldCause = { readonly path: string; readonly reason: FaultReason; readonly message: string };
export type FaultReason =
  | "FieldValueRequired"
  | "FieldValueInvalid"
  | "FieldValueNotSupported"
  | "FieldValueDuplicate"
  | "FieldValueForbidden"
  | "FieldValueTypeInvalid"
  | "FieldValueNotFound"
  | "FieldValueTooLong"
  | "FieldValueTooMany"
  | "FieldValueUnknown";
export type Report = (cause: FieldCause) => void;

export function required(path: string, detail = ""): FieldCause {
  return { path, reason: "FieldValueRequired", message: withDetail("Required value", detail) };
}

export function invalid(path: string, value: unknown, detail: string): FieldCause {
  return { path, reason: "FieldValueInvalid", message: `Invalid value: ${show(value)}: ${detail}` };
}

/** The value is of the wrong JSON type. */
export function wrongType(path: string, value: unknown, wanted: string): FieldCause {
  const advice = wanted === "a string" && (typeof value === "number" || typeof value === "boolean") ? "; put it in quotes" : "";
  return { path, reason: "FieldValueTypeInvalid", message: `Invalid value: ${show(value)}: must be ${wanted}, got ${typeName(value)}${advice}` };
}

export function notSupported(path: string, value: unknown, supported: Iterable<string>): FieldCause {
  const values = [...supported].toSorted().map((one) => show(one));
  return { path, reason: "FieldValueNotSupported", message: `Unsupported value: ${show(value)}: supported values: ${values.join(", ")}` };
}

export function duplicate(path: string, value: unknown): FieldCause {
  return { path, reason: "FieldValueDuplicate", message: `Duplicate value: ${show(value)}` };
}

export function notFound(path: string, value: unknown): FieldCause {
  return { path, reason: "FieldValueNotFound", message: `Not found: ${show(value)}` };
}

export function forbidden(path: string, detail: string): FieldCause {
  return { path, reason: "FieldValueForbidden", message: `Forbidden: ${detail}` };
}

export function tooLong(path: string, bytesMax: number): FieldCause {
  return { path, reason: "FieldValueTooLong", message: `Too long: may not be more than ${bytesMax} bytes` };
}

export function tooMany(path: string, count: number, countMax: number): FieldCause {
  return { path, reason: "FieldValueTooMany", message: `Too many: ${count}: must have at most ${countMax} items` };
}

/** Longer values are cut in messages, so that no manifest makes an unbounded answer. */
const shownMax = 200;

/** A value as JSON, shortened. */
function show(value: unknown): string {
  const text = value === undefined ? "null" : JSON.stringify(value);
  return text.length <= shownMax ? text : `${text.slice(0, shownMax)}…`;
}

export function typeName(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a map" : `a ${typeof value}`;
}

function withDetail(head: string, detail: string): string {
  return detail === "" ? head : `${head}: ${detail}`;
}
