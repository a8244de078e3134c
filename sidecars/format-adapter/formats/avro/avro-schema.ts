// pure

/** A type of an Avro schema (Avro 1.12 specification, "Schema Declaration"), its names resolved: a recursive type holds itself. */
export type AvroType =
  | { readonly kind: "null" | "boolean" | "float" | "double" }
  | { readonly kind: "int" | "long" | "string"; readonly logical: string | undefined }
  | { readonly kind: "bytes"; readonly logical: string | undefined; readonly scale: number }
  | { readonly kind: "fixed"; readonly size: number; readonly logical: string | undefined; readonly scale: number }
  | { readonly kind: "enum"; readonly symbols: readonly string[] }
  | { readonly kind: "array" | "map"; readonly items: AvroType }
  | { readonly kind: "union"; readonly branches: readonly AvroType[] }
  | AvroRecord;
/** `fields` is filled after the type is made, so that a field may be of the type itself. */
export type AvroRecord = { readonly kind: "record"; readonly name: string; readonly fields: AvroField[] };
export type AvroField = { readonly name: string; readonly type: AvroType };

export type SchemaOutcome = { readonly kind: "record"; readonly record: AvroRecord } | { readonly kind: "wrong"; readonly reason: string };

/** Levels of a schema's own text; not of the values, which a recursive type may nest deeper. */
const depthMax = 64;
/** A decimal's zeros are written out. */
const scaleMax = 1_000;
const fixedMax = 16_777_216;

class WrongSchema extends Error {}

/** Reads the schema of a file, which must be a record. Aliases and defaults are for a reader's schema, and passed over. */
export function readSchema(text: string): SchemaOutcome {
  try {
    const type = new SchemaReader().read(JSON.parse(text), "", 0);
    return type.kind === "record" ? { kind: "record", record: type } : { kind: "wrong", reason: `its schema is of the type ${type.kind}; a report is made of records` };
  } catch (error) {
    if (error instanceof WrongSchema) return { kind: "wrong", reason: error.message };
    if (error instanceof SyntaxError) return { kind: "wrong", reason: "its schema is no JSON" };
    throw error;
  }
}

type Attributes = ReadonlyMap<string, unknown>;

class SchemaReader {
  readonly #named = new Map<string, AvroType>();

  read(schema: unknown, namespace: string, depth: number): AvroType {
    if (depth > depthMax) throw new WrongSchema(`its schema is nested deeper than ${depthMax}`);
    if (typeof schema === "string") return this.#byName(schema, namespace);
    if (Array.isArray(schema)) return { kind: "union", branches: schema.map((branch: unknown) => this.read(branch, namespace, depth + 1)) };
    if (typeof schema !== "object" || schema === null) throw new WrongSchema(`its schema has ${String(schema)} where a type is to stand`);
    const attributes: Attributes = new Map(Object.entries(schema));
    const type = attributes.get("type");
    if (typeof type !== "string") return this.read(type, namespace, depth + 1);
    switch (type) {
      case "record":
      case "error":
        return this.#record(attributes, namespace, depth);
      case "enum":
        return this.#define(attributes, namespace, { kind: "enum", symbols: list(attributes, "symbols").map((symbol) => typeof symbol === "string" ? symbol : fail("its schema has an enum with a symbol that is no text")) });
      case "fixed": {
        const size = whole(attributes, "size");
        if (size === undefined || size > fixedMax) throw new WrongSchema(`its schema has a fixed type whose size is no number up to ${fixedMax}`);
        return this.#define(attributes, namespace, { kind: "fixed", size, ...meaningOf(attributes, size) });
      }
      case "array":
        return { kind: "array", items: this.read(attributes.get("items"), namespace, depth + 1) };
      case "map":
        return { kind: "map", items: this.read(attributes.get("values"), namespace, depth + 1) };
      default:
        return primitive(type, attributes) ?? this.#byName(type, namespace);
    }
  }

