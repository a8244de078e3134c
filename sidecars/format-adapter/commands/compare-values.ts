// pure
/** How a value is written in both reports; undefined where a record has none of the column. */
export type ValueDifference = { readonly column: string; readonly first: string | undefined; readonly second: string | undefined };
type Values = ReadonlyMap<string, string>;

/** What is passed over when records are compared. */
export type Comparison = { readonly ignored: ReadonlySet<string>; /** Numbers that are equal and written differently are equal. */ readonly numeric: boolean };

/** Where two records differ, in the order of the first one's columns. */
export function differences(first: Values, second: Values, comparison: Comparison): readonly ValueDifference[] {
  const columns = [...first.keys(), ...[...second.keys()].filter((column) => !first.has(column))];
  return columns.flatMap((column) => {
    const [one, other] = [first.get(column), second.get(column)];
    return one === other || comparison.ignored.has(column) || (comparison.numeric && one !== undefined && other !== undefined && numberForm(one) === numberForm(other)) ? [] : [{ column, first: one, second: other }];
  });
}

/** A number as JSON writes it, perhaps in quotes. One with leading zeros or a plus sign is a text. */
const number = /^("?)(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([-+]?\d{1,6}))?\1$/;

/** One spelling for all numbers of one value, exact however long they are; any other text as it is. Minus zero is zero. */
export function numberForm(text: string): string {
  const match = number.exec(text);
  if (match === null) return text;
  const [, quote = "", sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  if (end === 0) return `${quote}0${quote}`;
  return `${quote}${sign}${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}${quote}`;
}

/** What two values have in common although they differ, which often tells why. */
export type Likeness = "equal numbers, written differently" | "differ in white space alone" | "differ in upper and lower case alone" | "look equal, in other Unicode characters" | "in one report alone" | "other values";

export function likeness({ first, second }: ValueDifference): Likeness {
  if (first === undefined || second === undefined) return "in one report alone";
  if (numberForm(first) === numberForm(second)) return "equal numbers, written differently";
  if (first.replaceAll(/\s/g, "") === second.replaceAll(/\s/g, "")) return "differ in white space alone";
  if (first.toLowerCase() === second.toLowerCase()) return "differ in upper and lower case alone";
  return first.normalize("NFKC") === second.normalize("NFKC") ? "look equal, in other Unicode characters" : "other values";
}

function equalStart(text: string, other: string): number {
  let at = 0;
  while (at < text.length && text[at] === other[at]) at++;
  return at;
}

const windowCharacters = 48;
/** What cannot be seen, or looks like a space. */
const unseen = /[\p{C}\p{Zl}\p{Zp}\p{Mn}]|(?! )\p{Zs}/gu;

/** How values are told: as their text; or as JSON writes them, which tells 1 from "1" and nothing from empty. */
export type ValueForm = "text" | "json";

/** A value around the place where it begins to differ from the other, a text in quotes; what cannot be seen is escaped. */
export function shown(text: string | undefined, other: string | undefined, form: ValueForm): string {
  if (text === undefined) return "missing";
  const same = other === undefined ? 0 : equalStart(text, other);
  const start = text.length <= windowCharacters ? 0 : Math.max(0, Math.min(same - 12, text.length - windowCharacters));
  const part = text.slice(start, start + windowCharacters);
  const isLast = start + windowCharacters >= text.length;
  const quoted = (form === "json" ? part : JSON.stringify(part)).replaceAll(unseen, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
  return `${start > 0 ? "…" : ""}${quoted}${isLast ? "" : "…"}`;
}
