// pure
export type Medians = Readonly<Record<string, Readonly<Record<string, { readonly cpuMicrosPerLine: number; readonly megabytesPerSecond: number; readonly peakMiB: number }>>>>;
export type Verdict = { readonly goal: string; readonly limit: string; readonly measured: string; readonly met: boolean };

type Limit = { readonly atMost: number } | { readonly atLeast: number };
type Value = "cpuMicrosPerLine" | "megabytesPerSecond" | "peakMiB";
/** `of` is undefined when a part of it was not measured. */
type Goal = { readonly what: string; readonly limit: Limit; readonly of: (medians: Medians) => number | undefined };

const absolute = (id: string, value: Value) => (medians: Medians): number | undefined => medians[id]?.["ours"]?.[value];

/** Ours in one case, of another's in the same or another case. */
const ratio = (id: string, value: Value, other: string, otherId = id, who = "ours") => (medians: Medians): number | undefined => {
  const mine = medians[id]?.[who]?.[value], theirs = medians[otherId]?.[other]?.[value];
  return mine === undefined || theirs === undefined ? undefined : mine / theirs;
};

const goals: readonly Goal[] = [
  { what: "raw: processor time per line, of the naive pipeline's (which parses)", limit: { atMost: 0.04 }, of: ratio("raw", "cpuMicrosPerLine", "naive", "json") },
  { what: "JSON: processor time per line, of the naive pipeline's", limit: { atMost: 0.1 }, of: ratio("json", "cpuMicrosPerLine", "naive") },
  { what: "raw: processor time per line, of rsyslog's with all in memory", limit: { atMost: 0.1 }, of: ratio("raw", "cpuMicrosPerLine", "rsyslog") },
  { what: "raw: processor time per line, of rsyslog's with a queue on disk", limit: { atMost: 0.1 }, of: ratio("raw", "cpuMicrosPerLine", "rsyslog-disk") },
  { what: "JSON: processor time per line, of rsyslog's with all in memory", limit: { atMost: 0.1 }, of: ratio("json", "cpuMicrosPerLine", "rsyslog") },
  { what: "JSON: processor time per line, of rsyslog's with a queue on disk", limit: { atMost: 0.1 }, of: ratio("json", "cpuMicrosPerLine", "rsyslog-disk") },
  { what: "raw: processor time per line, of Fluent Bit's", limit: { atMost: 0.3 }, of: ratio("raw", "cpuMicrosPerLine", "fluent-bit") },
  { what: "JSON: processor time per line, of Fluent Bit's", limit: { atMost: 0.3 }, of: ratio("json", "cpuMicrosPerLine", "fluent-bit") },
  { what: "raw, gzip: processor time per line, of Fluent Bit's", limit: { atMost: 1 }, of: ratio("gzip", "cpuMicrosPerLine", "fluent-bit") },
  { what: "raw, TypeScript core: processor time per line, of the naive pipeline's", limit: { atMost: 0.1 }, of: ratio("raw", "cpuMicrosPerLine", "naive", "json", "ours-ts") },
  { what: "JSON, TypeScript core: processor time per line, of the naive pipeline's", limit: { atMost: 0.25 }, of: ratio("json", "cpuMicrosPerLine", "naive", "json", "ours-ts") },
  { what: "raw: microseconds of processor time per line", limit: { atMost: 0.75 }, of: absolute("raw", "cpuMicrosPerLine") },
  { what: "JSON: microseconds of processor time per line", limit: { atMost: 1.85 }, of: absolute("json", "cpuMicrosPerLine") },
  { what: "JSON, three filters, Pod metadata: microseconds of processor time per line", limit: { atMost: 3 }, of: absolute("shaped", "cpuMicrosPerLine") },
  { what: "raw: MB/s", limit: { atLeast: 150 }, of: absolute("raw", "megabytesPerSecond") },
  { what: "raw: lines per second, of the naive pipeline's", limit: { atLeast: 10 }, of: ratio("raw", "megabytesPerSecond", "naive", "json") },
  ...["raw", "json", "shaped", "gzip"].map((id): Goal => ({ what: `${id}: peak of resident memory, MiB`, limit: { atMost: 100 }, of: absolute(id, "peakMiB") })),
];

/** The verdict on one figure. */
export function verdict(goal: string, measured: number, limit: Limit): Verdict {
  const met = "atMost" in limit ? measured <= limit.atMost : measured >= limit.atLeast;
  return { goal, limit: "atMost" in limit ? `<= ${limit.atMost}` : `>= ${limit.atLeast}`, measured: measured >= 20 ? measured.toFixed(0) : measured.toFixed(3), met };
}

/** What was measured against every goal of which all parts were measured. */
export function judge(medians: Medians): Verdict[] {
  return goals.flatMap(({ what, limit, of }) => {
    const measured = of(medians);
    return measured === undefined ? [] : [verdict(what, measured, limit)];
  });
}
