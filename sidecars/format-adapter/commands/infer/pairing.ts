// pure
import { namesOf } from "./columns.ts";

type Values = ReadonlyMap<string, string>;

/** Which records belong together, and how that was found: by two columns that tell the records apart in both samples, or by order. */
export type Pairing = {
  readonly by: { readonly old: string; readonly new: string } | "order";
  readonly pairs: readonly (readonly [old: Values, recent: Values])[];
  readonly oldAlone: readonly Values[];
  readonly newAlone: readonly Values[];
};

const sharedMin = 0.5;
const candidatesMax = 40;
const recordsLooked = 200;

/** Ways to write one key: as it is, in other case and spacing, with leading zeros. */
const forms: readonly ((text: string) => string)[] = [(text) => text, (text) => text.trim().toLowerCase(), (text) => text.replace(/^0+(?=\d)/, "")];

/**
 * Pairs the records of two samples. Of all ways that pair at least half of the shorter sample the one is taken under which most columns of the
 * old sample are columns of the new one; order counts as a way when both have the same number of records.
 */
export function pairRecords(old: readonly Values[], recent: readonly Values[]): Pairing {
  const byOrder: Pairing = { by: "order", pairs: old.slice(0, recent.length).map((record, index) => [record, recent[index] ?? new Map()]), oldAlone: old.slice(recent.length), newAlone: recent.slice(old.length) };
  const candidates = [...(old.length === recent.length ? [byOrder] : []), ...keyPairings(old, recent)];
  let best: { readonly pairing: Pairing; readonly score: number } | undefined;
  for (const pairing of candidates) {
    const score = agreement(pairing);
    if (best === undefined || score > best.score) best = { pairing, score };
  }
  return best?.pairing ?? byOrder;
}

function keyPairings(old: readonly Values[], recent: readonly Values[]): readonly Pairing[] {
  const [oldKeys, newKeys] = [uniqueColumns(old), uniqueColumns(recent)];
  const found: { readonly pairing: Pairing; readonly rank: number }[] = [];
  for (const [rank, form] of forms.entries()) {
    for (const newKey of newKeys) {
      const index = new Map(recent.map((record) => [form(record.get(newKey) ?? ""), record]));
      if (index.size < recent.length) continue;
      for (const oldKey of oldKeys) {
        const pairing = pairBy(old, recent, { index, form, oldKey, newKey });
        if (pairing !== undefined) found.push({ pairing, rank: rank * 2 + (oldKey === newKey ? 0 : 1) });
      }
    }
  }
  return found.toSorted((left, right) => right.pairing.pairs.length - left.pairing.pairs.length || left.rank - right.rank).slice(0, candidatesMax).map(({ pairing }) => pairing);
}

type Key = { readonly index: ReadonlyMap<string, Values>; readonly form: (text: string) => string; readonly oldKey: string; readonly newKey: string };

function pairBy(old: readonly Values[], recent: readonly Values[], { index, form, oldKey, newKey }: Key): Pairing | undefined {
  const pairs: (readonly [Values, Values])[] = [];
  const oldAlone: Values[] = [];
  const taken = new Set<Values>();
  for (const record of old) {
    const other = index.get(form(record.get(oldKey) ?? ""));
    if (other === undefined || taken.has(other)) oldAlone.push(record);
    else {
      pairs.push([record, other]);
      taken.add(other);
    }
  }
  if (pairs.length === 0 || pairs.length < sharedMin * Math.min(old.length, recent.length)) return undefined;
  return { by: { old: oldKey, new: newKey }, pairs, oldAlone, newAlone: recent.filter((record) => !taken.has(record)) };
}

function uniqueColumns(records: readonly Values[]): readonly string[] {
  return namesOf(records).filter((name) => {
    const values = new Set(records.map((record) => record.get(name) ?? ""));
    return values.size === records.length && !values.has("");
  });
}

/** How many columns of the old sample are columns of the new one, value by value; records left alone count twice against it. */
function agreement({ pairs, oldAlone, newAlone }: Pairing): number {
  const looked = pairs.slice(0, recordsLooked);
  const [oldNames, newNames] = [namesOf(looked.map(([old]) => old)), namesOf(looked.map(([, recent]) => recent))];
  // A column with one value for all records is the same under every pairing.
  const telling = oldNames.filter((name) => new Set(looked.map(([old]) => old.get(name))).size > 1);
  const same = telling.filter((name) => newNames.some((other) => looked.every(([old, recent]) => (old.get(name) ?? "") === (recent.get(other) ?? "")))).length;
  const share = pairs.length / (pairs.length + oldAlone.length + newAlone.length);
  return (same + 0.5) * share ** 2;
}
