// pure
import { nearest } from "../../../kit/nearest.ts";
import { duplicate, forbidden, invalid, notSupported, required as requiredFault, tooMany, wrongType, type Report } from "./fault.ts";

/**
 * Combinators for tables that describe Kubernetes types. A table checks a JSON value strictly, reports every fault at once and
 * rebuilds the value without what the wire format treats as absent (null, and the empty values that Kubernetes omits).
 *
 * `record<T>` demands a row for every key of T and refuses any other, so a table cannot drift from its TypeScript type.
 */
export type Check<T> = {
  /** Returns the rebuilt value, or undefined when it is of the wrong type. */
  readonly run: (value: unknown, path: string, report: Report) => unknown;
  readonly shape: Shape;
  /** True of a value that Kubernetes does not tell from an absent one. */
  readonly isAbsent?: (value: unknown) => boolean;
  readonly isRequired?: boolean;
  /** Ties the table to its type; has no run-time part. */
  readonly type?: T;
};
export type RequiredCheck<T> = Check<T> & { readonly isRequired: true };

/** What a table looks like from outside, so that the supported surface can be listed. */
export type Shape =
  | { readonly kind: "scalar" }
  | { readonly kind: "record"; readonly fields: Readonly<Record<string, Check<unknown>>>; readonly unsupported: UnsupportedFields }
  | { readonly kind: "list"; readonly item: Check<unknown> }
  | { readonly kind: "map"; readonly value: Check<unknown> };

/** Fields that Kubernetes has and podkit refuses by name. */
export type UnsupportedFields = Readonly<Record<string, UnsupportedField>>;
export type UnsupportedField = {
  /** What to do instead, or why there is nothing. */
  readonly hint: string;
  /** A value with which the field asks for nothing that podkit does not already do; such a value is dropped. */
  readonly harmless?: (value: unknown) => boolean;
};

/** A value whose present parts have the right types, but where anything may be missing because it was faulty. */
export type Loose<T> = T extends readonly (infer Item)[] ? readonly (Loose<Item> | undefined)[] : T extends object ? { readonly [K in keyof T]?: Loose<Exclude<T[K], undefined | null>> | undefined } : T;

export type RuleContext = {
  readonly path: string;
  readonly report: Report;
  /** The keys given with any value that is not absent, right or wrong. */
  readonly given: ReadonlySet<string>;
};
export type Rule<T> = (value: Loose<T>, context: RuleContext) => void;

/** A row per key; keys that T demands need a required check. */
export type Fields<T> = { readonly [K in keyof T]-?: Partial<Pick<T, K>> extends Pick<T, K> ? Check<Exclude<T[K], undefined | null>> : RequiredCheck<T[K]> };

