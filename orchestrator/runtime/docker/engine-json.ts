// pure
/** Reading the engine's JSON without trusting its shape: absent and wrongly typed values become the neutral value. */
export type Json = unknown;

export function at(value: Json, ...path: readonly (string | number)[]): Json {
  let here: Json = value;
  for (const key of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, key)) return undefined;
    here = Object.getOwnPropertyDescriptor(here, key)?.value;
  }
  return here;
}

export function text(value: Json, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path);
  return typeof found === "string" ? found : "";
}

export function integer(value: Json, ...path: readonly (string | number)[]): number {
  const found = at(value, ...path);
  return typeof found === "number" && Number.isFinite(found) ? found : 0;
}

export function flag(value: Json, ...path: readonly (string | number)[]): boolean {
  return at(value, ...path) === true;
}

export function items(value: Json, ...path: readonly (string | number)[]): readonly Json[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

export function texts(value: Json, ...path: readonly (string | number)[]): readonly string[] {
  return items(value, ...path).filter((item) => typeof item === "string");
}

export function entries(value: Json, ...path: readonly (string | number)[]): readonly (readonly [string, Json])[] {
  const found = at(value, ...path);
  return typeof found === "object" && found !== null ? Object.entries(found) : [];
}

export function labelsOf(value: Json, ...path: readonly (string | number)[]): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const [key, label] of entries(value, ...path)) if (typeof label === "string") labels[key] = label;
  return labels;
}

/** Epoch milliseconds of the engine's RFC 3339 time; 0 for its zero time 0001-01-01 and for anything else. */
export function timeMs(value: Json, ...path: readonly (string | number)[]): number {
  const ms = Date.parse(text(value, ...path));
  return Number.isFinite(ms) && ms > 0 ? ms : 0;
}
