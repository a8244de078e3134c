// pure
import type { XmlInput } from "../formats/options.ts";
import type { XmlEnvelopeValue } from "../formats/xml-envelope.ts";
import type { XmlLayout } from "../formats/xml-writer.ts";
import type { NodeReader } from "./node-reader.ts";
import type { Parts } from "./read-format.ts";

const xmlName = /^[:A-Za-z_\u0080-\u{10ffff}][-.:\w\u0080-\u{10ffff}]*$/u;

/** Settings of XML that comes in: where the records are, which elements are lists, what prefixes mean, what around the records is wanted. */
export function readXmlInput(node: NodeReader, parts: Parts): XmlInput | undefined {
  const place = parts.get("records");
  if (place === undefined) node.problem('needs "records": the path of the elements that are records, such as /report/items/item');
  const path = place?.text("a path such as /report/items/item");
  if (place === undefined || path === undefined) return undefined;
  const records = path.split("/").slice(1);
  if (!path.startsWith("/") || records.some((step) => !xmlName.test(step))) place.problem(`expected a path of element names such as /report/items/item, got "${path}"`);
  const lists = (parts.get("lists")?.list() ?? []).flatMap((item) => item.text("a column") ?? []);
  const namespaces = readNamespaces(parts.get("namespaces"));
  if (namespaces !== undefined) for (const step of records) checkPrefix(step, namespaces, place);
  const envelope = [...(parts.get("envelope")?.map() ?? [])].flatMap(([column, value]) => readEnvelopeValue(column, value, records) ?? []);
  return { format: "xml", records, lists, ...(namespaces === undefined ? {} : { namespaces }), ...(envelope.length === 0 ? {} : { envelope }) };
}

/** Settings of XML that goes out. */
export function readXmlLayout(parts: Parts): XmlLayout {
  const namespaces = readNamespaces(parts.get("namespaces"));
  const attributes = new Map<string, string>();
  for (const [name, value] of parts.get("attributes")?.map() ?? []) {
    if (!xmlName.test(name)) value.problem(`expected the name of an attribute, got "${name}"`);
    attributes.set(name, value.text("a value") ?? "");
  }
  const [record = "record", ...more] = readNames(parts.get("record")) ?? [];
  if (more.length > 0) parts.get("record")?.problem("expected one name; the elements around the records are under root");
  return { root: readNames(parts.get("root")) ?? ["records"], record, namespaces: namespaces ?? new Map(), attributes };
}

function readNamespaces(node: NodeReader | undefined): ReadonlyMap<string, string> | undefined {
  if (node === undefined) return undefined;
  const namespaces = new Map<string, string>();
  for (const [prefix, value] of node.map() ?? []) {
    const uri = value.text("the URI of a namespace") ?? "";
    if (prefix !== "" && (!xmlName.test(prefix) || prefix.includes(":") || /^xml/i.test(prefix))) value.problem(`expected a prefix, or "" for names without one, got "${prefix}"`);
    else if (uri === "" || [...namespaces.values()].includes(uri)) value.problem("expected a URI that no other prefix stands for");
    namespaces.set(prefix, uri);
  }
  return namespaces;
}

function checkPrefix(name: string, namespaces: ReadonlyMap<string, string>, place: NodeReader): void {
  const [prefix, local] = name.split(":");
  if (local !== undefined && prefix !== "xml" && !namespaces.has(prefix ?? "")) place.problem(`the prefix of "${name}" is not under namespaces`);
}

/** `/report/@batch`, `/report/info/date`, or from the records on: `../@batch`. */
function readEnvelopeValue(column: string, node: NodeReader, records: readonly string[]): XmlEnvelopeValue | undefined {
  const text = node.text("a path such as /report/@batch or ../@batch");
  if (text === undefined) return undefined;
  const steps = text.startsWith("/") ? [] : [...records];
  const given = text.replace(/^\//, "").split("/");
  while (given[0] === ".." && steps.length > 0) {
    given.shift();
    steps.pop();
  }
  const last = given.at(-1) ?? "";
  const attribute = last.startsWith("@") ? last.slice(1) : undefined;
  steps.push(...(attribute === undefined ? given : given.slice(0, -1)));
  const isNamed = steps.length > 0 && [...steps, attribute ?? "a"].every((step) => xmlName.test(step));
  const isInside = records.every((step, index) => steps[index] === step);
  const isWay = attribute === undefined && steps.every((step, index) => records[index] === step);
  if (!isNamed || isInside || isWay || steps[0] !== records[0]) {
    node.problem(`expected the path of an attribute or of an element with text, in the root and outside of the records, such as /${records[0] ?? "report"}/@batch or ../@batch, got "${text}"`);
    return undefined;
  }
  return { column, steps, attribute };
}

/** `orders` or `/report/orders`. */
function readNames(node: NodeReader | undefined): readonly string[] | undefined {
  const text = node?.text("the name of an element");
  const names = text?.replace(/^\//, "").split("/");
  if (names?.some((name) => !xmlName.test(name)) === true) node?.problem(`expected the name of an element, got "${text}"`);
  return names;
}
