// pure
import { ConversionError } from "../conversion-error.ts";
import type { OutCell, TextWriter } from "./writers.ts";

/**
 * The names of the elements around the records, from the root on, and of the element of each record. The root declares the namespaces (prefix ->
 * URI, "" for names without one), whose prefixes alone may be used then, and has these attributes.
 */
export type XmlLayout = { readonly root: readonly string[]; readonly record: string; readonly namespaces: ReadonlyMap<string, string>; readonly attributes: ReadonlyMap<string, string> };

type Node = { readonly name: string; readonly attributes: { readonly name: string; readonly field: number }[]; readonly children: Node[]; text: number | undefined };

const nameForm = /^[:A-Za-z_\u0080-\u{10ffff}][-.:\w\u0080-\u{10ffff}]*$/u;
const noCharacter = /(?![\t\n\r\u007f-\u009f])\p{Cc}|[\ufffe\uffff]/u;

/**
 * Fields are named as the columns of XML are (see createXmlReader). Elements stand in the order of their fields: one whose parts do not follow each
 * other is refused, but for its attributes, which have one place only.
 */
function layoutOf(record: string, fields: readonly string[]): Node {
  const root: Node = { name: record, attributes: [], children: [], text: undefined };
  for (const [field, column] of fields.entries()) {
    const wrong = (message: string): ConversionError => new ConversionError("COLUMN", `the field "${column}" ${message}`, { line: 1, column });
    const steps = column === "text()" ? [] : column.split("/");
    const last = steps.at(-1) ?? "";
    const attribute = last.startsWith("@") ? last.slice(1) : undefined;
    let node = root;
    for (const step of attribute === undefined ? steps : steps.slice(0, -1)) {
      if (!nameForm.test(step)) throw wrong("is no path of XML names, such as @id, name or address/city");
      let child: Node | undefined = node.children.find(({ name }) => name === step);
      if (child === undefined) {
        child = { name: step, attributes: [], children: [], text: undefined };
        node.children.push(child);
      } else if (attribute === undefined && child !== node.children.at(-1)) throw wrong(`belongs to the element "${step}"; let its fields follow each other`);
      node = child;
    }
    if (attribute !== undefined) {
      if (!nameForm.test(attribute) || node.attributes.some(({ name }) => name === attribute)) throw wrong("is no name of an attribute, or comes twice");
      node.attributes.push({ name: attribute, field });
    } else {
      if (node.text !== undefined) throw wrong("comes twice");
      node.text = field;
    }
  }
  checkMixed(root, "");
  return root;
}

function checkMixed(node: Node, path: string): void {
  if (node.text !== undefined && node.children.length > 0) throw new ConversionError("COLUMN", `the element "${path === "" ? node.name : path}" would have text beside elements`, { line: 1 });
  for (const child of node.children) checkMixed(child, path === "" ? child.name : `${path}/${child.name}`);
}

function escaped(text: string, isAttribute: boolean, column: string): string {
  const wrong = noCharacter.exec(text)?.[0];
  if (wrong !== undefined) throw new ConversionError("CAST", `XML cannot hold the character U+${(wrong.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`, { line: 1, column, sample: text });
  const safe = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\r", "&#13;");
  return isAttribute ? safe.replaceAll('"', "&quot;").replaceAll("\n", "&#10;").replaceAll("\t", "&#9;") : safe;
}

/**
 * Writes XML 1.0 in UTF-8, a record a line. What is null is left out, and so is an element of which nothing is left. A character that XML does
 * not have is an error.
 */
export function createXmlWriter(layout: XmlLayout, fields: readonly string[]): TextWriter {
  const record = layoutOf(layout.record, fields);
  checkPrefixes(layout, fields);
  const render = (node: Node, cells: readonly OutCell[], isRecord: boolean): string => {
    const textOf = (field: number | undefined): string | undefined => (field === undefined || cells[field]?.json === "null" ? undefined : cells[field]?.text);
    const attributes = node.attributes.flatMap(({ name, field }) => {
      const text = textOf(field);
      return text === undefined ? [] : [` ${name}="${escaped(text, true, fields[field] ?? "")}"`];
    });
    const text = textOf(node.text);
    const inside = node.children.map((child) => render(child, cells, false)).join("") + (text === undefined ? "" : escaped(text, false, fields[node.text ?? 0] ?? ""));
    if (!isRecord && attributes.length === 0 && inside === "" && text === undefined) return "";
    return inside === "" ? `<${node.name}${attributes.join("")}/>` : `<${node.name}${attributes.join("")}>${inside}</${node.name}>`;
  };
  return {
    start: () => `<?xml version="1.0" encoding="UTF-8"?>\n${startOf(layout)}\n`,
    row: (cells) => `${render(record, cells, true)}\n`,
    end: () => `${layout.root.toReversed().map((name) => `</${name}>`).join("")}\n`,
  };
}

function startOf({ root, namespaces, attributes }: XmlLayout): string {
  const declared = [...namespaces].map(([prefix, uri]) => [prefix === "" ? "xmlns" : `xmlns:${prefix}`, uri] as const);
  const written = [...declared, ...attributes].map(([name, value]) => ` ${name}="${escaped(value, true, name)}"`).join("");
  return root.map((name, depth) => `<${name}${depth === 0 ? written : ""}>`).join("");
}

/** With namespaces, a prefix without one is a mistake: the document would not be one that readers of namespaces take. */
function checkPrefixes({ root, record, namespaces, attributes }: XmlLayout, fields: readonly string[]): void {
  if (namespaces.size === 0) return;
  const names = [...root, record, ...attributes.keys(), ...fields.flatMap((field) => field.split("/").map((step) => step.replace(/^@/, "")))];
  const unknown = names.find((name) => name.includes(":") && !/^xml(?:ns)?:/.test(name) && !namespaces.has(name.split(":")[0] ?? ""));
  if (unknown !== undefined) throw new ConversionError("COLUMN", `the prefix of "${unknown}" is not under out.namespaces`, { line: 1, column: unknown });
}
