// pure
import type { FixedColumn, FixedLayout } from "../formats/fixed-width.ts";
import type { InputOptions, OutputOptions } from "../formats/options.ts";
import type { NodeReader } from "./node-reader.ts";
import type { Parts, Settings } from "./read-format.ts";
import { readXmlInput, readXmlLayout } from "./read-xml-format.ts";

/** Settings of XML, logfmt, INI, properties and lines of fixed width. */
export const recordInputs: Readonly<Record<string, Settings<InputOptions>>> = {
  xml: { keys: ["records", "lists", "namespaces", "envelope"], read: (node, parts) => readXmlInput(node, parts) },
  logfmt: { keys: [], read: () => ({ format: "logfmt" }) },
  ini: { keys: ["section"], read: (_, parts) => ({ format: "ini", section: readSection(parts) }) },
  properties: { keys: [], read: () => ({ format: "properties" }) },
  "fixed-width": { keys: ["layout", "unit"], read: (node, parts) => ({ format: "fixed-width", ...readLayout(node, parts) }) },
};

export const recordOutputs: Readonly<Record<string, Settings<OutputOptions>>> = {
  xml: { keys: ["root", "record", "namespaces", "attributes"], read: (_, parts) => ({ format: "xml", ...readXmlLayout(parts) }) },
  logfmt: { keys: [], read: () => ({ format: "logfmt" }) },
  ini: { keys: ["section"], read: (_, parts) => ({ format: "ini", section: readSection(parts) }) },
  properties: { keys: [], read: () => ({ format: "properties" }) },
  "fixed-width": { keys: ["layout", "unit", "eol"], read: (node, parts) => ({ format: "fixed-width", ...readLayout(node, parts), eol: parts.get("eol")?.oneOf(["lf", "crlf"]) ?? "lf" }) },
};

function readSection(parts: Parts): string {
  return parts.get("section")?.text("the name of a column") ?? "section";
}

/** `layout:` names the columns in their order: a width, or {width, align, pad}. */
function readLayout(node: NodeReader, parts: Parts): FixedLayout {
  const place = parts.get("layout");
  if (place === undefined) node.problem('needs "layout": the columns in their order with their widths, such as {id: 8, name: {width: 20, align: left}}');
  const columns = [...(place?.map() ?? [])].map(([name, column]): FixedColumn => {
    const settings = column.raw.kind === "map" ? column.map(["width", "align", "pad"]) : undefined;
    const width = settings === undefined ? column : settings.get("width");
    if (width === undefined) column.problem('needs "width"');
    const text = width?.text("a width") ?? "1";
    if (!/^[1-9]\d{0,4}$/.test(text)) (width ?? column).problem(`expected a width from 1 to 99999, got "${text}"`);
    const pad = settings?.get("pad")?.text("one character") ?? " ";
    if (pad.length !== 1 || /[\r\n]/.test(pad)) column.problem(`"pad" must be one character that is no line end, got ${JSON.stringify(pad)}`);
    return { name, width: Number(text), align: settings?.get("align")?.oneOf(["left", "right"]) ?? "left", pad };
  });
  if (place?.raw.kind === "map" && columns.length === 0) place.problem("needs at least one column, such as {id: 8}");
  return { layout: columns, unit: parts.get("unit")?.oneOf(["characters", "bytes"]) ?? "characters" };
}