  #byName(name: string, namespace: string): AvroType {
    const found = primitive(name, new Map()) ?? this.#named.get(fullName(name, namespace)) ?? this.#named.get(name);
    return found ?? fail(`its schema names the type ${JSON.stringify(name.slice(0, 60))}, which it does not define before`);
  }

  #define<T extends AvroType>(attributes: Attributes, namespace: string, type: T): T {
    const name = nameOf(attributes, namespace);
    if (this.#named.has(name)) throw new WrongSchema(`its schema defines the type ${JSON.stringify(name.slice(0, 60))} twice`);
    this.#named.set(name, type);
    return type;
  }

  #record(attributes: Attributes, namespace: string, depth: number): AvroRecord {
    const name = nameOf(attributes, namespace);
    const record: AvroRecord = { kind: "record", name, fields: [] };
    this.#define(attributes, namespace, record);
    const inner = name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : "";
    const seen = new Set<string>();
    for (const each of list(attributes, "fields")) {
      const field: Attributes = new Map(typeof each === "object" && each !== null ? Object.entries(each) : []);
      const fieldName = field.get("name");
      if (typeof fieldName !== "string" || fieldName === "") throw new WrongSchema(`its schema has a field without a name in ${JSON.stringify(name.slice(0, 60))}`);
      if (seen.has(fieldName)) throw new WrongSchema(`its schema has the field ${JSON.stringify(fieldName.slice(0, 60))} twice in ${JSON.stringify(name.slice(0, 60))}`);
      seen.add(fieldName);
      record.fields.push({ name: fieldName, type: this.read(field.get("type"), inner, depth + 1) });
    }
    return record;
  }
}

function fail(reason: string): never {
  throw new WrongSchema(reason);
}

function nameOf(attributes: Attributes, namespace: string): string {
  const [name, own] = [attributes.get("name"), attributes.get("namespace")];
  return typeof name === "string" && name !== "" ? fullName(name, typeof own === "string" ? own : namespace) : fail("its schema has a named type without a name");
}

function fullName(name: string, namespace: string): string {
  return name.includes(".") || namespace === "" ? name : `${namespace}.${name}`;
}

function list(attributes: Attributes, key: string): readonly unknown[] {
  const found = attributes.get(key);
  return Array.isArray(found) ? found : fail(`its schema has a type without its list of ${key}`);
}

function whole(attributes: Attributes, key: string): number | undefined {
  const found = attributes.get(key);
  return typeof found === "number" && Number.isSafeInteger(found) && found >= 0 ? found : undefined;
}

function primitive(name: string, attributes: Attributes): AvroType | undefined {
  switch (name) {
    case "null":
    case "boolean":
    case "float":
    case "double":
      return { kind: name };
    case "bytes":
      return { kind: name, ...meaningOf(attributes, undefined) };
    case "int":
    case "long":
    case "string": {
      const logical = attributes.get("logicalType");
      return { kind: name, logical: typeof logical === "string" ? logical : undefined };
    }
    default:
      return undefined;
  }
}

/** The logical type of bytes. One that is not well-formed is to be taken for none (specification, "Logical Types"). */
function meaningOf(attributes: Attributes, size: number | undefined): { readonly logical: string | undefined; readonly scale: number } {
  const logical = attributes.get("logicalType");
  const scale = attributes.has("scale") ? whole(attributes, "scale") : 0;
  const precision = whole(attributes, "precision") ?? 0;
  const isNone = { logical: undefined, scale: 0 };
  switch (logical) {
    case "decimal":
      if (scale !== undefined && scale > scaleMax) throw new WrongSchema(`its schema has a decimal of more than ${scaleMax} digits after the point`);
      return precision === 0 || scale === undefined || scale > precision ? isNone : { logical, scale };
    case "uuid":
      return size === 16 ? { logical, scale: 0 } : isNone;
    case "duration":
      return size === 12 ? { logical, scale: 0 } : isNone;
    case "big-decimal":
      return size === undefined ? { logical, scale: 0 } : isNone;
    default:
      return isNone;
  }
}
