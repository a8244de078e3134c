// pure
import type { AnyField, ConfigOf, ParseContext, TypedField } from "../../../kit/config/schema.ts";
import { joinPath } from "../../../kit/config/problem.ts";
import type { RawNode } from "../../../kit/config/raw.ts";

/** Combinators that the settings of shaping need besides those of kit/config/schema.ts. */
type Group = TypedField<object> & { readonly fields: Readonly<Record<string, AnyField>> };

/** A group of settings that may be left out as a whole; its value is undefined then. */
export function optional<T extends object>(group: TypedField<T>): TypedField<T> & { readonly optionalValue: true } {
  return {
    ...group,
    form: "structure",
    fields: undefined,
    optionalValue: true,
    parse: (node, path, context) => (isAbsent(node) ? undefined : group.parse(node, path, context)),
    redact: (value) => (value === undefined ? undefined : group.redact(value)),
  };
}

/** A setting that contains settings of its own kind. */
export function recursive<T extends object>(doc: string, field: () => TypedField<T>): TypedField<T> {
  return {
    doc,
    form: "structure",
    secret: false,
    env: undefined,
    fields: undefined,
    optionalValue: false,
    parse: (node, path, context) => field().parse(node, path, context),
    redact: (value) => field().redact(value),
    jsonSchema: () => ({ type: "object", description: doc }),
  };
}

/** A list of texts; a single text stands for a list of one. */
export function textList(options: { readonly doc: string; readonly check?: (value: string) => string | undefined }): TypedField<readonly string[]> & { readonly optionalValue: true } {
  return {
    doc: options.doc,
    form: "structure",
    secret: false,
    env: undefined,
    fields: undefined,
    optionalValue: true,
    parse(node, path, context) {
      if (isAbsent(node)) return undefined;
      if (node.kind === "map" || (node.kind === "list" && node.items.length === 0)) {
        context.problems.push({ origin: node.origin, path, message: `expected a text or a list of at least 1, got ${node.kind === "map" ? "a map" : "an empty list"}` });
        return undefined;
      }
      if (node.kind === "scalar") return [textOf(node, path, context, options.check)];
      return node.items.map((item, index) => textOf(item, joinPath(path, index), context, options.check));
    },
    redact: (value) => value,
    jsonSchema: () => ({ description: options.doc, oneOf: [{ type: "string" }, { type: "array", items: { type: "string" }, minItems: 1 }] }),
  };
}

function textOf(node: RawNode, path: string, { problems }: ParseContext, check: ((value: string) => string | undefined) | undefined): string {
  if (node.kind !== "scalar" || node.value === null) {
    problems.push({ origin: node.origin, path, message: `expected text, got ${node.kind === "scalar" ? "nothing" : `a ${node.kind}`}` });
    return "";
  }
  const wrong = check?.(node.text);
  if (wrong !== undefined) problems.push({ origin: node.origin, path, message: `expected ${wrong}, got ${JSON.stringify(node.text)}` });
  return node.text;
}

function isAbsent(node: RawNode | undefined): node is undefined {
  return node === undefined || (node.kind === "scalar" && node.value === null);
}

type With<V, K extends string, F> = { readonly [N in keyof V]: TypedField<ConfigOf<V[N]> & { readonly [P in K]: ConfigOf<F> }> & { readonly fields: Readonly<Record<string, AnyField>> } };

/** Every variant of a union with one setting more. */
export function withSetting<V extends Readonly<Record<string, Group>>, K extends string, F extends AnyField>(variants: V, key: K, field: F): With<V, K, F> {
  return Object.fromEntries(Object.entries(variants).map(([name, group]) => [name, withOne(group, key, field)])) as With<V, K, F>;
}

function withOne(group: Group, key: string, field: AnyField): Group {
  return {
    ...group,
    fields: { ...group.fields, [key]: field },
    parse(node, path, context) {
      const entries = node?.kind === "map" ? node.entries : new Map<string, { readonly keyOrigin: string; readonly node: RawNode }>();
      const rest = node?.kind === "map" ? { ...node, entries: new Map([...entries].filter(([name]) => name !== key)) } : node;
      const value = group.parse(rest, path, context);
      const added = field.parse(entries.get(key)?.node, joinPath(path, key), context);
      return value === undefined ? undefined : { ...value, [key]: added };
    },
    redact: (value) => ({ ...(group.redact(value) as object), [key]: field.redact((value as Readonly<Record<string, unknown>>)[key]) }),
    jsonSchema: () => {
      const schema = group.jsonSchema();
      return { ...schema, properties: { ...(schema["properties"] as object), [key]: field.jsonSchema() } };
    },
  };
}
