// pure
import { nearest } from "../nearest.ts";
import { joinPath, type Problem } from "./problem.ts";
import { describeRaw, type RawNode } from "./raw.ts";
import { parseAddress, parseDurationMs, parseSizeBytes } from "./units.ts";

/**
 * Combinators for configuration. One table describes a role's whole configuration and gives the TypeScript type (`ConfigOf`), the parser that
 * reports all faults at once, the redacted form, the names of environment variables and flags, and a JSON Schema.
 */
export type ParseContext = {
  readonly problems: Problem[];
  /** Reads a secret's file for the form `{ file: path }`; throws with the reason. */
  readonly readSecretFile: (path: string) => string;
};

/** One setting or group of settings, whatever its type. */
export type AnyField = {
  readonly doc: string;
  /** Whether one environment variable or flag can carry the value as plain text. */
  readonly form: "scalar" | "structure" | "object";
  readonly secret: boolean;
  /** Overrides the derived name of the environment variable. */
  readonly env: string | undefined;
  /** The keys of an object field; undefined for all others. */
  readonly fields: Readonly<Record<string, AnyField>> | undefined;
  readonly optionalValue: boolean;
  /** `node` is undefined when nothing was written. Pushes a problem and returns undefined when there is no usable value. */
  parse(node: RawNode | undefined, path: string, context: ParseContext): unknown;
  redact(value: unknown): unknown;
  jsonSchema(): Readonly<Record<string, unknown>>;
};

export type TypedField<T> = Omit<AnyField, "parse"> & { parse(node: RawNode | undefined, path: string, context: ParseContext): T | undefined };

export type ConfigOf<F> = F extends { parse(node: RawNode | undefined, path: string, context: ParseContext): infer T } ? Exclude<T, undefined> | (F extends { readonly optionalValue: true } ? undefined : never) : never;

export type FieldOptions<T> = {
  readonly doc: string;
  readonly default?: T;
  /** Without a default and without a value the result is undefined instead of a problem. */
  readonly optional?: true;
  /** Returns what was expected instead, or undefined when the value is fine. */
  readonly check?: (value: T) => string | undefined;
  readonly env?: string;
};

type Made<T, O> = O extends { readonly optional: true } ? TypedField<T> & { readonly optionalValue: true } : TypedField<T>;
type Shape<T> = {
  readonly form: AnyField["form"];
  readonly expected: string;
  readonly fields?: Readonly<Record<string, AnyField>>;
  readonly secret?: boolean;
  /** The value, or undefined for "not what was expected" (a problem is pushed by the caller unless `convert` has pushed its own). */
  readonly convert: (node: RawNode, path: string, context: ParseContext) => T | undefined;
  readonly redact?: (value: T) => unknown;
  readonly schema: Readonly<Record<string, unknown>>;
};

function make<T, O extends FieldOptions<T>>(options: O, shape: Shape<T>): Made<T, O> {
  const field = {
    doc: options.doc,
    form: shape.form,
    secret: shape.secret === true,
    env: options.env,
    fields: shape.fields,
    optionalValue: options.optional === true,
    parse(node: RawNode | undefined, path: string, context: ParseContext): T | undefined {
      const absent = node === undefined || (node.kind === "scalar" && node.value === null);
      if (absent) {
        if (options.default !== undefined) return options.default;
        if (options.optional !== true) context.problems.push({ origin: node?.origin ?? "", path, message: `is required: expected ${shape.expected} (${options.doc})` });
        return undefined;
      }
      const before = context.problems.length;
      const value = shape.convert(node, path, context);
      if (value === undefined) {
        const got = shape.secret === true ? "another kind of value" : describeRaw(node);
        if (context.problems.length === before) context.problems.push({ origin: node.origin, path, message: `expected ${shape.expected}, got ${got}` });
        return undefined;
      }
      const wrong = context.problems.length === before ? options.check?.(value) : undefined;
      if (wrong !== undefined) context.problems.push({ origin: node.origin, path, message: `expected ${wrong}, got ${shape.secret === true ? "another value" : describeRaw(node)}` });
      return value;
    },
    redact: (value: unknown): unknown => (value === undefined ? undefined : shape.redact === undefined ? value : shape.redact(value as T)),
    jsonSchema: () => ({ description: options.doc, ...(options.default === undefined || shape.secret === true ? {} : { default: options.default }), ...shape.schema }),
  };
  return field as Made<T, O>;
}

