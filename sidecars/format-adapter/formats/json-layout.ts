// pure
/**
 * Where the keys of a JSON record stand. A point in a column's name makes objects: `customer.name` and `customer.city` become
 * {"customer":{"name":…,"city":…}} when they follow each other; `\.` is a point that is part of the key.
 */
export type JsonLayout = {
  /** What stands before each value, but for the record's own brace. */
  readonly before: readonly string[];
  /** What stands behind the last value, but for the record's own brace. */
  readonly tail: string;
};

/** `indent` not 0: each key on a line of its own, those of the record so many levels in. */
export function jsonLayout(columns: readonly string[], indent = 0, level = 0): JsonLayout {
  const lineAt = (depth: number): string => (indent === 0 ? "" : `\n${" ".repeat(indent * (level + depth))}`);
  const keyText = (key: string): string => `${JSON.stringify(key)}:${indent === 0 ? "" : " "}`;
  const closed = (from: number, until: number): string => Array.from({ length: from - until }, (_, index) => `${lineAt(from - index - 1)}}`).join("");
  let open: readonly string[] = [];
  const before = columns.map((column, index) => {
    const keys = jsonKeys(column);
    const parents = keys.slice(0, -1);
    let common = 0;
    while (common < open.length && open[common] === parents[common]) common++;
    const closing = closed(open.length, common);
    open = parents;
    const opening = parents.slice(common).map((key, place) => `${lineAt(common + place)}${keyText(key)}{`).join("");
    return `${closing}${index === 0 ? "" : ","}${opening}${lineAt(parents.length)}${keyText(keys.at(-1) ?? "")}`;
  });
  return { before, tail: closed(open.length, 0) };
}

/** `a.b\.c` -> a, b.c */
export function jsonKeys(column: string): readonly string[] {
  return (column.match(/(?:\\\.|[^.])+|(?<=\.|^)(?=\.|$)/g) ?? [""]).map((key) => key.replaceAll("\\.", "."));
}

/** Why the columns make no record: a key would come twice. Undefined when they do. */
export function jsonLayoutFault(columns: readonly string[]): string | undefined {
  const seen = new Set<string>();
  let open: readonly string[] = [];
  for (const column of columns) {
    const keys = jsonKeys(column);
    const parents = keys.slice(0, -1);
    let common = 0;
    while (common < open.length && open[common] === parents[common]) common++;
    for (let depth = common + 1; depth <= keys.length; depth++) {
      const path = JSON.stringify(keys.slice(0, depth));
      if (seen.has(path)) return depth === keys.length ? `"${column}" gives a key that another field gives` : `"${column}" belongs to the object "${keys.slice(0, depth).join(".")}"; let its fields follow each other`;
      seen.add(path);
    }
    open = parents;
  }
  return undefined;
}

const nestingFormats: ReadonlySet<string> = new Set(["json", "ndjson", "avro", "yaml", "toml"]);

/** Whether records of this format have keys within keys. */
export function nestsKeys(format: string): boolean {
  return nestingFormats.has(format);
}
