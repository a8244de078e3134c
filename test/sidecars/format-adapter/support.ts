import assert from "node:assert/strict";
import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { strictCsv } from "../../../sidecars/format-adapter/formats/csv-dialect.ts";
import { createReader } from "../../../sidecars/format-adapter/formats/text-readers.ts";
import { spec, type Config } from "../../../sidecars/format-adapter/config.ts";
import type { AdapterConfig } from "../../../sidecars/format-adapter/adapter-config.ts";
import type { Mapping } from "../../../sidecars/format-adapter/mapping/mapping.ts";
import { formatProblem, type Problem } from "../../../kit/config/problem.ts";
import { readYaml } from "../../../kit/config/yaml-source.ts";

export type ReadResult = { readonly columns: readonly string[]; readonly rows: readonly (readonly [line: number, ...values: (string | undefined)[]])[] } | { readonly code: string; readonly line: number; readonly column: string | undefined };

/** Reads a text given in pieces; the rows as [line, …values in the order of the columns], or the error. */
export function readPieces(format: "csv" | "ndjson" | "json", pieces: readonly string[], options: { readonly delimiter?: string; readonly takeUnfinished?: boolean } = {}): ReadResult {
  let columns: readonly string[] = [];
  const rows: [number, ...(string | undefined)[]][] = [];
  try {
    const reader = createReader(format === "csv" ? { format, ...strictCsv(options.delimiter ?? ",") } : { format }, {
      onColumns: (names) => (columns = [...columns, ...names]),
      onRow: (row) => rows.push([row.line, ...columns.map((name) => row.text(name))]),
    });
    for (const piece of pieces) reader.push(piece);
    reader.end({ takeUnfinished: options.takeUnfinished ?? false });
    return { columns, rows };
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return { code: error.code, line: error.line, column: error.column };
  }
}

/** The configuration, or all its problems as lines. */
export function parseConfig(text: string): { readonly config: Config } | { readonly problems: readonly string[] } {
  const problems: Problem[] = [];
  const { node, problems: found } = readYaml("adapter.yaml", text);
  const config = spec.parse(node, "", { problems, readSecretFile: () => "" });
  const all = [...found, ...problems].map((problem) => formatProblem(problem));
  return all.length > 0 || config === undefined ? { problems: all } : { config };
}

export function parseAdapter(text: string): AdapterConfig {
  const outcome = parseConfig(text);
  assert.ok("config" in outcome, "problems" in outcome ? outcome.problems.join("\n") : "");
  const [adapter] = outcome.config.adapters;
  assert.ok(adapter);
  return adapter;
}

/** One mapping with these `in`, `out` and `fields` (YAML flow texts). */
export function mappingOf(parts: { readonly in: string; readonly out?: string; readonly fields: string; /** More keys of the mapping, one a line. */ readonly more?: string }): Mapping {
  const adapter = parseAdapter(`watch: {dir: /in}\nmappings:\n  m:\n    in: ${parts.in}\n    out: ${parts.out ?? '{format: csv, file: "/out/{name}.csv"}'}\n    fields: ${parts.fields}\n${(parts.more ?? "").split("\n").map((line) => `    ${line}\n`).join("")}`);
  const [mapping] = adapter.mappings;
  assert.ok(mapping);
  return mapping;
}
