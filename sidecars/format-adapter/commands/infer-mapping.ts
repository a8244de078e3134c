// pure
import { compileDateFormat, compileDateParse } from "../mapping/date-pattern.ts";
import { add, formatDecimal, multiply, parseDecimal, subtract } from "../mapping/decimal.ts";
import { fits, type ValueType } from "../mapping/types.ts";

type Values = ReadonlyMap<string, string>;
export type Inferred = { readonly yaml: string; /** Fields for which nothing was found. */ readonly unknown: readonly string[] };

const typesTried: readonly (readonly [text: string, type: ValueType])[] = [
  ["int64", { kind: "int64", digits: 0, optional: false }],
  ...[1, 2, 3, 4, 6, 9].map((digits) => [`decimal(${digits})`, { kind: "decimal", digits, optional: false }] as const),
  ["bool", { kind: "bool", digits: 0, optional: false }],
  ["date", { kind: "date", digits: 0, optional: false }],
  ["timestamp", { kind: "timestamp", digits: 0, optional: false }],
];
const datePatterns = ["rfc3339", "unix", "unix-ms", "yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm", "dd/MM/yyyy HH:mm:ss", "dd/MM/yyyy HH:mm", "dd/MM/yyyy", "MM/dd/yyyy HH:mm", "MM/dd/yyyy", "dd.MM.yyyy HH:mm:ss", "dd.MM.yyyy HH:mm", "dd.MM.yyyy", "yyyyMMdd", "yyyyMMddHHmmss", "d MMM yyyy"];
const separators = [" ", ", ", ",", "-", "/", "_", ":", "@", "; ", ";", "|"];
const mapValuesMax = 30;

/**
 * Drafts a mapping from a sample of the new report to the same records in the old form, in the same order. It holds for these
 * records; whether it holds for others is for its author to say. The first guess of these that holds is taken: the same value, a
 * constant, a time in another form, two values with a separator, a part of a value, a product, sum or difference, a table of values.
 */
export function inferMapping(oldRecords: readonly Values[], newRecords: readonly Values[], formats: { readonly oldFormat: string; readonly newFormat: string }): Inferred {
  const count = Math.min(oldRecords.length, newRecords.length);
  const column = (records: readonly Values[], name: string): readonly string[] => Array.from({ length: count }, (_, index) => records[index]?.get(name) ?? "");
  const names = (records: readonly Values[]): readonly string[] => [...new Set(records.flatMap((record) => [...record.keys()]))];
  const inputs: Columns = new Map(names(newRecords).map((name) => [name, column(newRecords, name)]));
  const guesses = names(oldRecords).map((name) => ({ name, source: guess(name, column(oldRecords, name), inputs) }));
  const declared = [...inputs].map(([name, values]) => `      ${JSON.stringify(name)}: ${JSON.stringify(typeOf(values))}\n`).join("");
  const fields = guesses.map(({ name, source }) => (source === undefined ? `      ${JSON.stringify(name)}: {const: ""} # TODO: nothing in the new report gives this\n` : `      ${JSON.stringify(name)}: ${source}\n`)).join("");
  return {
    yaml: `mappings:\n  new-to-old:\n    in:\n      format: ${formats.newFormat}\n      columns:\n${declared.replaceAll(/^ {6}/gm, "        ")}    out: {format: ${formats.oldFormat}, file: "/legacy/{name}.${formats.oldFormat}"}\n    fields:\n${fields}`,
    unknown: guesses.filter(({ source }) => source === undefined).map(({ name }) => name),
  };
}

type Columns = ReadonlyMap<string, readonly string[]>;

/** The narrowest type that all values have; "string?" when none has. */
function typeOf(values: readonly string[]): string {
  const there = values.filter((value) => value !== "");
  const found = there.length === 0 ? undefined : typesTried.find(([, type]) => there.every((value) => fits(type, value)))?.[0];
  return `${found ?? "string"}${found === undefined || there.length < values.length ? "?" : ""}`;
}

function same(wanted: readonly string[], made: (index: number) => string | undefined): boolean {
  return wanted.every((value, index) => made(index) === value);
}

function guess(name: string, wanted: readonly string[], inputs: Columns): string | undefined {
  // A column of the same name comes first.
  const columns = [...inputs].toSorted(([left], [right]) => Number(right === name) - Number(left === name));
  const copied = columns.find(([, values]) => same(wanted, (index) => values[index]));
  if (copied !== undefined) return JSON.stringify(copied[0]);
  if (new Set(wanted).size === 1 && wanted.length > 1) return `{const: ${JSON.stringify(wanted[0])}}`;
  return guessDate(wanted, columns) ?? guessJoin(wanted, columns) ?? guessPart(wanted, columns) ?? guessArithmetic(wanted, columns) ?? guessMap(wanted, columns);
}

