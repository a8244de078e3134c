// pure
import { sameAs, yaml, type Column, type Guess } from "./columns.ts";
import { guessDate } from "./guess-date.ts";
import { guessNumber } from "./guess-number.ts";
import { guessChange, guessList, guessPart, guessTogether } from "./guess-text.ts";

/** A field of the old report: how it is made, or why that was not found. */
export type Guessed = Guess | { readonly reason: string };

const mapValuesMax = 30;

/**
 * How the new report's columns give a column of the old one. The first of these that holds for every record: the same value; one value for all;
 * a list; part of a value; a value in other case, spacing or length; a time in other form; a number in other digits, times or plus a constant, of two columns;
 * several values behind each other; a table of values.
 */
export function guess(name: string, wanted: readonly string[], all: readonly Column[], zones: readonly string[]): Guessed {
  if (wanted.length === 0) return { reason: "the samples have no record in common" };
  // A column of the same name comes first.
  const columns = all.toSorted((left, right) => Number(right.name === name) - Number(left.name === name));
  const found = guessCopy(wanted, columns) ?? guessConstant(wanted, columns) ?? guessList(wanted, columns) ?? guessPart(wanted, columns) ?? guessDate(wanted, columns, zones) ?? guessChange(wanted, columns)
    ?? guessNumber(wanted, columns) ?? guessTogether(wanted, columns) ?? guessMap(wanted, columns);
  return found ?? { reason: nearestReason(wanted, columns) };
}

function guessCopy(wanted: readonly string[], columns: readonly Column[]): Guess | undefined {
  const same = columns.find(({ values }) => sameAs(wanted, (row) => values[row]));
  if (same !== undefined) return { source: yaml(same.name) };
  for (const { name, values } of columns) {
    const gap = values.indexOf("");
    const fallback = wanted[gap] ?? "";
    // One record with a value and one without are the least that tells of a default.
    if (fallback !== "" && values.some((value) => value !== "") && sameAs(wanted, (row) => (values[row] === "" ? fallback : values[row]))) return { source: `{from: ${yaml(name)}, default: ${yaml(fallback)}}` };
  }
  return undefined;
}

function guessConstant(wanted: readonly string[], columns: readonly Column[]): Guess | undefined {
  const [first = ""] = wanted;
  if (!wanted.every((value) => value === first)) return undefined;
  if (wanted.length === 1) return columns.some(({ values }) => values[0] === first) ? undefined : { source: `{const: ${JSON.stringify(first)}}`, note: "one record does not tell a constant from a value" };
  return { source: `{const: ${yaml(first)}}` };
}

/** A table of values. As many entries as records would say nothing. */
function guessMap(wanted: readonly string[], columns: readonly Column[]): Guess | undefined {
  const tables = columns.flatMap(({ name, values }) => {
    const table = new Map<string, string>();
    const holds = values.every((value, row) => {
      const known = table.get(value);
      table.set(value, wanted[row] ?? "");
      return known === undefined || known === wanted[row];
    });
    return holds && table.size <= mapValuesMax && table.size < values.length ? [{ name, table }] : [];
  });
  const [best] = tables.toSorted((left, right) => left.table.size - right.table.size);
  if (best === undefined) return undefined;
  const entries = [...best.table].map(([from, to]) => `${yaml(from)}: ${yaml(to)}`).join(", ");
  const once = best.table.size * 2 > wanted.length ? { note: `${best.table.size} values in ${wanted.length} records; a larger sample would tell more` } : {};
  return { source: `{from: ${yaml(best.name)}, map: {${entries}}}`, ...once };
}

function nearestReason(wanted: readonly string[], columns: readonly Column[]): string {
  const near = columns.map(({ name, values }) => ({ name, values, same: wanted.filter((value, row) => value === values[row]).length })).toSorted((left, right) => right.same - left.same)[0];
  const show = (text: string | undefined): string => JSON.stringify((text ?? "").length > 30 ? `${(text ?? "").slice(0, 30)}…` : text);
  if (near !== undefined && near.same * 2 > wanted.length) {
    const row = wanted.findIndex((value, index) => value !== near.values[index]);
    return `${near.name} is the same in ${near.same} of ${wanted.length} records, but not where it is ${show(near.values[row])} and should be ${show(wanted[row])}`;
  }
  const samples = [...new Set(wanted)].slice(0, 3).map((value) => show(value)).join(", ");
  return `no column, part, sum or table of values of the new report gives ${samples}${new Set(wanted).size > 3 ? ", …" : ""}`;
}
