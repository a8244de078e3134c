/** A double's JSON parser: refuses keys given twice, as Elasticsearch does, and shows integers that a double would round as BigInt. */
export type StrictJson = null | boolean | number | bigint | string | readonly StrictJson[] | { readonly [key: string]: StrictJson };

export class StrictJsonError extends Error {}

/** One value from the start of the text; `end` is where it stops. */
export function parseStrictPrefix(text: string, from = 0): { readonly value: StrictJson; readonly end: number } {
  const cursor = { text, at: from };
  space(cursor);
  const value = parseValue(cursor);
  space(cursor);
  return { value, end: cursor.at };
}

export function parseStrict(text: string): StrictJson {
  const { value, end } = parseStrictPrefix(text);
  if (end !== text.length) throw new StrictJsonError(`text after the value at ${end}`);
  return value;
}

type Cursor = { readonly text: string; at: number };

function space(cursor: Cursor): void {
  while (/[ \t\r\n]/.test(cursor.text[cursor.at] ?? "x")) cursor.at++;
}

function parseValue(cursor: Cursor): StrictJson {
  const character = cursor.text[cursor.at];
  if (character === "{") return parseObject(cursor);
  if (character === "[") return parseArray(cursor);
  const scalar = /"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null/y;
  scalar.lastIndex = cursor.at;
  const match = scalar.exec(cursor.text)?.[0];
  if (match === undefined) throw new StrictJsonError(`no value at ${cursor.at}`);
  cursor.at += match.length;
  if (/^-?\d+$/.test(match) && !Number.isSafeInteger(Number(match))) return BigInt(match);
  try {
    return JSON.parse(match) as StrictJson;
  } catch (error) {
    throw new StrictJsonError(`at ${cursor.at}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function parseObject(cursor: Cursor): StrictJson {
  const entries = new Map<string, StrictJson>();
  cursor.at++;
  space(cursor);
  if (cursor.text[cursor.at] === "}") {
    cursor.at++;
    return {};
  }
  for (;;) {
    space(cursor);
    const key = cursor.text[cursor.at] === '"' ? parseValue(cursor) : undefined;
    if (typeof key !== "string") throw new StrictJsonError(`no key at ${cursor.at}`);
    if (entries.has(key)) throw new StrictJsonError(`Duplicate field '${key}'`);
    space(cursor);
    if (cursor.text[cursor.at++] !== ":") throw new StrictJsonError(`no colon at ${cursor.at}`);
    space(cursor);
    entries.set(key, parseValue(cursor));
    space(cursor);
    const next = cursor.text[cursor.at++];
    if (next === "}") return Object.fromEntries(entries);
    if (next !== ",") throw new StrictJsonError(`no comma at ${cursor.at}`);
  }
}

function parseArray(cursor: Cursor): StrictJson {
  const items: StrictJson[] = [];
  cursor.at++;
  space(cursor);
  if (cursor.text[cursor.at] === "]") {
    cursor.at++;
    return items;
  }
  for (;;) {
    space(cursor);
    items.push(parseValue(cursor));
    space(cursor);
    const next = cursor.text[cursor.at++];
    if (next === "]") return items;
    if (next !== ",") throw new StrictJsonError(`no comma at ${cursor.at}`);
  }
}

/** A string as it is, anything else as nothing. */
export function textIn(value: StrictJson | undefined): string {
  return typeof value === "string" ? value : "";
}

export function isRecord(value: StrictJson | undefined): value is { readonly [key: string]: StrictJson } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
