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

export function jsonLayout(columns: readonly string[]): JsonLayout {
  let open: readonly string[] = [];
  const before = columns.map((column, index) => {
    const keys = jsonKeys(column);
    const parents = keys.slice(0, -1);
    let common = 0;
    while (common < open.length && open[common] === parents[common]) common++;
    const closing = "}".repeat(open.length - common);
    open = parents;
    return `${closing}${index === 0 ? "" : ","}${parents.slice(common).map((key) => `${JSON.stringify(key)}:{`).join("")}${JSON.stringify(keys.at(-1) ?? "")}:`;
  });
  return { before, tail: "}".repeat(open.length) };
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

/** Whether records of this format have keys within keys. */
export function nestsKeys(format: string): boolean {
  return format === "json" || format === "ndjson";
}
