// pure
import { listCells } from "../../mapping/path.ts";
import { expressionField, quoted, sameAs, yaml, type Column, type Guess } from "./columns.ts";

const separators = [" ", ", ", ",", "-", "/", "_", ":", "@", "; ", ";", "|", "."];

/** A part of one column's value. */
export function guessPart(wanted: readonly string[], columns: readonly Column[]): Guess | undefined {
  for (const { name, values } of columns) {
    for (const separator of separators) {
      if (!values.some((value) => value.includes(separator))) continue;
      for (const index of [0, 1, 2, 3, -1]) {
        if (sameAs(wanted, (row) => values[row]?.split(separator).at(index) ?? "")) return { source: `{from: ${yaml(name)}, split: {sep: ${JSON.stringify(separator)}, index: ${index}}}` };
        if (index > 0 && sameAs(wanted, (row) => values[row]?.split(separator).slice(index).join(separator))) return { source: `{from: ${yaml(name)}, split: {sep: ${JSON.stringify(separator)}, index: ${index}, rest: true}}` };
      }
    }
  }
  return undefined;
}

type Change = { readonly expression: (text: string) => string; readonly apply: (text: string) => string };
const changes: readonly Change[] = [
  { expression: (text) => `trim(${text})`, apply: (text) => text.trim() },
  { expression: (text) => `upper(${text})`, apply: (text) => text.toUpperCase() },
  { expression: (text) => `lower(${text})`, apply: (text) => text.toLowerCase() },
  { expression: (text) => `upper(trim(${text}))`, apply: (text) => text.trim().toUpperCase() },
  { expression: (text) => `lower(trim(${text}))`, apply: (text) => text.trim().toLowerCase() },
];

/** One column's text in other case, trimmed, padded, with other characters between, or cut. */
export function guessChange(wanted: readonly string[], columns: readonly Column[]): Guess | undefined {
  for (const { values, textRef, type } of columns) {
    if (textRef === undefined) continue;
    const tried = [...changes, ...paddings(wanted), ...replacements(wanted, values), ...cuts(wanted)];
    const found = tried.find((change) => sameAs(wanted, (row) => (values[row] === "" && type.kind !== "string" ? "" : change.apply(values[row] ?? ""))));
    if (found !== undefined) return { source: expressionField(found.expression(textRef), "string", wanted) };
  }
  return undefined;
}

function paddings(wanted: readonly string[]): readonly Change[] {
  const [first = ""] = wanted;
  const width = Array.from(first).length;
  if (width === 0 || width > 200 || wanted.some((value) => Array.from(value).length !== width)) return [];
  const fills = new Set(["0", " ", Array.from(first)[0] ?? " ", Array.from(first).at(-1) ?? " "]);
  const missing = (text: string): number => Math.max(0, width - Array.from(text).length);
  return [...fills].flatMap((fill) => [
    { expression: (text: string) => `padLeft(${text}, ${width}, ${quoted(fill)})`, apply: (text: string) => fill.repeat(missing(text)) + text },
    { expression: (text: string) => `padRight(${text}, ${width}, ${quoted(fill)})`, apply: (text: string) => text + fill.repeat(missing(text)) },
  ]);
}

/** Characters between letters and digits, replaced by others or by nothing. */
function replacements(wanted: readonly string[], values: readonly string[]): readonly Change[] {
  const marksOf = (texts: readonly string[]): readonly string[] => [...new Set(texts.slice(0, 20).flatMap((text) => text.match(/[^\p{L}\p{N}]/gu) ?? []))].slice(0, 8);
  return marksOf(values).flatMap((what) => ["", ...marksOf(wanted)].filter((by) => by !== what).map((by) => ({ expression: (text: string) => `replace(${text}, ${quoted(what)}, ${quoted(by)})`, apply: (text: string) => text.split(what).join(by) })));
}

function cuts(wanted: readonly string[]): readonly Change[] {
  const width = Array.from(wanted[0] ?? "").length;
  if (width === 0 || wanted.some((value) => Array.from(value).length > width)) return [];
  return [
    { expression: (text) => `substring(${text}, 0, ${width})`, apply: (text) => Array.from(text).slice(0, width).join("") },
    { expression: (text) => `substring(${text}, -${width})`, apply: (text) => Array.from(text).slice(-width).join("") },
  ];
}

