// pure
import type { InputOptions, OutputOptions } from "../formats/options.ts";
import { compileDateParse, datePieces } from "../mapping/date-pattern.ts";
import type { FieldMapping, Mapping } from "../mapping/mapping.ts";
import { typeText } from "../mapping/types.ts";

/** The mapping back, as YAML, where every field can be undone; otherwise the fields that cannot, and why. */
export type Reverse = { readonly kind: "reversible"; readonly yaml: string } | { readonly kind: "lossy"; readonly reasons: readonly { readonly field: string; readonly reason: string }[] };

type Undone = { readonly column: string; readonly source: string } | { readonly nothing: true } | { readonly reason: string };

export function reverseMapping(mapping: Mapping): Reverse {
  const undone = mapping.fields.map((field) => ({ field: field.name, undone: undo(field) }));
  const reasons = undone.flatMap(({ field, undone: back }) => ("reason" in back ? [{ field, reason: back.reason }] : []));
  const sources = new Map<string, string>();
  for (const { undone: back } of undone) if ("column" in back && !sources.has(back.column)) sources.set(back.column, back.source);
  const named = mapping.input.format === "csv" ? mapping.input.names : undefined;
  const lost = [...new Set([...mapping.input.columns.keys(), ...(named ?? [])])].filter((column) => !sources.has(column) && !mapping.fields.some(({ source }) => "from" in source && source.from === column));
  const all = [
    ...reasons,
    ...lost.map((column) => ({ field: column, reason: "no field holds this column of the input" })),
    ...(mapping.where === undefined ? [] : [{ field: "where", reason: "records that are left out do not come back" }]),
    ...lostLines(mapping.input),
    ...(mapping.formulas === "quote" ? [{ field: "formulas", reason: "a quote that was put before a formula cannot be told from one that was there" }] : []),
    ...(mapping.onError.kind === "fail-file" ? [] : [{ field: "onError", reason: "records that are left out do not come back" }]),
  ];
  if (all.length > 0) return { kind: "lossy", reasons: all };
  const types = mapping.fields.flatMap(({ name, source }) => {
    const type = source.kind === "copy" ? (source.type ?? mapping.input.columns.get(source.from)) : undefined;
    return [`${JSON.stringify(name)}: ${JSON.stringify(type === undefined ? "string?" : typeText(type))}`];
  });
  // Without a header the columns are told by their order.
  const ordered = named === undefined ? [...sources] : [...sources].toSorted(([left], [right]) => named.indexOf(left) - named.indexOf(right));
  const fields = ordered.map(([column, source]) => `  ${JSON.stringify(column)}: ${source}\n`).join("");
  return {
    kind: "reversible",
    yaml: `in: {format: ${mapping.output.format}${csvSettings(mapping.output)}${documentSettings(mapping.output)}, columns: {${types.join(", ")}}}\nout: {format: ${mapping.input.format}${csvSettings(mapping.input)}${documentSettings(mapping.input)}, file: ${JSON.stringify(`/reversed/{name}.${mapping.input.format}`)}}\nfields:\n${fields}`,
  };
}

/** What is not the default in a dialect of CSV; its line ends and its quoting policy are not told by what was read. */
function csvSettings(options: InputOptions | OutputOptions): string {
  if (options.format !== "csv") return "";
  const quoteCharacter = "quoteCharacter" in options ? options.quoteCharacter : options.quote;
  const hasHeader = "header" in options ? options.header : options.names === undefined;
  return [
    ...(options.delimiter === "," ? [] : [`, delimiter: ${JSON.stringify(options.delimiter)}`]),
    ...(quoteCharacter === '"' ? [] : [quoteCharacter === undefined ? ", quote: none" : `, quoteCharacter: ${JSON.stringify(quoteCharacter)}`]),
    ...(options.escape === "double" ? [] : [", escape: backslash"]),
    ...(hasHeader ? [] : [", header: false"]),
    ...(options.trailer === undefined ? [] : [`, trailer: ${JSON.stringify(options.trailer)}`]),
  ].join("");
}

