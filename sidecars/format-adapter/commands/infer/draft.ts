// pure
import { typeText, type ValueType } from "../../mapping/types.ts";
import { besideTheirKin, columnOf, flattened, namesOf, yaml, type Column } from "./columns.ts";
import { guess, type Guessed } from "./guess.ts";
import { guessFilter } from "./guess-filter.ts";
import { pairRecords, type Pairing } from "./pairing.ts";

type Values = ReadonlyMap<string, string>;

/** What is known of a sample: how it is read or written (`in:` or `out:` of the draft), and its records, values as JSON writes them where `isTyped`. */
export type Sample = { readonly settings: Readonly<Record<string, unknown>>; readonly records: readonly Values[]; readonly isTyped: boolean };

export type Draft = {
  readonly pairing: Pairing;
  readonly input: Readonly<Record<string, unknown>>;
  readonly columns: ReadonlyMap<string, ValueType>;
  readonly fields: readonly { readonly name: string; readonly guessed: Guessed }[];
  readonly where: { readonly kind: "all" } | { readonly kind: "condition"; readonly text: string } | { readonly kind: "unknown"; readonly reason: string };
};

/** What is found out of two samples of the same records, an old and a new one. `zones`: the names of all time zones. */
export function draftMapping(old: Sample, recent: Sample, zones: readonly string[]): Draft {
  const oldRecords = old.isTyped ? old.records.map((record) => flattened(record, "fields")) : old.records;
  const newRecords = recent.isTyped ? recent.records.map((record) => flattened(record, "columns")) : recent.records;
  const pairing = pairRecords(oldRecords, newRecords);
  const names = namesOf(newRecords);
  const columnsOver = (records: readonly Values[]): readonly Column[] => names.map((name) => columnOf(name, records.map((record) => record.get(name) ?? "")));
  const paired = columnsOver(pairing.pairs.map(([, record]) => record));
  // Types hold for all records, also those without a counterpart.
  const all = columnsOver(newRecords);
  const columns = paired.map((column, index) => ({ ...columnOf(column.name, (all[index] ?? column).values), values: column.values }));
  // Of records that do not all have the same keys, those of one object or element may come late.
  const separator = old.settings["format"] === "xml" ? "/" : old.isTyped ? "." : undefined;
  const oldNames = namesOf(oldRecords);
  const fields = (separator === undefined ? oldNames : besideTheirKin(oldNames, separator)).map((name) => ({ name, guessed: guess(name, pairing.pairs.map(([record]) => record.get(name) ?? ""), columns, zones) }));
  return { pairing, input: recent.settings, columns: declared(all), fields, where: filterOf(pairing, columns, columnsOver(pairing.newAlone)) };
}

function declared(columns: readonly Column[]): ReadonlyMap<string, ValueType> {
  // A list is no value of a type: it is known by what is used or declared of it.
  return new Map(columns.flatMap(({ name, values, type }) => (values.some((value) => value.startsWith("[")) && columns.some((other) => other.name.startsWith(`${name}[`)) ? [] : [[name, /[.[]/.test(name) ? { ...type, optional: true } : type] as const])));
}

function filterOf({ newAlone, pairs }: Pairing, kept: readonly Column[], left: readonly Column[]): Draft["where"] {
  if (newAlone.length === 0) return { kind: "all" };
  const text = guessFilter(kept, left);
  return text === undefined ? { kind: "unknown", reason: `${newAlone.length} of ${newAlone.length + pairs.length} records of the new sample are not in the old one, and no column tells which` } : { kind: "condition", text };
}

/** A setting of a format, as YAML in one line. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((each) => flow(each)).join(", ")}]`;
  if (typeof value === "object" && value !== null) return `{${Object.entries(value).map(([key, each]) => `${yaml(key)}: ${flow(each)}`).join(", ")}}`;
  return typeof value === "string" ? yaml(value) : JSON.stringify(value);
}

/** Everything that was not found, for the exit code and the summary. */
export function todosOf({ fields, where, pairing }: Draft): readonly string[] {
  return [
    ...(pairing.pairs.length === 0 ? ["no record of the old sample could be told in the new one"] : []),
    ...(pairing.oldAlone.length > 0 ? [`${pairing.oldAlone.length} records of the old sample are not in the new one`] : []),
    ...(where.kind === "unknown" ? [where.reason] : []),
    ...fields.flatMap(({ name, guessed }) => ("reason" in guessed ? [`${name}: ${guessed.reason}`] : [])),
  ];
}

type Example = { readonly input: string; readonly output: string };

/** The draft as a whole configuration. */
export function draftText(draft: Draft, options: { readonly match: string; readonly output: Readonly<Record<string, unknown>>; readonly examples: readonly Example[] }): string {
  const { columns, fields, where, input } = draft;
  const lines = ["apiVersion: podkit/v1", "kind: Adapter", `watch: {dir: /reports, match: ${JSON.stringify(options.match)}}`, "mappings:", "  new-to-old:", "    in:"];
  for (const [key, value] of Object.entries(input)) lines.push(`      ${key}: ${flow(value)}`);
  if (columns.size > 0) lines.push("      columns:");
  for (const [name, type] of columns) lines.push(`        ${yaml(name)}: ${type.optional ? JSON.stringify(typeText(type)) : typeText(type)}`);
  lines.push(`    out: ${flow(options.output)}`);
  if (where.kind === "condition") lines.push(`    where: ${JSON.stringify(where.text)} # check: other records are not in the old sample`);
  if (where.kind === "unknown") lines.push(`    # TODO where: ${where.reason}`);
  lines.push("    fields:");
  for (const { name, guessed } of fields) lines.push(...("reason" in guessed ? [`      # TODO: ${guessed.reason}`, `      ${yaml(name)}: {const: ""}`] : [`      ${yaml(name)}: ${guessed.source}${guessed.note === undefined ? "" : ` # check: ${guessed.note}`}`]));
  if (options.examples.length > 0) lines.push("    examples:");
  for (const { input: text, output } of options.examples) lines.push(`      - in: ${block(text)}`, `        out: ${block(output)}`);
  return `${lines.join("\n")}\n`;
}

/** A text as it is read, where YAML keeps it so; in quotes otherwise. */
function block(text: string): string {
  // The first line tells how far the block is set in, so it must not begin with a space itself.
  const isPlain = /^[^\s#][^]*\n$/.test(text) && /^(?:[\x20-\x7e\u00a1-\ud7ff]+\n)+$/.test(text) && !text.includes(" \n");
  return isPlain ? `|\n${text.replace(/\n$/, "").replaceAll(/^/gm, "          ")}` : JSON.stringify(text);
}
