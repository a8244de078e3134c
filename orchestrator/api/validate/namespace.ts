// pure
import type { Namespace, NamespaceCondition, NamespaceSpec, NamespaceStatus } from "../types/namespace.ts";
import { time } from "./common.ts";
import { dns1123Label, qualifiedName } from "./formats.ts";
import { metadata } from "./metadata.ts";
import { conditionStatus } from "./pod-status.ts";
import { choice, list, record, required, text, type Check } from "./schema.ts";

const condition = record<NamespaceCondition>({ type: required(text()), status: required(conditionStatus), lastTransitionTime: time, reason: text(), message: text() });

export const namespace: Check<Namespace> = record<Namespace>({
  apiVersion: required(choice(["v1"])),
  kind: required(choice(["Namespace"])),
  metadata: required(metadata({ namespaced: false, nameFormat: dns1123Label })),
  spec: record<NamespaceSpec>({ finalizers: list(text({ format: qualifiedName })) }),
  status: record<NamespaceStatus>({ phase: choice(["Active", "Terminating"]), conditions: list(condition) }),
});