function scalarText(node: RawNode): string | undefined {
  return node.kind === "scalar" ? node.text : undefined;
}

export function string<const O extends FieldOptions<string>>(options: O): Made<string, O> {
  return make<string, O>(options, { form: "scalar", expected: "text", convert: scalarText, schema: { type: "string" } });
}

/** Text that is shown as <redacted> everywhere. In a file also `{ file: path }`; in the environment also NAME_FILE. */
export function secret<const O extends FieldOptions<string>>(options: O): Made<string, O> {
  return make<string, O>(options, {
    form: "scalar",
    expected: "text or { file: path }",
    secret: true,
    convert(node, path, context) {
      if (node.kind !== "map") return scalarText(node);
      const file = node.entries.get("file")?.node;
      if (node.entries.size !== 1 || file?.kind !== "scalar") return undefined;
      try {
        return context.readSecretFile(file.text);
      } catch (error) {
        context.problems.push({ origin: file.origin, path, message: `cannot read the secret's file "${file.text}": ${error instanceof Error ? error.message : String(error)}` });
        return undefined;
      }
    },
    redact: () => "<redacted>",
    schema: { oneOf: [{ type: "string" }, { type: "object", properties: { file: { type: "string" } }, required: ["file"], additionalProperties: false }] },
  });
}

function numeric<O extends FieldOptions<number> & { readonly min?: number; readonly max?: number }>(options: O, what: string, convert: (text: string) => number | undefined, schema: Readonly<Record<string, unknown>>): Made<number, O> {
  const { min, max } = options;
  const range = min === undefined && max === undefined ? "" : ` ${min === undefined ? `at most ${max}` : max === undefined ? `of at least ${min}` : `from ${min} to ${max}`}`;
  return make<number, O>(options, {
    form: "scalar",
    expected: what + range,
    convert(node) {
      const text = scalarText(node);
      const value = text === undefined ? undefined : convert(text.trim());
      return value === undefined || value < (min ?? -Infinity) || value > (max ?? Infinity) ? undefined : value;
    },
    schema: { ...schema, ...(min === undefined ? {} : { minimum: min }), ...(max === undefined ? {} : { maximum: max }) },
  });
}

type NumberOptions = FieldOptions<number> & { readonly min?: number; readonly max?: number };

export function integer<const O extends NumberOptions>(options: O): Made<number, O> {
  return numeric(options, "a whole number", (text) => (/^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined), { type: "integer" });
}

export function number<const O extends NumberOptions>(options: O): Made<number, O> {
  return numeric(options, "a number", (text) => (/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text) ? Number(text) : undefined), { type: "number" });
}

/** "500ms", "10s", "1m30s" or a number of milliseconds; the value is in milliseconds. */
export function durationMs<const O extends NumberOptions>(options: O): Made<number, O> {
  return numeric(options, 'a duration such as "500ms" or "10s"', parseDurationMs, { type: ["string", "number"] });
}

/** "64KiB", "8MiB" or a number of bytes; the value is in bytes. */
export function sizeBytes<const O extends NumberOptions>(options: O): Made<number, O> {
  return numeric(options, 'a size such as "64KiB" or "8MiB"', parseSizeBytes, { type: ["string", "number"] });
}

export function boolean<const O extends FieldOptions<boolean>>(options: O): Made<boolean, O> {
  return make<boolean, O>(options, {
    form: "scalar",
    expected: "true or false",
    convert(node) {
      const text = scalarText(node);
      return text === "true" ? true : text === "false" ? false : undefined;
    },
    schema: { type: "boolean" },
  });
}

export function choice<const V extends string, const O extends FieldOptions<V>>(values: readonly V[], options: O): Made<V, O> {
  return make<V, O>(options, {
    form: "scalar",
    expected: `one of ${values.join(", ")}`,
    convert(node, path, context) {
      const text = scalarText(node);
      const value = values.find((candidate) => candidate === text);
      const near = value === undefined && text !== undefined ? nearest(text, values) : undefined;
      if (near !== undefined) context.problems.push({ origin: node.origin, path, message: `expected one of ${values.join(", ")}, got ${describeRaw(node)}; did you mean "${near}"?` });
      return value;
    },
    schema: { enum: values },
  });
}