type Entries = readonly (readonly [name: string, values: readonly string[]])[];

function guessDate(wanted: readonly string[], columns: Entries): string | undefined {
  if (wanted.every((value) => value === "")) return undefined;
  for (const input of datePatterns) {
    const parsed = compileDateParse({ pattern: input, zone: "UTC", overlap: "earlier", gap: "error" });
    if (parsed.kind === "wrong") continue;
    for (const [name, values] of columns) {
      const moments = values.map((value) => (value === "" ? undefined : parsed.parse(value)));
      if (values.some((value, index) => value !== "" && moments[index] === undefined) || moments.every((moment) => moment === undefined)) continue;
      for (const output of datePatterns) {
        const formatted = compileDateFormat(output, "UTC");
        if (formatted.kind === "wrong") continue;
        const made = (index: number): string | undefined => {
          const moment = moments[index];
          return moment === undefined ? "" : formatted.format(moment);
        };
        if (same(wanted, made)) return `{from: ${JSON.stringify(name)}, date: {in: ${JSON.stringify(input)}, out: ${JSON.stringify(output)}}}`;
      }
    }
  }
  return undefined;
}

function guessJoin(wanted: readonly string[], columns: Entries): string | undefined {
  for (const [first, left] of columns) {
    if (left.some((value, index) => wanted[index]?.startsWith(value) !== true) || left.every((value) => value === "")) continue;
    for (const [second, right] of columns) {
      const separator = wanted[0]?.slice((left[0] ?? "").length, wanted[0].length - (right[0] ?? "").length) ?? "";
      if (second !== first && same(wanted, (index) => `${left[index] ?? ""}${separator}${right[index] ?? ""}`)) return `{join: [${JSON.stringify(first)}, ${JSON.stringify(second)}], sep: ${JSON.stringify(separator)}}`;
    }
  }
  return undefined;
}

function guessPart(wanted: readonly string[], columns: Entries): string | undefined {
  if (wanted.every((value) => value === "")) return undefined;
  for (const [name, values] of columns) {
    for (const separator of separators) {
      for (const index of [0, 1, 2, -1]) {
        if (same(wanted, (row) => values[row]?.split(separator).at(index) ?? "")) return `{from: ${JSON.stringify(name)}, split: {sep: ${JSON.stringify(separator)}, index: ${index}}}`;
      }
    }
  }
  return undefined;
}

const operations = [["*", multiply], ["+", add], ["-", subtract]] as const;

function guessArithmetic(wanted: readonly string[], columns: Entries): string | undefined {
  const type = typeOf(wanted);
  const digits = type === "int64" ? 0 : Number(/^decimal\((\d+)\)$/.exec(type)?.[1] ?? Number.NaN);
  if (Number.isNaN(digits)) return undefined;
  const numeric = columns.flatMap(([name, values]) => {
    const numbers = values.map((value) => parseDecimal(value));
    return numbers.every((number) => number !== undefined) && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? [[name, numbers] as const] : [];
  });
  for (const [first, left] of numeric) {
    for (const [second, right] of numeric) {
      for (const [sign, operate] of operations) {
        const made = (index: number): string | undefined => {
          const [one, other, given] = [left[index], right[index], parseDecimal(wanted[index] ?? "")];
          if (one === undefined || other === undefined || given === undefined) return undefined;
          return subtract(operate(one, other), given).unscaled === 0 || formatDecimal(operate(one, other)) === wanted[index] ? wanted[index] : undefined;
        };
        if (same(wanted, made)) return `{expr: ${JSON.stringify(`${first} ${sign} ${second}`)}, type: ${type}${sign === "*" ? ", round: half-up" : ""}}`;
      }
    }
  }
  return undefined;
}

function guessMap(wanted: readonly string[], columns: Entries): string | undefined {
  for (const [name, values] of columns) {
    const table = new Map<string, string>();
    const fitsAll = values.every((value, index) => {
      const known = table.get(value);
      table.set(value, wanted[index] ?? "");
      return known === undefined || known === wanted[index];
    });
    // As many entries as records would say nothing.
    if (fitsAll && table.size <= mapValuesMax && table.size < values.length) return `{from: ${JSON.stringify(name)}, map: {${[...table].map(([from, to]) => `${JSON.stringify(from)}: ${JSON.stringify(to)}`).join(", ")}}}`;
  }
  return undefined;
}
