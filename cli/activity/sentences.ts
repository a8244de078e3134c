// pure
import type { Sample } from "./metrics-text.ts";

/**
 * How known counters are told to people. `says` names what was counted; `by` lists the labels whose values split the sum, in the
 * order shown. Every other podkit_*_total is told by its own name, so that a new role needs no line here.
 */
type Telling = {
  readonly says: (count: string) => string;
  readonly by: readonly string[];
  /** A label whose values get a line each below the sum. */
  readonly each?: string;
};

const known: Readonly<Record<string, Telling>> = {
  podkit_log_shipper_lines_shipped_total: { says: (count) => `${count} lines shipped`, by: ["sink"] },
  podkit_redis_ambassador_commands_total: { says: (count) => `${count} commands`, by: ["node"], each: "class" },
  podkit_format_adapter_files_adapted_total: { says: (count) => `${count} reports adapted`, by: ["mapping"] },
  podkit_format_adapter_rows_adapted_total: { says: (count) => `${count} rows adapted`, by: [] },
};

/** Counters about the process rather than about its work. */
const notWork: ReadonlySet<string> = new Set(["podkit_config_reload_total"]);

const thousands = (value: number): string => Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");

type Family = { readonly name: string; readonly samples: readonly Sample[]; readonly total: number };

/** The counters that tell of work: podkit_*_total, but those about the process itself. */
export function workFamilies(samples: readonly Sample[]): readonly Family[] {
  const work = samples.filter((sample) => /^podkit_.*_total$/.test(sample.name) && !notWork.has(sample.name));
  return [...Map.groupBy(work, (sample) => sample.name)].map(([name, members]) => ({ name, samples: members, total: members.reduce((sum, sample) => sum + sample.value, 0) }));
}

/**
 * What a sidecar did: a sentence for each known counter, in their order. What else it counted follows in one more, by name and without
 * zeros, when `everything` is asked for or nothing else can be told.
 */
export function tellActivity(samples: readonly Sample[], options: { readonly everything: boolean }): readonly string[] {
  const families = workFamilies(samples);
  const knownSentences = Object.entries(known).flatMap(([name, telling]) => families.filter((family) => family.name === name).flatMap((family) => tellFamily(family, telling)));
  if (knownSentences.length > 0 && !options.everything) return knownSentences;
  const others = families.filter((family) => known[family.name] === undefined && family.total !== 0).toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const role = samples.find((sample) => sample.name === "podkit_build_info")?.labels["role"];
  const named = others.flatMap((family) => tellFamily(family, genericTelling(family, role)));
  return [...knownSentences, ...(named.length === 0 ? [] : [`${knownSentences.length === 0 ? "" : "also: "}${named.join("; ")}`])];
}

function genericTelling({ name, samples }: Family, role: string | undefined): Telling {
  const own = role === undefined ? name : name.replace(`podkit_${role.replaceAll("-", "_")}_`, "");
  const words = own.replace(/^podkit_/, "").replace(/_total$/, "").replaceAll("_", " ");
  return { says: (count) => `${words} ${count}`, by: [...new Set(samples.flatMap((sample) => Object.keys(sample.labels)))] };
}

/** "40 rows adapted (30 sales, 10 stock)"; with `each`, "12 commands" and below it "  read: 5 r1:6379, 4 r2:6379". */
function tellFamily(family: Family, telling: Telling): readonly string[] {
  const sentence = telling.says(thousands(family.total));
  const { each } = telling;
  if (each === undefined) return [`${sentence}${inBrackets(split(family.samples, telling.by))}`];
  const kinds = Map.groupBy(family.samples.filter((sample) => sample.value !== 0), (sample) => sample.labels[each] ?? "other");
  const lines = [...kinds].map(([kind, samples]) => ({ kind, parts: split(samples, telling.by), total: samples.reduce((sum, sample) => sum + sample.value, 0) })).toSorted((left, right) => right.total - left.total);
  return [sentence, ...lines.map(({ kind, parts, total }) => `  ${kind}: ${parts.length === 0 ? thousands(total) : listed(parts)}`)];
}

type Part = { readonly name: string; readonly value: number };

/** The sum split by the values of some labels, the largest first. */
function split(samples: readonly Sample[], by: readonly string[]): readonly Part[] {
  const parts = new Map<string, number>();
  for (const sample of samples) {
    const name = by.map((label) => sample.labels[label] ?? "").filter((value) => value !== "").join(" ");
    if (name !== "" && sample.value !== 0) parts.set(name, (parts.get(name) ?? 0) + sample.value);
  }
  return [...parts].map(([name, value]) => ({ name, value })).toSorted((left, right) => right.value - left.value);
}

const partsMax = 8;

function listed(parts: readonly Part[]): string {
  const shown = parts.slice(0, partsMax).map(({ name, value }) => `${thousands(value)} ${name}`);
  return [...shown, ...(parts.length > partsMax ? [`and ${parts.length - partsMax} more`] : [])].join(", ");
}

/** One part alone only names itself. */
function inBrackets(parts: readonly Part[]): string {
  const [only] = parts;
  return only === undefined ? "" : parts.length === 1 ? ` (${only.name})` : ` (${listed(parts)})`;
}
