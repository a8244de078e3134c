// pure
import type { ProbeResult } from "../pod-lifecycle/observed.ts";

export type ProbeKind = "startup" | "readiness" | "liveness";
/** error: the probe itself could not be carried out; it counts neither way. */
export type ProbeOutcome = { readonly kind: "success" } | { readonly kind: "failure"; readonly output: string } | { readonly kind: "error"; readonly output: string };

export type ProbeState = {
  /** What counts now; undefined until a threshold was reached for the first time. */
  readonly result: ProbeResult | undefined;
  readonly last: ProbeResult | undefined;
  /** How often `last` was seen in a row. */
  readonly run: number;
};
export const freshProbe: ProbeState = { result: undefined, last: undefined, run: 0 };

/** The state after one more outcome: a result takes effect when it was seen often enough in a row, as in the kubelet's prober. */
export function recordOutcome(state: ProbeState, outcome: ProbeOutcome, thresholds: { readonly success: number; readonly failure: number }): ProbeState {
  if (outcome.kind === "error") return state;
  const last: ProbeResult = outcome.kind;
  const run = state.last === last ? state.run + 1 : 1;
  const enough = run >= (last === "success" ? thresholds.success : thresholds.failure);
  return { result: enough ? last : state.result, last, run };
}

/** The kubelet's event, and undefined for a success. */
export function unhealthyMessage(kind: ProbeKind, outcome: ProbeOutcome): string | undefined {
  const name = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`;
  switch (outcome.kind) {
    case "success": return undefined;
    case "failure": return `${name} probe failed: ${outcome.output}`;
    case "error": return `${name} probe errored: ${outcome.output}`;
    default: return outcome satisfies never;
  }
}
