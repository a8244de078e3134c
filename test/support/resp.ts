// A plain decoder of RESP2 and RESP3, written apart from the ambassador's scanners: what tests compare those with, and
// what takes replies apart where they cannot be compared byte for byte.

/** One value of the protocol. `text` holds bytes as latin1; `attributes` are those that stood before it. */
export type RespValue = {
  readonly type: string;
  readonly text: string;
  readonly items: readonly RespValue[];
  readonly isNull: boolean;
  readonly attributes: readonly RespValue[];
};

/** What was read and where it ends. */
export type Decoded = { readonly value: RespValue; readonly next: number };

const leaf = (type: string, text: string, isNull = false): RespValue => ({ type, text, items: [], isNull, attributes: [] });

/** Decodes the value that begins at `from`; undefined while it is not complete. Throws when the bytes are no RESP. */
export function decodeResp(text: string, from = 0): Decoded | undefined {
  const lineEnd = text.indexOf("\r\n", from);
  if (lineEnd < 0) return undefined;
  const type = text.charAt(from), line = text.slice(from + 1, lineEnd), after = lineEnd + 2;
  switch (type) {
    case "+": case "-": case ":": case "#": case ",": case "(":
      return { value: leaf(type, line), next: after };
    case "_":
      return { value: leaf(type, "", true), next: after };
    case "$": case "=": case "!":
      return line === "?" ? decodeStreamedString(text, after) : decodeBulk(type, text, line, after);
    case "*": case "~": case ">":
      return decodeAggregate(type, text, line, after, 1);
    case "%":
      return decodeAggregate(type, text, line, after, 2);
    case "|": {
      const attributes = decodeAggregate("|", text, line, after, 2);
      const described = attributes === undefined ? undefined : decodeResp(text, attributes.next);
      if (attributes === undefined || described === undefined) return undefined;
      return { value: { ...described.value, attributes: attributes.value.items }, next: described.next };
    }
    default:
      throw new Error(`No RESP at ${from}: ${JSON.stringify(text.slice(Math.max(0, from - 40), from + 40))}`);
  }
}

function decodeBulk(type: string, text: string, line: string, after: number): Decoded | undefined {
  const length = Number(line);
  if (length < 0) return { value: leaf(type, "", true), next: after };
  const end = after + length;
  return end + 2 > text.length ? undefined : { value: leaf(type, text.slice(after, end)), next: end + 2 };
}

function decodeStreamedString(text: string, from: number): Decoded | undefined {
  let at = from, whole = "";
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const length = Number(text.slice(at + 1, lineEnd));
    if (length === 0) return { value: leaf("$", whole), next: lineEnd + 2 };
    at = lineEnd + 2 + length + 2;
    if (at > text.length) return undefined;
    whole += text.slice(lineEnd + 2, at - 2);
  }
}

function decodeAggregate(type: string, text: string, line: string, after: number, each: number): Decoded | undefined {
  const streamed = line === "?", count = streamed ? Number.POSITIVE_INFINITY : Number(line) * each;
  if (count < 0) return { value: leaf(type, "", true), next: after };
  const items: RespValue[] = [];
  let at = after;
  while (items.length < count) {
    if (streamed && text.startsWith(".\r\n", at)) return { value: { ...leaf(type, ""), items }, next: at + 3 };
    const item = decodeResp(text, at);
    if (item === undefined) return undefined;
    items.push(item.value);
    at = item.next;
  }
  return { value: { ...leaf(type, ""), items }, next: at };
}

/** All whole values of `text`, and the index after the last of them. */
export function decodeAll(text: string): { readonly values: readonly RespValue[]; readonly ends: readonly number[] } {
  const values: RespValue[] = [], ends: number[] = [];
  for (let at = 0; at < text.length;) {
    const found = decodeResp(text, at);
    if (found === undefined) break;
    values.push(found.value);
    ends.push(found.next);
    at = found.next;
  }
  return { values, ends };
}

/** Strings, errors and nulls as JavaScript has them, aggregates as arrays; for reading COMMAND and COMMAND DOCS. */
export type Plain = string | number | null | readonly Plain[];
export function plainOf(value: RespValue): Plain {
  if (value.isNull) return null;
  if ("*~>%".includes(value.type)) return value.items.map(plainOf);
  return value.type === ":" ? Number(value.text) : value.text;
}
