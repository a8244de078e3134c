// pure
import { ConversionError } from "../conversion-error.ts";

/** A value of the elements around the records that becomes a column: the names that lead to its element, and the attribute; undefined for the element's text. */
export type XmlEnvelopeValue = { readonly column: string; readonly steps: readonly string[]; readonly attribute: string | undefined };

/** What is wanted of an element around the records. */
export type WantedElement = { readonly children: ReadonlyMap<string, WantedElement>; readonly attributes: ReadonlyMap<string, readonly string[]>; readonly textColumns: readonly string[] };

type Building = { readonly children: Map<string, Building>; readonly attributes: Map<string, string[]>; readonly textColumns: string[] };

export function wantedElements(envelope: readonly XmlEnvelopeValue[]): WantedElement {
  const make = (): Building => ({ children: new Map(), attributes: new Map(), textColumns: [] });
  const root = make();
  for (const { column, steps, attribute } of envelope) {
    let at = root;
    for (const step of steps) {
      const next = at.children.get(step) ?? make();
      at.children.set(step, next);
      at = next;
    }
    if (attribute === undefined) at.textColumns.push(column);
    else at.attributes.set(attribute, [...(at.attributes.get(attribute) ?? []), column]);
  }
  return root;
}

const valueCharactersMax = 65_536;

/** The values that an open element on the way to the records has for them; gone when it is closed. */
export class EnvelopeValues {
  readonly values = new Map<string, string>();
  /** Whether a record was handed out inside of the element. */
  hadRecord = false;

  set(columns: readonly string[], value: string, line: number): void {
    const [column] = columns;
    if (column === undefined) return;
    if (value.length > valueCharactersMax) throw new ConversionError("LIMIT", `a value for each record is longer than ${valueCharactersMax} characters`, { line, column });
    if (this.hadRecord) throw new ConversionError("COLUMN", `the value for the column "${column}" stands behind records; only what stands before them can be a column of each`, { line, column });
    if (this.values.has(column)) throw new ConversionError("COLUMN", `there are two values for the column "${column}"`, { line, column });
    for (const each of columns) this.values.set(each, value);
  }
}
