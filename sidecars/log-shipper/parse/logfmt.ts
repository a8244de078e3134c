// pure
import type { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";

/**
 * Appends a logfmt line (`level=info msg="two words" ok`) as a MessagePack map of strings; a key without a value is `true`.
 * Returns the number of pairs, or -1 (and appends nothing) when the line holds no `key=value` or a quote is not closed.
 * `extraPairs` raises the count in the map's header. A key given twice counts once, with its last value.
 */
export function writeLogfmt(text: string, writer: MsgpackWriter, extraPairs: number): number {
  const pairs = new Map<string, string | true>();
  let assigned = false;
  pattern.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return -1;
    const [whole, key, quoted, bare] = match;
    at += whole.length;
    if (key === undefined) continue;
    if (quoted === undefined && bare === undefined) {
      pairs.set(key, true);
    } else {
      assigned = true;
      pairs.set(key, quoted === undefined ? (bare ?? "") : unescape(quoted));
    }
  }
  if (!assigned) return -1;
  writer.mapHeader(pairs.size + extraPairs);
  for (const [key, value] of pairs) {
    writer.string(key);
    writer.value(value);
  }
  return pairs.size;
}

const pattern = /\s+|([^\s="]+)(?:=(?:"((?:[^"\\]|\\[^])*)"|([^\s"]*)))?(?=\s|$)/y;

/** The escapes of Go's and JSON's quoting; any other escaped character stands for itself. */
function unescape(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([^]))/g, (_, unit: string | undefined, byte: string | undefined, character: string | undefined) => {
    const code = unit ?? byte;
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    return controls.get(character ?? "") ?? character ?? "";
  });
}

const controls: ReadonlyMap<string, string> = new Map([["n", "\n"], ["t", "\t"], ["r", "\r"], ["b", "\b"], ["f", "\f"]]);
