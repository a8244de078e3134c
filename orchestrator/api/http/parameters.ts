// pure
import { badRequest } from "../errors.ts";

/** `true`, `1` and an empty value switch on, as in Kubernetes. */
export function booleanParameter(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value === "" || value === "1" || value?.toLowerCase() === "true";
}

/** A whole number, or undefined when absent. Throws ApiError BadRequest. */
export function numberParameter(query: URLSearchParams, name: string, options: { readonly min: number }): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || value < options.min) throw badRequest(`cannot use ${name}="${text.slice(0, 100)}": it must be a whole number of at least ${options.min}`);
  return value;
}
