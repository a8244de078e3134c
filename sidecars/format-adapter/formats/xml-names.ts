// pure
import { ConversionError } from "../conversion-error.ts";
import type { XmlElement, XmlTag } from "./xml-text.ts";

/** What prefixes are bound to in an element and all that is inside of it (Namespaces in XML 1.0). */
export type XmlScope = { readonly outer: XmlScope | undefined; readonly bound: ReadonlyMap<string, string> };

const xmlUri = "http://www.w3.org/XML/1998/namespace";
const xmlnsUri = "http://www.w3.org/2000/xmlns/";

export const outermostScope: XmlScope = { outer: undefined, bound: new Map([["xml", xmlUri]]) };

/**
 * Names by what their prefixes are bound to: each URI of `prefixes` has a prefix that the mapping uses, "" for none, whatever prefix the document
 * has for it. A name of another namespace is written {URI}name, and one of none {}name when the mapping uses names without a prefix for a
 * namespace. Throws SYNTAX for a prefix that is bound to nothing.
 */
export class XmlNames {
  readonly #prefixes: ReadonlyMap<string, string>;
  readonly #plainIsBound: boolean;

  /** `namespaces`: prefix -> URI, as the mapping has them. */
  constructor(namespaces: ReadonlyMap<string, string>) {
    this.#prefixes = new Map([[xmlUri, "xml"], ...[...namespaces].map(([prefix, uri]) => [uri, prefix] as const)]);
    this.#plainIsBound = namespaces.has("");
  }

  /** The tag with the mapping's names and without its declarations, and the scope of what is inside. */
  tag(tag: XmlTag, outer: XmlScope, line: number): { readonly tag: XmlTag; readonly scope: XmlScope } {
    const scope = scopeOf(tag, outer, line);
    const attributes: { readonly name: string; readonly value: string }[] = [];
    const names = new Set<string>();
    for (const { name, value } of tag.attributes) {
      if (isDeclaration(name)) continue;
      const known = this.#name(name, name.includes(":") ? scope : undefined, line);
      if (names.has(known)) throw new ConversionError("COLUMN", `the attribute "${known}" appears twice in <${tag.name}>`, { line, column: `@${known}` });
      names.add(known);
      attributes.push({ name: known, value });
    }
    return { tag: { name: this.#name(tag.name, scope, line), attributes, isEmpty: tag.isEmpty }, scope };
  }

  /** An element whose tag is named already, with what is inside of it. */
  element(element: XmlElement, named: XmlTag, scope: XmlScope, line: number): XmlElement {
    const elements = element.elements.map((inner) => {
      const found = this.tag({ name: inner.name, attributes: inner.attributes, isEmpty: false }, scope, line);
      return this.element(inner, found.tag, found.scope, line);
    });
    return { name: named.name, attributes: named.attributes, elements, text: element.text };
  }

  /** `scope` undefined: an attribute without a prefix, which is in no namespace. */
  #name(written: string, scope: XmlScope | undefined, line: number): string {
    const colon = written.indexOf(":");
    const prefix = colon < 0 ? "" : written.slice(0, colon);
    const local = written.slice(colon + 1);
    if (scope === undefined) return written;
    if (colon === 0 || local === "" || local.includes(":")) throw new ConversionError("SYNTAX", `not XML: "${written}" is no name with a prefix`, { line, sample: written });
    const uri = lookUp(scope, prefix);
    if (uri === undefined && prefix !== "") throw new ConversionError("SYNTAX", `not XML: the prefix of "${written}" is not bound to a namespace`, { line, sample: written });
    if (uri === undefined || uri === "") return this.#plainIsBound ? `{}${local}` : local;
    const known = this.#prefixes.get(uri);
    return known === undefined ? `{${uri}}${local}` : known === "" ? local : `${known}:${local}`;
  }
}

export function isDeclaration(attribute: string): boolean {
  return attribute === "xmlns" || attribute.startsWith("xmlns:");
}

function scopeOf(tag: XmlTag, outer: XmlScope, line: number): XmlScope {
  const declared = tag.attributes.filter(({ name }) => isDeclaration(name));
  if (declared.length === 0) return outer;
  const bound = new Map(declared.map(({ name, value }) => {
    const prefix = name.slice("xmlns:".length);
    const isWrong = prefix === "xmlns" || value === xmlnsUri || (prefix === "xml") !== (value === xmlUri) || (prefix !== "" && value === "");
    if (isWrong) throw new ConversionError("SYNTAX", `not XML: ${name}="${value}" binds what cannot be bound`, { line, sample: name });
    return [prefix, value] as const;
  }));
  return { outer, bound };
}

function lookUp(scope: XmlScope, prefix: string): string | undefined {
  for (let at: XmlScope | undefined = scope; at !== undefined; at = at.outer) {
    const uri = at.bound.get(prefix);
    if (uri !== undefined) return uri;
  }
  return undefined;
}
