// pure
export type Medians = Readonly<Record<string, Readonly<Record<string, { readonly cpuMicrosPerLine: number; readonly megabytesPerSecond: number; readonly peakMiB: number }>>>>;
export type Verdict = { readonly goal: string; readonly limit: string; readonly measured: string; readonly met: boolean };

type Value = "cpuMicrosPerLine" | "megabytesPerSecond" | "peakMiB";
/** `of` is undefined when a part of it was not measured. */
type Goal = { readonly what: string; readonly atMost?: number; readonly atLeast?: number; readonly of: (medians: Medians) => number | undefined };

const absolute = (id: string, value: Value) => (medians: Medians): number | undefined => medians[id]?.["ours"]?.[value];

/** Ours in one case, of another's in the same or another case. */
const ratio = (id: string, value: Value, other: string, otherId = id) => (medians: Medians): number | undefined => {
  const mine = medians[id]?.["ours"]?.[value], theirs = medians[otherId]?.[other]?.[value];
  return mine === undefined || theirs === undefined ? undefined : mine / theirs;
};

const goals: readonly Goal[] = [
  { what: "raw: processor time per line, of the naive pipeline's (which parses)", atMost: 0.04, of: ratio("raw", "cpuMicrosPerLine", "naive", "json") },
  { what: "JSON: processor time per line, of the naive pipeline's", atMost: 0.1, of: ratio("json", "cpuMicrosPerLine", "naive") },
  { what: "raw: processor time per line, of rsyslog's with all in memory", atMost: 0.1, of: ratio("raw", "cpuMicrosPerLine", "rsyslog") },
  { what: "raw: processor time per line, of rsyslog's with a queue on disk", atMost: 0.1, of: ratio("raw", "cpuMicrosPerLine", "rsyslog-disk") },
  { what: "JSON: processor time per line, of rsyslog's with all in memory", atMost: 0.1, of: ratio("json", "cpuMicrosPerLine", "rsyslog") },
  { what: "JSON: processor time per line, of rsyslog's with a queue on disk", atMost: 0.1, of: ratio("json", "cpuMicrosPerLine", "rsyslog-disk") },
  { what: "raw: processor time per line, of Fluent Bit's", atMost: 0.3, of: ratio("raw", "cpuMicrosPerLine", "fluent-bit") },
  { what: "JSON: processor time per line, of Fluent Bit's", atMost: 0.3, of: ratio("json", "cpuMicrosPerLine", "fluent-bit") },
  { what: "raw, gzip: processor time per line, of Fluent Bit's", atMost: 1, of: ratio("gzip", "cpuMicrosPerLine", "fluent-bit") },
  { what: "raw: microseconds of processor time per line", atMost: 0.75, of: absolute("raw", "cpuMicrosPerLine") },
  { what: "JSON: microseconds of processor time per line", atMost: 1.85, of: absolute("json", "cpuMicrosPerLine") },
  { what: "JSON, three filters, Pod metadata: microseconds of processor time per line", atMost: 3, of: absolute("shaped", "cpuMicrosPerLine") },
  { what: "raw: MB/s", atLeast: 150, of: absolute("raw", "megabytesPerSecond") },
  { what: "raw: lines per second, of the naive pipeline's", atLeast: 10, of: ratio("raw", "megabytesPerSecond", "naive", "json") },
  ...["raw", "json", "shaped", "gzip"].map((id): Goal => ({ what: `${id}: peak of resident memory, MiB`, atMost: 100, of: absolute(id, "peakMiB") })),
];

/** What was measured against every goal of which all parts were measured. */
export function judge(medians: Medians): Verdict[] {
  return goals.flatMap(({ what, atMost, atLeast, of }) => {
    const measured = of(medians);
    if (measured === undefined) return [];
    const met = measured <= (atMost ?? Number.POSITIVE_INFINITY) && measured >= (atLeast ?? 0);
    return [{ goal: what, limit: atMost === undefined ? `>= ${atLeast ?? 0}` : `<= ${atMost}`, measured: measured >= 20 ? measured.toFixed(0) : measured.toFixed(3), met }];
  });
}
