// pure
import type { Sample } from "./metrics-text.ts";

/**
 * How known counters are told to people. `says` names what was counted; `by` lists the labels whose values split the sum, in the
 * order shown. Every other podkit_*_total is told by its own name, so that a new role needs no line here.
 */
type Telling = { readonly says: (count: string) => string; readonly by: readonly string[] };

const known: Readonly<Record<string, Telling>> = {
  podkit_log_shipper_lines_shipped_total: { says: (count) => `${count} lines shipped`, by: ["sink"] },
  podkit_redis_ambassador_commands_total: { says: (count) => `${count} commands`, by: ["class", "node"] },
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

/** What a sidecar did: a sentence for each known counter, in their order; what else it counted in one more, by name, without zeros. */
export function tellActivity(samples: readonly Sample[]): readonly string[] {
  const families = workFamilies(samples);
  const knownSentences = Object.entries(known).flatMap(([name, telling]) => families.filter((family) => family.name === name).map((family) => tellFamily(family, telling)));
  const others = families.filter((family) => known[family.name] === undefined && family.total !== 0).toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const role = samples.find((sample) => sample.name === "podkit_build_info")?.labels["role"];
  const named = others.map((family) => tellFamily(family, genericTelling(family, role)));
  return [...knownSentences, ...(named.length === 0 ? [] : [`${knownSentences.length === 0 ? "" : "also: "}${named.join("; ")}`])];
}

function genericTelling({ name, samples }: Family, role: string | undefined): Telling {
  const own = role === undefined ? name : name.replace(`podkit_${role.replaceAll("-", "_")}_`, "");
  const words = own.replace(/^podkit_/, "").replace(/_total$/, "").replaceAll("_", " ");
  return { says: (count) => `${words} ${count}`, by: [...new Set(samples.flatMap((sample) => Object.keys(sample.labels)))] };
}

/** "12 commands (7 write at primary:6379, 5 read at replica:6379)"; one part alone only names itself: "12 lines shipped (sink central)". */
function tellFamily(family: Family, telling: Telling): string {
  const sentence = telling.says(thousands(family.total));
  const parts = new Map<string, number>();
  for (const sample of family.samples) {
    const values = telling.by.map((label) => sample.labels[label] ?? "").filter((value) => value !== "");
    const part = values.length === 2 ? `${values[0] ?? ""} at ${values[1] ?? ""}` : values.join(" ");
    if (part !== "" && sample.value !== 0) parts.set(part, (parts.get(part) ?? 0) + sample.value);
  }
  if (parts.size === 0) return sentence;
  const [only] = parts.keys();
  if (parts.size === 1) return `${sentence} (${only ?? ""})`;
  const listed = [...parts].toSorted(([, left], [, right]) => right - left);
  const shown = listed.slice(0, partsMax).map(([part, value]) => `${thousands(value)} ${part}`);
  return `${sentence} (${[...shown, ...(listed.length > partsMax ? [`and ${listed.length - partsMax} more`] : [])].join(", ")})`;
}

const partsMax = 8;
