// pure
import type { InputOptions } from "../formats/options.ts";
import type { NodeReader } from "./node-reader.ts";
import type { Parts, Settings } from "./read-format.ts";

/** Settings of XML. */
export const recordInputs: Readonly<Record<string, Settings<InputOptions>>> = {
  xml: { keys: ["records", "lists"], read: (node, parts) => readXmlInput(node, parts) },
};

function readXmlInput(node: NodeReader, parts: Parts): InputOptions | undefined {
  const place = parts.get("records");
  if (place === undefined) node.problem('needs "records": the path of the elements that are records, such as /report/items/item');
  const path = place?.text("a path such as /report/items/item");
  if (place === undefined || path === undefined) return undefined;
  const steps = path.split("/").slice(1);
  if (!path.startsWith("/") || steps.some((step) => !xmlName.test(step))) place.problem(`expected a path of element names such as /report/items/item, got "${path}"`);
  const lists = (parts.get("lists")?.list() ?? []).flatMap((item) => item.text("a column") ?? []);
  return { format: "xml", records: steps, lists };
}

export const xmlName = /^[:A-Za-z_\u0080-\u{10ffff}][-.:\w\u0080-\u{10ffff}]*$/u;
