// pure
import type { Toleration } from "../types/pod.ts";
import { invalid } from "./fault.ts";
import { labelValue } from "./formats.ts";
import type { Rule } from "./schema.ts";

/** How key, operator, value, effect and seconds of a toleration may be combined. */
export const tolerationRule: Rule<Toleration> = (value, { path, report, given }) => {
  if (!given.has("key") && value.operator !== "Exists")
    report(invalid(`${path}.operator`, value.operator ?? "", "operator must be Exists when `key` is empty, which means \"match all values and all keys\""));
  if (value.tolerationSeconds !== undefined && value.effect !== "NoExecute") report(invalid(`${path}.effect`, value.effect ?? "", "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  if (value.operator === "Exists") {
    if (value.value !== undefined) report(invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"));
  } else for (const detail of labelValue(value.value ?? "")) report(invalid(`${path}.operator`, value.value, detail));
};
