// pure
import type { ApiObject } from "./meta.ts";
import type { ConditionStatus, Time } from "./pod.ts";

/** core/v1 Namespace. */
export type Namespace = ApiObject & { readonly apiVersion: "v1"; readonly kind: "Namespace"; readonly spec?: NamespaceSpec; readonly status?: NamespaceStatus };

export type NamespaceSpec = { readonly finalizers?: readonly string[] };
export type NamespaceStatus = { readonly phase?: "Active" | "Terminating"; readonly conditions?: readonly NamespaceCondition[] };
export type NamespaceCondition = { readonly type: string; readonly status: ConditionStatus; readonly lastTransitionTime?: Time; readonly reason?: string; readonly message?: string };
