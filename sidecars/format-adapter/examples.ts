// pure
import { convertText } from "./convert.ts";
import type { Example, Mapping } from "./mapping/mapping.ts";

export type ExampleFailure = { readonly mapping: string; readonly origin: string; readonly message: string };

/** Runs the golden examples of the mappings and tells which do not hold, with what came instead. */
export function runExamples(mappings: readonly Mapping[]): readonly ExampleFailure[] {
  return mappings.flatMap((mapping) => mapping.examples.flatMap((example) => {
    const message = judge(mapping, example);
    return message === undefined ? [] : [{ mapping: mapping.name, origin: example.origin, message }];
  }));
}

function judge(mapping: Mapping, example: Example): string | undefined {
  const result = convertText(mapping, example.input);
  if (example.kind === "gives") {
    if (result.kind === "failed") return `expected ${JSON.stringify(example.output)}, got the error ${result.error.code} on line ${result.error.line}: ${result.error.message}`;
    return result.text === example.output ? undefined : `expected ${JSON.stringify(example.output)}, got ${JSON.stringify(result.text)}`;
  }
  const expected = `the error ${example.code}${example.line === undefined ? "" : ` on line ${example.line}`}${example.column === undefined ? "" : ` in column ${example.column}`}`;
  if (result.kind === "converted") return `expected ${expected}, got ${JSON.stringify(result.text)}`;
  const { code, line, column, message } = result.error;
  const same = code === example.code && (example.line === undefined || line === example.line) && (example.column === undefined || column === example.column);
  return same ? undefined : `expected ${expected}, got ${code} on line ${line}${column === undefined ? "" : ` in column ${column}`}: ${message}`;
}