export type Address = { readonly host: string; readonly port: number };

/** "host:port" or "[::1]:port". */
export function address<const O extends Omit<FieldOptions<Address>, "default"> & { readonly default?: string }>(options: O): Made<Address, O> {
  const { doc, optional, check, env } = options;
  const parsed = options.default === undefined ? undefined : parseAddress(options.default);
  const rest: FieldOptions<Address> = {
    doc,
    ...(optional === undefined ? {} : { optional }),
    ...(check === undefined ? {} : { check }),
    ...(env === undefined ? {} : { env }),
    ...(parsed === undefined ? {} : { default: parsed }),
  };
  const made = make<Address, FieldOptions<Address>>(rest, {
    form: "scalar",
    expected: 'an address such as "127.0.0.1:6379"',
    convert(node) {
      const text = scalarText(node);
      return text === undefined ? undefined : parseAddress(text);
    },
    schema: { type: "string" },
  });
  return made as Made<Address, O>;
}

export function list<F extends AnyField, const O extends FieldOptions<readonly ConfigOf<F>[]> & { readonly minItems?: number }>(item: F, options: O): Made<readonly ConfigOf<F>[], O> {
  return make<readonly ConfigOf<F>[], O>(options, {
    form: "structure",
    expected: `a list${options.minItems === undefined ? "" : ` of at least ${options.minItems}`}`,
    convert(node, path, context) {
      if (node.kind !== "list" || node.items.length < (options.minItems ?? 0)) return undefined;
      return node.items.map((each, index) => item.parse(each, joinPath(path, index), context) as ConfigOf<F>);
    },
    redact: (values) => values.map((value) => item.redact(value)),
    schema: { type: "array", items: item.jsonSchema(), ...(options.minItems === undefined ? {} : { minItems: options.minItems }) },
  });
}

export function map<F extends AnyField, const O extends FieldOptions<Readonly<Record<string, ConfigOf<F>>>>>(value: F, options: O): Made<Readonly<Record<string, ConfigOf<F>>>, O> {
  return make<Readonly<Record<string, ConfigOf<F>>>, O>(options, {
    form: "structure",
    expected: "a map",
    convert(node, path, context) {
      if (node.kind !== "map") return undefined;
      return Object.fromEntries([...node.entries].map(([key, entry]) => [key, value.parse(entry.node, joinPath(path, key), context) as ConfigOf<F>]));
    },
    redact: (values) => Object.fromEntries(Object.entries(values).map(([key, each]) => [key, value.redact(each)])),
    schema: { type: "object", additionalProperties: value.jsonSchema() },
  });
}

type ObjectOf<S> = { readonly [K in keyof S]: ConfigOf<S[K]> };

/** What is wrong between several settings; `path` is the setting that the message is about, seen from the object. */
export type CrossProblem = { readonly path: readonly string[]; readonly message: string };

/** `check` is asked when every setting of the object is right by itself. */
export function object<const S extends Readonly<Record<string, AnyField>>>(fields: S, options: { readonly doc: string; readonly check?: (value: ObjectOf<S>) => readonly CrossProblem[] } = { doc: "settings" }): TypedField<ObjectOf<S>> & { readonly fields: S } {
  const parseFields = (node: RawNode | undefined, path: string, context: ParseContext): ObjectOf<S> => {
    const before = context.problems.length;
    const value = parseEach(node, path, context);
    if (context.problems.length === before) for (const wrong of options.check?.(value) ?? []) context.problems.push({ origin: originOf(node, wrong.path), path: wrong.path.reduce(joinPath, path), message: wrong.message });
    return value;
  };
  const parseEach = (node: RawNode | undefined, path: string, context: ParseContext): ObjectOf<S> => {
    const entries = node?.kind === "map" ? node.entries : new Map<string, { readonly keyOrigin: string; readonly node: RawNode }>();
    for (const [key, entry] of entries) if (!Object.hasOwn(fields, key)) context.problems.push(unknownKey(entry.keyOrigin, path, key, Object.keys(fields)));
    return Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, field.parse(entries.get(key)?.node, joinPath(path, key), context)])) as ObjectOf<S>;
  };
  return {
    doc: options.doc,
    form: "object",
    secret: false,
    env: undefined,
    fields,
    optionalValue: false,
    parse(node, path, context) {
      const absent = node === undefined || (node.kind === "scalar" && node.value === null);
      if (!absent && node.kind !== "map") {
        context.problems.push({ origin: node.origin, path, message: `expected a map, got ${describeRaw(node)}` });
        return undefined;
      }
      return parseFields(node, path, context);
    },
    redact: (value) => Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, field.redact((value as Record<string, unknown>)[key])])),
    jsonSchema: () => ({ type: "object", description: options.doc, additionalProperties: false, properties: Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, field.jsonSchema()])) }),
  };
}

