// pure
import { jsonWrapFault, type JsonWrap } from "../formats/json-frame.ts";
import { jsonKeys } from "../formats/json-layout.ts";
import type { JsonInput } from "../formats/options.ts";
import { isPathPrefix, numberLeaf } from "../formats/tree.ts";
import type { OutCell } from "../formats/writers.ts";
import type { NodeReader } from "./node-reader.ts";
import type { Parts } from "./read-format.ts";

/** `records:`, `envelope:` and `ignore:` of JSON that comes in. Without `records` the document is the list itself. */
export function readAround(parts: Parts): Pick<JsonInput & { readonly format: "json" }, "around"> {
  const records = readDocumentPath(parts.get("records"));
  const envelope = parts.get("envelope");
  if (records === undefined) {
    for (const place of [envelope, parts.get("ignore")]) place?.problem('needs "records": where the records stand in the document');
    return {};
  }
  const constants = new Map<string, readonly string[]>();
  for (const [column, place] of envelope?.map() ?? []) {
    const path = readDocumentPath(place) ?? [];
    const other = [records, ...constants.values()].find((known) => isPathPrefix(path, known) || isPathPrefix(known, path));
    if (other !== undefined) place.problem(other === records ? "must be the path of a value beside the records" : "stands in a value that is a column already, or the other way round");
    constants.set(column, path);
  }
  return { around: { records, constants, ignored: readIgnored(parts.get("ignore"), [records, ...constants.values()]) } };
}

/** `ignore:` names what may stand beside the records in a document and is not looked at; `read` are the paths of what is. */
export function readIgnored(node: NodeReader | undefined, read: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return (node?.list() ?? []).map((place) => {
    const path = readDocumentPath(place) ?? [];
    if (path.length === 0 || read.some((known) => isPathPrefix(known, path))) place.problem("must be the path of something beside the records that is no column");
    return path;
  });
}

/** `records:`, `envelope:` and `indent:` of JSON that goes out. */
export function readWrap(parts: Parts): { readonly wrap?: JsonWrap } {
  const place = parts.get("records");
  const records = readDocumentPath(place) ?? [];
  const envelope = parts.get("envelope");
  const constants = [...(envelope?.map() ?? [])].flatMap(([path, value]) => {
    const cell = readConstant(value);
    return cell === undefined ? [] : [{ path, cell }];
  });
  const indentText = parts.get("indent")?.text("a number of spaces from 1 to 8") ?? "0";
  if (parts.has("indent") && !/^[1-8]$/.test(indentText)) parts.get("indent")?.problem(`expected a number of spaces from 1 to 8, got "${indentText}"`);
  if (records.length === 0 && constants.length > 0) envelope?.problem('needs "records": the keys under which the records stand beside these values');
  const wrap: JsonWrap = { records, constants, indent: Number(indentText) };
  const fault = jsonWrapFault(wrap);
  if (fault !== undefined) (envelope ?? place)?.problem(fault);
  return records.length === 0 && wrap.indent === 0 ? {} : { wrap };
}

function readConstant(node: NodeReader): OutCell | undefined {
  if (node.raw.kind === "scalar" && node.raw.value === null) return { text: "", json: "null" };
  const text = node.text("a value");
  if (text === undefined || node.raw.kind !== "scalar") return undefined;
  const isRaw = typeof node.raw.value === "boolean" || (typeof node.raw.value !== "string" && numberLeaf(text).kind === "number");
  return { text: typeof node.raw.value === "boolean" ? String(node.raw.value) : text, json: isRaw ? "raw" : "string" };
}

/** `data.rows`, also written `$.data.rows`; `$` is the document itself. */
function readDocumentPath(node: NodeReader | undefined): readonly string[] | undefined {
  const text = node?.text("a path such as data.rows, or $ for the document itself");
  if (text === undefined) return undefined;
  if (text === "") node?.problem("expected a path such as data.rows, or $ for the document itself");
  return text === "$" || text === "" ? [] : jsonKeys(text.replace(/^\$\./, ""));
}
