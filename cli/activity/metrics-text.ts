// pure
/** One reading of a metric: `name{labels} value`. */
export type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"\s*,?\s*/gy;
const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)(?:\s+[-\d.]+)?(?:\s+#.*)?$/;

/** Reads Prometheus text exposition (0.0.4, and OpenMetrics as far as it is alike). Lines that are neither comment nor sample are left out: the page is somebody else's. */
export function parseMetrics(text: string): readonly Sample[] {
  return text.split("\n").flatMap((line) => {
    const match = line.startsWith("#") ? null : sampleLine.exec(line.trim());
    const value = numberOf(match?.[3]);
    return match === null || value === undefined ? [] : [{ name: match[1] ?? "", labels: parseLabels(match[2] ?? ""), value }];
  });
}

function parseLabels(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries([...text.matchAll(labelPair)].map((match) => [match[1] ?? "", unescape(match[2] ?? "")] as const));
}

const unescape = (text: string): string => text.replace(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter));

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === "+Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  const value = Number(text);
  return Number.isNaN(value) ? undefined : value;
}
