// pure
/** Medians of one case: by candidate. */
export type Medians = Readonly<Record<string, Readonly<Record<string, { readonly cpuMicrosPerOp: number; readonly opsPerSecond: number; readonly p99Ms: number }>>>>;
export type Verdict = { readonly goal: string; readonly limit: string; readonly measured: string; readonly met: boolean };

/** `of` is the measured ratio; undefined when a candidate or the case was not measured. */
type Goal = { readonly what: string; readonly atMost?: number; readonly atLeast?: number; readonly of: (medians: Medians) => number | undefined };

type Value = "cpuMicrosPerOp" | "opsPerSecond" | "p99Ms";
const ratio = (id: string, value: Value, upper: string, lower: string) => (medians: Medians): number | undefined => {
  const one = medians[id]?.[upper]?.[value], other = medians[id]?.[lower]?.[value];
  return one === undefined || other === undefined ? undefined : one / other;
};

const cpu = (id: string, atMost: number): Goal => ({ what: `${id}: processor time per operation, of twemproxy's`, atMost, of: ratio(id, "cpuMicrosPerOp", "pod", "twemproxy") });
const speed = (id: string, atLeast: number): Goal => ({ what: `${id}: operations per second, of twemproxy's`, atLeast, of: ratio(id, "opsPerSecond", "pod", "twemproxy") });
const tail = (id: string): Goal => ({ what: `${id}: p99, of twemproxy's`, atMost: 1, of: ratio(id, "p99Ms", "pod", "twemproxy") });
const naive = (id: string): readonly Goal[] => [
  { what: `${id}: processor time of the naive proxy, of ours`, atLeast: 10, of: ratio(id, "cpuMicrosPerOp", "naive", "pod") },
  { what: `${id}: our operations per second, of the naive proxy's`, atLeast: 10, of: ratio(id, "opsPerSecond", "pod", "naive") },
];
const direct = (id: string): Goal => ({ what: `${id}: operations per second, of a server asked directly`, atLeast: 1, of: ratio(id, "opsPerSecond", "pod", "direct") });

const pipelined = ["get-16", "set-16", "alternating-16", "get-64", "set-64"];
const goals: readonly Goal[] = [
  cpu("get-16", 0.25), cpu("set-16", 0.25), cpu("get-64", 0.08), cpu("set-64", 0.08), cpu("alternating-16", 0.36), cpu("get-1", 1.1), cpu("set-1", 0.9),
  cpu("get-1-64kb", 1.05), cpu("set-1-64kb", 1.4),
  speed("get-16", 2.5), speed("set-16", 2.5), speed("get-64", 7), speed("set-64", 7),
  direct("get-64"), direct("set-64"),
  ...["get-1", "set-1", "get-16", "set-16", "alternating-16", "get-64", "set-64", "get-16-1kb", "set-16-1kb", "get-1-64kb", "set-1-64kb"].map(tail),
  ...pipelined.flatMap(naive),
  ...["get-16", "set-16", "alternating-16"].map((id): Goal => ({ what: `${id}: processor time of consistency pod, of eventual's`, atMost: 1.15, of: ratio(id, "cpuMicrosPerOp", "pod", "eventual") })),
];

/** What was measured against every goal of which all parts were measured. */
export function judge(medians: Medians): Verdict[] {
  return goals.flatMap(({ what, atMost, atLeast, of }) => {
    const measured = of(medians);
    if (measured === undefined) return [];
    const met = measured <= (atMost ?? Number.POSITIVE_INFINITY) && measured >= (atLeast ?? 0);
    return [{ goal: what, limit: atMost === undefined ? `>= ${atLeast ?? 0}` : `<= ${atMost}`, measured: measured.toFixed(2), met }];
  });
}
