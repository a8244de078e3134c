// pure
import type { ObjectFieldSelector, ResourceFieldSelector } from "../types/pod.ts";

export function fieldRefWithDefaults(reference: ObjectFieldSelector): ObjectFieldSelector {
  return { ...reference, apiVersion: reference.apiVersion ?? "v1" };
}

/** A divisor of 0 means "not given": 1. */
export function resourceFieldRefWithDefaults(reference: ResourceFieldSelector): ResourceFieldSelector {
  return { ...reference, divisor: reference.divisor ?? "0" };
}