/** A list as one text, and the reverse. */
export function guessList(wanted: readonly string[], columns: readonly Column[]): Guess | undefined {
  const isList = (texts: readonly string[]): boolean => texts.some((text) => text.startsWith("[")) && texts.every((text) => text === "" || text.startsWith("["));
  for (const { name, values } of columns) {
    for (const separator of separators) {
      if (isList(values) && sameAs(wanted, (row) => (values[row] === "" ? "" : listCells(values[row] ?? "").map((cell) => (cell.kind === "null" ? "" : cell.text)).join(separator)))) return { source: `{from: ${yaml(name)}, joinList: {sep: ${JSON.stringify(separator)}}}` };
      if (isList(wanted) && sameAs(wanted, (row) => JSON.stringify(values[row] === "" ? [] : values[row]?.split(separator)))) return { source: `{from: ${yaml(name)}, splitList: {sep: ${JSON.stringify(separator)}}}` };
    }
  }
  return undefined;
}

/** A piece that a text may be put together of: a column, changed or in part. */
type Piece = { readonly expression: string; readonly column: string | undefined; readonly values: readonly string[] };

const piecesMax = 300;
const stepsMax = 20_000;
const depthMax = 9;
const literalMax = 12;

/** Several columns behind each other, with the same texts before, between and after them. */
export function guessTogether(wanted: readonly string[], columns: readonly Column[]): Guess | undefined {
  const pieces = piecesFor(columns);
  let steps = 0;
  const search = (left: readonly string[], depth: number, mayBeText: boolean): readonly (Piece | string)[] | undefined => {
    if (left.every((text) => text === "")) return [];
    if (depth >= depthMax || ++steps > stepsMax) return undefined;
    for (const piece of pieces) {
      if (!left.every((text, row) => text.startsWith(piece.values[row] ?? ""))) continue;
      const rest = search(left.map((text, row) => text.slice(piece.values[row]?.length ?? 0)), depth + 1, true);
      if (rest !== undefined) return [piece, ...rest];
    }
    if (!mayBeText) return undefined;
    const common = commonStart(left);
    for (let length = 1; length <= Math.min(common.length, literalMax); length++) {
      const rest = search(left.map((text) => text.slice(length)), depth + 1, false);
      if (rest !== undefined) return [common.slice(0, length), ...rest];
    }
    return undefined;
  };
  const found = search(wanted, 0, true);
  return found === undefined || found.filter((each) => typeof each !== "string").length === 0 ? undefined : { source: togetherField(found, wanted) };
}

function piecesFor(columns: readonly Column[]): readonly Piece[] {
  const whole = columns.flatMap(({ name, values, textRef }) => (textRef === undefined || values.every((value) => value === "") ? [] : [{ expression: textRef, column: name, values }]));
  const isFilled = ({ values }: Piece): boolean => values.some((value) => value !== "");
  const changed = whole.flatMap(({ expression, values }) => changes.slice(0, 3).map((change) => ({ expression: change.expression(expression), column: undefined, values: values.map((value) => change.apply(value)) })).filter((piece) => piece.values.some((value, row) => value !== values[row])));
  const parts = whole.flatMap(({ expression, values }) => separators.filter((separator) => values.every((value) => value.includes(separator))).flatMap((separator) => [0, 1, 2].map((index) => ({ expression: `part(${expression}, ${quoted(separator)}, ${index})`, column: undefined, values: values.map((value) => value.split(separator).at(index) ?? "") }))));
  return [...whole, ...changed, ...parts].filter(isFilled).slice(0, piecesMax);
}

function commonStart(texts: readonly string[]): string {
  const [first = ""] = texts;
  let length = first.length;
  for (const text of texts) while (!text.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}

/** `join` where columns alone stand between equal separators, `concat` otherwise. */
function togetherField(found: readonly (Piece | string)[], wanted: readonly string[]): string {
  const columns = found.flatMap((each) => (typeof each === "string" ? [] : [each.column]));
  const separators = new Set(found.slice(1).flatMap((each, index) => (typeof each === "string" ? [each] : typeof found[index] === "string" ? [] : [""])));
  const isJoin = columns.length > 1 && !columns.includes(undefined) && typeof found[0] !== "string" && typeof found.at(-1) !== "string" && separators.size === 1;
  if (isJoin) return `{join: [${columns.map((column) => yaml(column ?? "")).join(", ")}], sep: ${JSON.stringify([...separators][0])}}`;
  const expressions = found.map((each) => (typeof each === "string" ? quoted(each) : each.expression));
  return expressionField(expressions.length === 1 ? (expressions[0] ?? "") : `concat(${expressions.join(", ")})`, "string", wanted);
}