/** The one place where the tables vouch for a type: every present part of a rebuilt value has passed the check for its key. */
function isRebuilt<T>(value: unknown): value is Loose<T> {
  return value !== undefined;
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function required<T>(check: Check<T>): RequiredCheck<T> {
  return { ...check, isRequired: true };
}

/** Required, but an empty list, map or text is an answer. */
export function requiredMayBeEmpty<T>(check: Check<T>): RequiredCheck<T> {
  return { ...check, isRequired: true, isAbsent: () => false };
}

export function record<T>(fields: Fields<T>, options: { readonly unsupported?: UnsupportedFields; readonly rules?: readonly Rule<T>[] } = {}): Check<T> {
  const table: Readonly<Record<string, Check<unknown>>> = fields;
  const unsupported = options.unsupported ?? {};
  const run = (value: unknown, path: string, report: Report): unknown => {
    if (!isMap(value)) {
      report(wrongType(path, value, "a map"));
      return undefined;
    }
    const given = new Set(Object.keys(value).filter((key) => !isAbsent(Object.hasOwn(table, key) ? table[key] : undefined, value[key])));
    const entries: [string, unknown][] = [];
    for (const [key, check] of Object.entries(table)) {
      const at = child(path, key);
      if (given.has(key)) entries.push([key, check.run(value[key], at, report)]);
      else if (check.isRequired === true) report(requiredFault(at));
    }
    for (const key of given) if (!Object.hasOwn(table, key)) refuseField(key, value[key], path, { table, unsupported }, report);
    const rebuilt: unknown = Object.fromEntries(entries.filter(([, one]) => one !== undefined));
    if (isRebuilt<T>(rebuilt)) for (const rule of options.rules ?? []) rule(rebuilt, { path, report, given });
    return rebuilt;
  };
  return { run, shape: { kind: "record", fields: table, unsupported } };
}

function isAbsent(check: Check<unknown> | undefined, value: unknown): boolean {
  return value === null || value === undefined || check?.isAbsent?.(value) === true;
}

function refuseField(key: string, value: unknown, path: string, tables: { readonly table: Readonly<Record<string, unknown>>; readonly unsupported: UnsupportedFields }, report: Report): void {
  const at = child(path, key);
  const known = Object.hasOwn(tables.unsupported, key) ? tables.unsupported[key] : undefined;
  if (known === undefined) {
    const near = key.length > 100 ? undefined : nearest(key, [...Object.keys(tables.table), ...Object.keys(tables.unsupported)]);
    report({ path: at, reason: "FieldValueUnknown", message: `unknown field "${at}"${near === undefined ? "" : `; did you mean "${near}"?`}` });
    return;
  }
  // An empty list asks for nothing, whatever it is a list of.
  if (Array.isArray(value) && value.length === 0) return;
  if (known.harmless?.(value) === true) return;
  report(unsupportedFault(at, known.hint));
}

export function unsupportedFault(path: string, hint: string): ReturnType<typeof forbidden> {
  return forbidden(path, `${path.slice(path.lastIndexOf(".") + 1)} is not supported by podkit${hint === "" ? "" : `: ${hint}`}`);
}

export function child(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

export function list<T>(item: Check<T>, options: { readonly itemsMax?: number } = {}): Check<readonly T[]> {
  const run = (value: unknown, path: string, report: Report): unknown => {
    if (!Array.isArray(value)) {
      report(wrongType(path, value, "a list"));
      return undefined;
    }
    if (options.itemsMax !== undefined && value.length > options.itemsMax) report(tooMany(path, value.length, options.itemsMax));
    const items: readonly unknown[] = value;
    return items.map((one, index) => item.run(one, `${path}[${index}]`, report));
  };
  return { run, shape: { kind: "list", item }, isAbsent: (value) => Array.isArray(value) && value.length === 0 };
}

/** A map of free keys. `checkKey` gives the faults of a key; they are reported at `path` as Kubernetes does for labels, or at `path[key]`. */
export function map<T>(value: Check<T>, options: { readonly checkKey?: Format; readonly keyFaultAt?: "map" | "entry" } = {}): Check<Readonly<Record<string, T>>> {
  const run = (given: unknown, path: string, report: Report): unknown => {
    if (!isMap(given)) {
      report(wrongType(path, given, "a map"));
      return undefined;
    }
    const entries: [string, unknown][] = [];
    for (const [key, one] of Object.entries(given)) {
      const at = `${path}[${key}]`;
      for (const detail of options.checkKey?.(key) ?? []) report(invalid(options.keyFaultAt === "map" ? path : at, key, detail));
      // A key with a faulty value stays, so that no rule takes it for missing.
      entries.push([key, value.run(one, at, report)]);
    }
    return Object.fromEntries(entries);
  };
  return { run, shape: { kind: "map", value }, isAbsent: (given) => isMap(given) && Object.keys(given).length === 0 };
}

/** The faults of a text as Kubernetes words them; empty when it is right. */
export type Format = (text: string) => readonly string[];

export type TextOptions = {
  readonly format?: Format;
  /** Keeps "" instead of treating it as absent (Kubernetes fields that are pointers). */
  readonly keepEmpty?: boolean;
};

export function text(options: TextOptions = {}): Check<string> {
  const run = (value: unknown, path: string, report: Report): unknown => {
    if (typeof value !== "string") {
      report(wrongType(path, value, "a string"));
      return undefined;
    }
    for (const detail of options.format?.(value) ?? []) report(invalid(path, value, detail));
    return value;
  };
  return { run, shape: scalar, ...(options.keepEmpty === true ? {} : { isAbsent: (value: unknown) => value === "" }) };
}

/** A text whose value never shows in a fault. */
export function hiddenText(check: (value: string, path: string, report: Report) => void = () => undefined): Check<string> {
  const run = (value: unknown, path: string, report: Report): unknown => {
    if (typeof value !== "string") {
      report({ path, reason: "FieldValueTypeInvalid", message: "Invalid value: must be a string; put it in quotes" });
      return undefined;
    }
    check(value, path, report);
    return value;
  };
  return { run, shape: scalar };
}

const scalar: Shape = { kind: "scalar" };

export function choice<const T extends string>(values: readonly T[], options: { readonly unsupported?: UnsupportedFields } = {}): Check<T> {
  const supported: readonly string[] = values;
  const run = (value: unknown, path: string, report: Report): unknown => {
    if (typeof value !== "string") {
      report(wrongType(path, value, "a string"));
      return undefined;
    }
    if (supported.includes(value)) return value;
    const known = options.unsupported !== undefined && Object.hasOwn(options.unsupported, value) ? options.unsupported[value] : undefined;
    report(known === undefined ? notSupported(path, value, supported) : forbidden(path, `${value} is not supported by podkit${known.hint === "" ? "" : `: ${known.hint}`}`));
    return undefined;
  };
  // Where "" is one of the values it is an answer like the others.
  return { run, shape: scalar, isAbsent: (value) => value === "" && !supported.includes("") };
}

export type IntegerOptions = {
  /** What is wrong with an integer, or undefined. */
  readonly check?: (value: number) => string | undefined;
  /** Kubernetes does not tell 0 from absent here. */
  readonly zeroIsAbsent?: boolean;
};

export function integer(options: IntegerOptions = {}): Check<number> {
  const run = (value: unknown, path: string, report: Report): unknown => {
    if (typeof value !== "number" || !Number.isSafeInteger(value)) {
      report(wrongType(path, value, "an integer"));
      return undefined;
    }
    const detail = options.check?.(value);
    if (detail !== undefined) report(invalid(path, value, detail));
    return value;
  };
  return { run, shape: scalar, ...(options.zeroIsAbsent === true ? { isAbsent: (value: unknown) => value === 0 } : {}) };
}

export function boolean(): Check<boolean> {
  const run = (value: unknown, path: string, report: Report): unknown => {
    if (typeof value === "boolean") return value;
    report(wrongType(path, value, "a boolean"));
    return undefined;
  };
  return { run, shape: scalar };
}

/** A boolean for which Kubernetes does not tell false from absent. */
export function flag(): Check<boolean> {
  return { ...boolean(), isAbsent: (value) => value === false };
}

/** Reports every value but the first of those with the same key; `undefined` keys are passed over. */
export function reportDuplicates<T>(items: readonly T[], keyOf: (item: T) => string | undefined, pathOf: (index: number) => string, report: Report): void {
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const key = keyOf(item);
    if (key === undefined) continue;
    if (seen.has(key)) report(duplicate(pathOf(index), key));
    seen.add(key);
  }
}

/** Every field path of a table: `spec.containers[].name`, `metadata.labels[*]`; those refused by name end in " (refused)". */
export function listFields(check: Check<unknown>, path = ""): readonly string[] {
  const { shape } = check;
  if (shape.kind === "scalar") return [path];
  if (shape.kind === "list") return listFields(shape.item, `${path}[]`);
  if (shape.kind === "map") return listFields(shape.value, `${path}[*]`);
  const supported = Object.entries(shape.fields).flatMap(([key, field]) => listFields(field, child(path, key)));
  return [...supported, ...Object.keys(shape.unsupported).map((key) => `${child(path, key)} (refused)`)];
}
