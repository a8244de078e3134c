// pure
import type { NodeReader } from "../mapping/node-reader.ts";

/**
 * Which mapping a report is for. A rule holds when everything it names does: these columns are there, the first record has one of
 * these values in a column, the file's name matches. The first rule that holds decides.
 */
export type DetectRule = { readonly header: readonly string[]; readonly value: { readonly column: string; readonly values: readonly string[] } | undefined; readonly name: string | undefined; readonly use: string };

/** Reads `detect:`. */
export function readDetect(node: NodeReader | undefined, names: readonly string[]): readonly DetectRule[] {
  return (node?.list() ?? []).flatMap((item) => {
    const parts = item.map(["when", "use"]);
    const use = parts?.get("use")?.oneOf(names);
    const when = parts?.get("when")?.map(["header", "value", "name"]);
    if (parts !== undefined && (!parts.has("use") || when === undefined || when.size === 0)) item.problem('needs "use: mapping" and "when:" with header: [columns], value: {column: version, is: [values]} or name: a glob');
    const header = when?.get("header")?.list()?.map((column) => column.text("a column"));
    const value = readValue(when?.get("value"));
    const name = when?.get("name")?.text("a glob on the file's name");
    if (name?.includes("/") === true) when?.get("name")?.problem(`expected a glob on the file's name, got "${name}"`);
    return use === undefined || when === undefined || header?.includes(undefined) === true ? [] : [{ header: header?.filter((column) => column !== undefined) ?? [], value, name, use }];
  });
}

function readValue(node: NodeReader | undefined): DetectRule["value"] {
  const parts = node?.map(["column", "is"]);
  const [column, is] = [parts?.get("column")?.text("a column"), parts?.get("is")];
  if (parts !== undefined && (column === undefined || is === undefined)) node?.problem('needs "column" and "is": a value, or a list of such');
  const values = is === undefined ? undefined : is.raw.kind === "list" ? is.list()?.map((each) => each.text("a value")) : [is.text("a value")];
  if (column === undefined || values === undefined || values.includes(undefined)) return undefined;
  return { column, values: values.filter((value) => value !== undefined) };
}
