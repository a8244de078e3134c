// pure
import { decodeValue, incomplete, isMap, MalformedMessageError, skipValue, textOf, toPlain, type Decoded } from "../forward-protocol/msgpack-reader.ts";
import { KeyNames } from "./key-names.ts";
import { mapCount, mapHeaderBytes, stringHeaderBytes } from "./msgpack-shape.ts";

/**
 * Text with places for a record's fields: `{kubernetes.pod_name}`, `{level}`, `{tag}`. A field inside others is named by its path; a key
 * that itself has dots is found too. `{tag}` is the chunk's tag and `{id}` the record's id, whatever fields the record has.
 */
export type Template = { readonly source: string; readonly parts: readonly TemplatePart[] };
type TemplatePart = { readonly kind: "text"; readonly text: string } | { readonly kind: "tag" } | { readonly kind: "id" } | { readonly kind: "field"; readonly path: readonly string[] };

/** What is wrong with a template, or undefined. */
export function templateFault(source: string): string | undefined {
  return /^(?:[^{}]|\{[^{}]+\})*$/.test(source) ? undefined : 'text with fields in braces, such as "{kubernetes.pod_name}"';
}

export function parseTemplate(source: string): Template {
  const parts = source.split(/(\{[^{}]+\})/).filter((part) => part !== "").map((part): TemplatePart => {
    if (!part.startsWith("{")) return { kind: "text", text: part };
    const name = part.slice(1, -1);
    return name === "tag" || name === "id" ? { kind: name } : { kind: "field", path: name.split(".") };
  });
  return { source, parts };
}

/** The text for one record; undefined when it has places and no field for any of them. */
export function fillTemplate(template: Template, values: { readonly tag: string; readonly id: () => string; readonly field: (path: readonly string[]) => string | undefined }): string | undefined {
  let text = "";
  let places = 0;
  let filled = 0;
  for (const part of template.parts) {
    if (part.kind === "text") {
      text += part.text;
      continue;
    }
    places++;
    const value = part.kind === "tag" ? values.tag : part.kind === "id" ? values.id() : values.field(part.path);
    if (value === undefined || value === "") continue;
    filled++;
    text += value;
  }
  return places > 0 && filled === 0 ? undefined : text;
}

/**
 * Finds the fields that templates need, record after record. `find` says whether they are the same bytes as in the record before: then
 * everything made of them is the same too.
 */
export class FieldFinder {
  readonly #names: readonly string[];
  readonly #keys: KeyNames;
  readonly #values: (Uint8Array | undefined)[];
  readonly #found: boolean[];
  #first = true;
  /** Where the record found last ends. */
  end = 0;

  constructor(templates: readonly Template[]) {
    const paths = templates.flatMap((template) => template.parts.flatMap((part) => (part.kind === "field" ? [part.path] : [])));
    // A key with dots stands at the top under its whole name.
    this.#names = [...new Set(paths.flatMap((path) => (path.length === 1 ? path : [path[0] ?? "", path.join(".")])))];
    this.#keys = new KeyNames(this.#names);
    this.#values = this.#names.map(() => undefined);
    this.#found = this.#names.map(() => false);
  }

