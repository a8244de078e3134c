// pure
import { isMap } from "./schema.ts";

/** Equality of JSON values, without regard to the order of keys; undefined equals a missing key. */
export function isEqualJson(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (Array.isArray(left) || Array.isArray(right)) return Array.isArray(left) && Array.isArray(right) && left.length === right.length && left.every((one, index) => isEqualJson(one, right[index]));
  if (!isMap(left) || !isMap(right)) return false;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => isEqualJson(left[key], right[key]));
}