/** Where the records stand in a document of JSON or XML: as it is written for what was read, and read for what was written. */
function documentSettings(options: InputOptions | OutputOptions): string {
  if (options.format === "json") {
    const records = "around" in options ? options.around?.records : "wrap" in options ? options.wrap?.records : undefined;
    if (records === undefined || records.length === 0) return "";
    // What stands beside the records that were written is no column of theirs.
    const beside = "wrap" in options ? (options.wrap?.constants ?? []).map(({ path }) => path) : [];
    return `, records: ${JSON.stringify(records.map((key) => key.replaceAll(".", String.raw`\.`)).join("."))}${beside.length === 0 ? "" : `, ignore: ${JSON.stringify(beside)}`}`;
  }
  if (options.format !== "xml") return "";
  const { namespaces } = options;
  const named = namespaces === undefined || namespaces.size === 0 ? "" : `, namespaces: ${JSON.stringify(Object.fromEntries(namespaces))}`;
  if ("root" in options) return `, records: ${JSON.stringify(`/${[...options.root, options.record].join("/")}`)}${named}`;
  const around = options.records.slice(0, -1);
  return `${around.length === 0 ? "" : `, root: ${JSON.stringify(around.join("/"))}`}, record: ${JSON.stringify(options.records.at(-1) ?? "")}${named}`;
}

function lostLines(input: InputOptions): readonly { readonly field: string; readonly reason: string }[] {
  const isEnveloped = (input.format === "json" && (input.around?.constants.size ?? 0) > 0) || (input.format === "xml" && input.envelope !== undefined);
  if (isEnveloped) return [{ field: "in", reason: "values around the records do not come back to where they stood" }];
  return input.format === "csv" && (input.comment !== undefined || input.skipLines > 0) ? [{ field: "in", reason: "lines that are no records do not come back" }] : [];
}

/** What makes the input's column of the field again. */
function undo({ name, source }: FieldMapping): Undone {
  switch (source.kind) {
    case "copy":
      return source.fallback === undefined ? { column: source.from, source: JSON.stringify(name) } : { reason: `a missing value becomes ${JSON.stringify(source.fallback)}, as a value that is so already` };
    case "const":
      return { nothing: true };
    case "map": {
      const values = [...source.values];
      if (source.otherwise.kind !== "error") return { reason: "unlisted values are let through, so that the value does not tell where it came from; use else: error" };
      const double = values.find(([key, value]) => values.some(([other, same]) => other !== key && same === value));
      if (double !== undefined) return { reason: `several values become ${JSON.stringify(double[1])}` };
      return { column: source.from, source: `{from: ${JSON.stringify(name)}, map: {${values.map(([key, value]) => `${JSON.stringify(value)}: ${JSON.stringify(key)}`).join(", ")}}}` };
    }
    case "date":
      return undoDate(name, source);
    case "join":
      return { reason: "a joined value does not tell where its parts end" };
    case "split":
      return { reason: "a part does not tell the rest" };
    case "expr":
      return { reason: "the result of an expression does not tell its values" };
    case "joinList":
    case "splitList":
      return { reason: "an empty list and a list of one empty value have one text" };
  }
}

function undoDate(name: string, { from, input, output }: FieldMapping["source"] & { readonly kind: "date" }): Undone {
  const isNamed = (pattern: string): boolean => pattern === "rfc3339" || pattern.startsWith("unix");
  const lettersOf = (pattern: string): readonly string[] => {
    if (isNamed(pattern)) return ["yyyy", "MM", "dd", "HH", "mm", "ss"];
    const pieces = datePieces(pattern);
    return pieces.kind === "ok" ? pieces.pieces.flatMap((piece) => ("letters" in piece ? [piece.letters[0] ?? ""] : [])) : [];
  };
  const kept = new Set(lettersOf(output.pattern).map((letters) => letters[0]));
  const lost = [...new Set(lettersOf(input.pattern).map((letters) => letters[0]))].filter((letter) => letter !== undefined && letter !== "X" && letter !== "a" && !kept.has(letter) && !(letter === "H" && kept.has("h")) && !(letter === "h" && kept.has("H")));
  const read = compileDateParse({ ...output, overlap: "earlier", gap: "error" });
  if (read.kind === "wrong" && lost.length === 0) return { reason: `the pattern ${output.pattern} cannot be read: ${read.reason}` };
  if (lost.length > 0) return { reason: `the pattern ${output.pattern} leaves parts of the time out` };
  if (input.pattern === "rfc3339" && !isNamed(output.pattern) && !kept.has("S")) return { reason: `the pattern ${output.pattern} leaves fractions of a second out` };
  if (input.pattern === "rfc3339" || input.pattern.includes("XXX")) return { reason: "the offset in which the time was written is not kept" };
  if (output.zone !== "UTC" && !kept.has("X") && !isNamed(output.pattern)) return { reason: `clocks in ${output.zone} show some times twice` };
  return { column: from, source: `{from: ${JSON.stringify(name)}, date: {in: ${JSON.stringify(output.pattern)}, inZone: ${JSON.stringify(output.zone)}, out: ${JSON.stringify(input.pattern)}, zone: ${JSON.stringify(input.zone)}}}` };
}