  /** Looks at the record whose map begins at `mapAt`. True when all fields are as they were. */
  find(bytes: Uint8Array, mapAt: number): boolean {
    let same = !this.#first;
    this.#first = false;
    this.#found.fill(false);
    const count = mapCount(bytes, mapAt);
    let at = mapAt + mapHeaderBytes(bytes, mapAt);
    for (let pair = 0; pair < count; pair++) {
      const header = stringHeaderBytes(bytes[at] ?? 0);
      const keyEnd = whole(bytes, at);
      const index = header === 0 ? -1 : this.#keys.find(bytes, at + header, keyEnd);
      if (index >= 0 && this.#repeats(bytes, keyEnd, index)) {
        at = keyEnd + (this.#values[index]?.length ?? 0);
        continue;
      }
      const end = whole(bytes, keyEnd);
      if (index >= 0) {
        this.#values[index] = bytes.slice(keyEnd, end);
        this.#found[index] = true;
        same = false;
      }
      at = end;
    }
    this.end = at;
    for (let index = 0; index < this.#values.length; index++) {
      if (this.#found[index] === true || this.#values[index] === undefined) continue;
      this.#values[index] = undefined;
      same = false;
    }
    return same;
  }

  /** Whether the value at `at` has the bytes that it had in the record before; MessagePack says by itself where a value ends. */
  #repeats(bytes: Uint8Array, at: number, index: number): boolean {
    const value = this.#values[index];
    if (value === undefined || at + value.length > bytes.length || bytes[at] !== value[0]) return false;
    if (value.length < 16) {
      for (let offset = 1; offset < value.length; offset++) if (bytes[at + offset] !== value[offset]) return false;
    } else if (Buffer.compare(value, bytes.subarray(at, at + value.length)) !== 0) {
      return false;
    }
    this.#found[index] = true;
    return true;
  }

  /** The bytes of all fields, as a key for what is made of them. */
  fingerprint(): string {
    return this.#values.map((value) => (value === undefined ? "-" : `${value.length}:${Buffer.from(value.buffer, value.byteOffset, value.length).toString("latin1")}`)).join("");
  }

  /** A field of the record found last, as text: strings as they are, the rest as JSON; undefined when it is missing or null. */
  text(path: readonly string[]): string | undefined {
    const wholeName = this.#value(path.join("."));
    if (wholeName !== undefined) return plainText(wholeName);
    let value = this.#value(path[0] ?? "");
    for (let depth = 1; depth < path.length; depth++) {
      if (!isMap(value)) return undefined;
      const dotted = value.get(path.slice(depth).join("."));
      if (dotted !== undefined) return plainText(dotted);
      value = value.get(path[depth] ?? "");
    }
    return plainText(value);
  }

  #value(name: string): Decoded | undefined {
    const value = this.#values[this.#names.indexOf(name)];
    try {
      return value === undefined ? undefined : decodeValue(value, 0).value;
    } catch (error) {
      if (!(error instanceof MalformedMessageError)) throw error; // nested too deep to be a text
      return undefined;
    }
  }
}

/**
 * Members of a JSON object made of templates, `"name":"text",…` without braces; those without a text are left out. Made once for as
 * long as the records have the same fields.
 */
export class TemplateMembers {
  readonly #members: readonly { readonly key: string; readonly template: Template }[];
  readonly #finder: FieldFinder;
  readonly #needsFields: boolean;
  readonly #needsId: boolean;
  #tag: string | undefined;
  #text = "";

  constructor(templates: Readonly<Record<string, string>>) {
    this.#members = Object.entries(templates).map(([name, source]) => ({ key: JSON.stringify(name), template: parseTemplate(source) }));
    const parts = this.#members.flatMap(({ template }) => template.parts);
    this.#finder = new FieldFinder(this.#members.map(({ template }) => template));
    this.#needsFields = parts.some((part) => part.kind === "field");
    this.#needsId = parts.some((part) => part.kind === "id");
  }

  /** For the record whose map begins at `mapAt`. */
  text(bytes: Uint8Array, mapAt: number, tag: string, id: () => string): string {
    const same = !this.#needsFields || this.#finder.find(bytes, mapAt);
    if (same && !this.#needsId && tag === this.#tag) return this.#text;
    this.#tag = tag;
    const members = this.#members.flatMap(({ key, template }) => {
      const text = fillTemplate(template, { tag, id, field: (path) => this.#finder.text(path) });
      return text === undefined || text === "" ? [] : `${key}:${JSON.stringify(text)}`;
    });
    this.#text = members.join(",");
    return this.#text;
  }
}

function plainText(value: Decoded | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (value instanceof Uint8Array) return textOf(value);
  return typeof value === "bigint" ? value.toString() : JSON.stringify(toPlain(value));
}

function whole(bytes: Uint8Array, at: number): number {
  const end = skipValue(bytes, at, bytes.length);
  return end === incomplete ? bytes.length : end;
}
