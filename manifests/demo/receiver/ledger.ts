// pure
/**
 * Counts numbered records (run, seq) and knows at any time how many were distinct, repeated and are missing. Memory is bounded by the number of
 * records that arrived ahead of a gap, at most `aheadMax` a run.
 */
export type Ledger = { add(run: string, sequence: number): void; totals(): Totals };
export type Totals = { readonly distinct: number; readonly repeated: number; readonly missing: number };

const aheadMax = 1_000_000;

export function createLedger(): Ledger {
  const runs = new Map<string, { next: number; readonly ahead: Set<number>; highest: number }>();
  let distinct = 0;
  let repeated = 0;
  return {
    add(run, sequence) {
      const state = runs.get(run) ?? { next: 1, ahead: new Set<number>(), highest: 0 };
      runs.set(run, state);
      if (sequence < state.next || state.ahead.has(sequence)) {
        repeated++;
        return;
      }
      distinct++;
      state.highest = Math.max(state.highest, sequence);
      if (sequence === state.next) state.next++;
      else if (state.ahead.size < aheadMax) state.ahead.add(sequence);
      while (state.ahead.delete(state.next)) state.next++;
    },
    totals() {
      let missing = 0;
      for (const { next, ahead, highest } of runs.values()) missing += highest - (next - 1) - ahead.size;
      return { distinct, repeated, missing };
    },
  };
}
