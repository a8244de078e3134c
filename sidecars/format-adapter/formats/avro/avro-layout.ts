// pure
import type { ValueType } from "../../mapping/types.ts";
import { jsonKeys } from "../json-layout.ts";

/** What a file's schema says beyond its fields. */
export type AvroNames = { readonly name: string; readonly namespace: string | undefined; readonly doc: string | undefined };

const avroName = /^[A-Za-z_]\w*$/;

export function isAvroName(text: string): boolean {
  return avroName.test(text);
}

export function isAvroNamespace(text: string): boolean {
  return text.split(".").every((part) => isAvroName(part));
}

/** Decimals are written with this many digits in all: what the common readers hold (128 bits). */
export const decimalPrecision = 38;

/** Whether a value may be missing: one whose type the mapping does not know may. */
export function isNullable(type: ValueType | undefined): boolean {
  return type === undefined || type.optional;
}

type Entry = { readonly key: string; readonly type: ValueType | undefined } | { readonly key: string; readonly entries: Entry[] };

/**
 * The schema of a mapping's fields, as JSON. A point in a field's name makes records within records, as it makes objects in JSON; each is
 * named by its path, inside of the outer one's name. Undefined when a name is none that Avro allows; `fail` is told.
 */
export function avroSchema(columns: readonly string[], types: readonly (ValueType | undefined)[], names: AvroNames, fail: (reason: string) => never): string {
  const root: Entry[] = [];
  for (const [index, column] of columns.entries()) {
    const keys = jsonKeys(column);
    const wrong = keys.find((key) => !isAvroName(key));
    if (wrong !== undefined) fail(`"${wrong}" is no name in Avro: letters, digits and _ alone, and no digit first`);
    let entries = root;
    for (const key of keys.slice(0, -1)) {
      const last = entries.at(-1);
      if (last !== undefined && "entries" in last && last.key === key) entries = last.entries;
      else {
        const inner: Entry[] = [];
        entries.push({ key, entries: inner });
        entries = inner;
      }
    }
    entries.push({ key: keys.at(-1) ?? "", type: types[index] });
  }
  const { name, namespace, doc } = names;
  return JSON.stringify({ type: "record", name, ...(namespace === undefined ? {} : { namespace }), ...(doc === undefined ? {} : { doc }), fields: fieldsOf(root, namespace === undefined ? name : `${namespace}.${name}`) });
}

function fieldsOf(entries: readonly Entry[], within: string): readonly unknown[] {
  return entries.map((entry) => {
    if ("entries" in entry) return { name: entry.key, type: { type: "record", name: entry.key, namespace: within, fields: fieldsOf(entry.entries, `${within}.${entry.key}`) } };
    const type = typeSchema(entry.type);
    return isNullable(entry.type) ? { name: entry.key, type: ["null", type], default: null } : { name: entry.key, type };
  });
}

function typeSchema(type: ValueType | undefined): unknown {
  switch (type?.kind) {
    case "int64":
      return "long";
    case "bool":
      return "boolean";
    case "number":
      return "double";
    case "decimal":
      return { type: "bytes", logicalType: "decimal", precision: Math.max(decimalPrecision, type.digits), scale: type.digits };
    case "date":
      return { type: "int", logicalType: "date" };
    case "timestamp":
      return { type: "long", logicalType: "timestamp-micros" };
    case "string":
    case undefined:
      return "string";
  }
}
