// pure
import type { ConversionError } from "./conversion-error.ts";
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
    if (result.kind === "failed") return `expected an adapted report, got ${faultText(result.error)}`;
    return result.text === example.output ? undefined : firstDifference(example.output, result.text);
  }
  const expected = `the error ${example.code}${example.line === undefined ? "" : ` on line ${example.line}`}${example.column === undefined ? "" : ` in column ${example.column}`}`;
  if (result.kind === "converted") return `expected ${expected}, got the report ${quoted(result.text)}`;
  const { code, line, column } = result.error;
  const same = code === example.code && (example.line === undefined || line === example.line) && (example.column === undefined || column === example.column);
  return same ? undefined : `expected ${expected}, got ${faultText(result.error)}`;
}

function faultText({ code, line, column, message, sample }: ConversionError): string {
  return `the error ${code} on line ${line}${column === undefined ? "" : ` in column ${column}`}: ${message}${sample === undefined ? "" : `: ${quoted(sample)}`}`;
}

/** The first line that is another one, with its end, which may be the difference. */
function firstDifference(expected: string, got: string): string {
  const linesOf = (text: string): readonly string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const [wanted, made] = [linesOf(expected), linesOf(got)];
  const at = wanted.findIndex((line, index) => line !== made[index]);
  const line = at < 0 ? wanted.length : at;
  const show = (text: string | undefined): string => (text === undefined ? "no more lines" : quoted(text));
  return `on line ${line + 1} of the adapted report expected ${show(wanted[line])}, got ${show(made[line])}`;
}

const shownCharacters = 200;

function quoted(text: string): string {
  return `${JSON.stringify(text.slice(0, shownCharacters))}${text.length > shownCharacters ? "…" : ""}`;
}