/** Where the setting was written, or the nearest group around it that was. */
function originOf(node: RawNode | undefined, path: readonly string[]): string {
  let origin = node?.origin ?? "", at = node;
  for (const key of path) {
    const entry: { readonly node: RawNode } | undefined = at?.kind === "map" ? at.entries.get(key) : undefined;
    if (entry === undefined) break;
    at = entry.node;
    ({ origin } = at);
  }
  return origin;
}

type UnionOf<D extends string, V> = { readonly [K in keyof V]: { readonly [P in D]: K } & ConfigOf<V[K]> }[keyof V];

/** A map whose key `discriminator` names which of the variants it is. */
export function union<const D extends string, const V extends Readonly<Record<string, TypedField<object> & { readonly fields: Readonly<Record<string, AnyField>> }>>, const O extends FieldOptions<UnionOf<D, V>>>(discriminator: D, variants: V, options: O): Made<UnionOf<D, V>, O> {
  const names = Object.keys(variants);
  const expected = `a map with ${discriminator}: one of ${names.join(", ")}`;
  return make<UnionOf<D, V>, O>(options, {
    form: "structure",
    expected,
    convert(node, path, context) {
      if (node.kind !== "map") return undefined;
      const tag = node.entries.get(discriminator)?.node;
      const name = tag?.kind === "scalar" ? tag.text : undefined;
      const variant = name !== undefined && Object.hasOwn(variants, name) ? variants[name] : undefined;
      if (variant === undefined || name === undefined) {
        const near = name === undefined ? undefined : nearest(name, names);
        context.problems.push({ origin: tag?.origin ?? node.origin, path: joinPath(path, discriminator), message: `expected one of ${names.join(", ")}, got ${tag === undefined ? "nothing" : describeRaw(tag)}${near === undefined ? "" : `; did you mean "${near}"?`}` });
        return undefined;
      }
      const rest = new Map([...node.entries].filter(([key]) => key !== discriminator));
      const value = variant.parse({ ...node, entries: rest }, path, context);
      return value === undefined ? undefined : ({ [discriminator]: name, ...value } as UnionOf<D, V>);
    },
    redact: (value) => {
      const name = (value as Readonly<Record<string, string>>)[discriminator] ?? "";
      return { [discriminator]: name, ...(variants[name]?.redact(value) as object) };
    },
    schema: { oneOf: names.map((name) => ({ ...variants[name]?.jsonSchema(), properties: { [discriminator]: { const: name }, ...(variants[name]?.jsonSchema()["properties"] as object) } })) },
  });
}

/** The value as written, with its places, for a role that parses a language of its own. */
export function anything<const O extends FieldOptions<RawNode>>(options: O): Made<RawNode, O> {
  return make<RawNode, O>(options, { form: "structure", expected: "a value", convert: (node) => node, redact: (node) => plain(node), schema: {} });
}

/** The plain JavaScript value of a raw node (64-bit integers as BigInt). */
export function plain(node: RawNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map((item) => plain(item));
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plain(entry.node)]));
}

export function unknownKey(origin: string, path: string, key: string, known: readonly string[]): Problem {
  const near = nearest(key, known);
  return { origin, path: joinPath(path, key), message: near === undefined ? `is not a setting; there are ${known.join(", ")}` : `is not a setting; did you mean "${near}"?` };
}
