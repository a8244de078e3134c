// pure
import { compare, parseDecimal } from "../../mapping/decimal.ts";
import { quoted, type Column } from "./columns.ts";

const choicesMax = 5;

/**
 * A condition that holds for the records of the new report that the old one has, and for no other. `kept` and `left` are the same columns over
 * these and those records.
 */
export function guessFilter(kept: readonly Column[], left: readonly Column[]): string | undefined {
  for (const [index, column] of kept.entries()) {
    // One that tells the records apart tells these apart too, and means nothing.
    if (column.values.length > 1 && new Set(column.values).size === column.values.length) continue;
    const others = left[index];
    const condition = others === undefined ? undefined : (oneValue(column, others) ?? bound(column, others));
    if (condition !== undefined) return condition;
  }
  return undefined;
}

/** The values in both groups are different ones, and in one of the groups few. */
function oneValue({ ref, values, type }: Column, left: Column): string | undefined {
  if (ref === undefined) return undefined;
  const [mine, theirs] = [new Set(values), new Set(left.values)];
  if ([...theirs].some((value) => mine.has(value)) || mine.has("") || theirs.has("")) return undefined;
  if (type.kind === "bool" && left.type.kind === "bool") return mine.has("true") ? ref : `!${ref}`;
  if (type.kind !== "string" || left.type.kind !== "string") return undefined;
  const listed = (choices: ReadonlySet<string>): string => `oneOf(${[ref, ...[...choices].map((each) => quoted(each))].join(", ")})`;
  if (theirs.size === 1) return `${ref} != ${quoted([...theirs][0] ?? "")}`;
  if (mine.size === 1) return `${ref} == ${quoted([...mine][0] ?? "")}`;
  return theirs.size <= choicesMax && theirs.size < left.values.length ? `!${listed(theirs)}` : mine.size <= choicesMax && mine.size < values.length ? listed(mine) : undefined;
}

/** All numbers of one group are above all of the other, with zero between them or at their border: other bounds would be invented. */
function bound({ ref, values, type }: Column, left: Column): string | undefined {
  const isNumber = [type, left.type].every(({ kind, optional }) => (kind === "int64" || kind === "decimal") && !optional);
  if (!isNumber || ref === undefined) return undefined;
  const signs = (texts: readonly string[]): readonly number[] => texts.map((text) => compare(parseDecimal(text) ?? { unscaled: 0, scale: 0 }, { unscaled: 0, scale: 0 }));
  const [mine, theirs] = [signs(values), signs(left.values)];
  if (mine.every((sign) => sign > 0) && theirs.every((sign) => sign <= 0)) return `${ref} > 0`;
  if (mine.every((sign) => sign >= 0) && theirs.every((sign) => sign < 0)) return `${ref} >= 0`;
  return undefined;
}
