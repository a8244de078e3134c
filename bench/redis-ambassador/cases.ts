// pure
/** What one connection sends again and again: `pipeline` requests in one piece, then it waits for all replies. */
export type Case = { readonly id: string; readonly title: string; readonly pipeline: number; readonly kind: "get" | "set" | "alternating"; readonly valueBytes: number };

function pipelined(kind: Case["kind"], pipeline: number, valueBytes: number, size: string): Case {
  const words = kind === "alternating" ? "SET and GET in turn" : kind.toUpperCase();
  const id = kind === "alternating" ? `alternating-${pipeline}` : `${kind}-${pipeline}`;
  return { id: size === "3 B" ? id : `${id}-${size.toLowerCase().replace(" ", "")}`, title: `${words}, P=${pipeline}, ${size}`, pipeline, kind, valueBytes };
}

export const cases: readonly Case[] = [
  pipelined("get", 1, 3, "3 B"), pipelined("set", 1, 3, "3 B"),
  pipelined("get", 16, 3, "3 B"), pipelined("set", 16, 3, "3 B"), pipelined("alternating", 16, 3, "3 B"),
  pipelined("get", 64, 3, "3 B"), pipelined("set", 64, 3, "3 B"),
  pipelined("get", 16, 1024, "1 KB"), pipelined("set", 16, 1024, "1 KB"),
  pipelined("get", 1, 65_536, "64 KB"), pipelined("set", 1, 65_536, "64 KB"),
];

/** Keys of one size of value; there are so many that no two connections of a case read the same ones all the time. */
export const keysMax = 1_000;
export const keyName = (valueBytes: number, index: number): string => `bench:${valueBytes}:${String(index % keysMax).padStart(6, "0")}`;

export function encode(words: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word) : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

/** The bytes that connection `index` sends, and how many bytes the replies have. */
export function batch(spec: Case, index: number): { readonly request: Buffer; readonly replyBytes: number } {
  const value = Buffer.alloc(spec.valueBytes, "x"), getReply = `$${spec.valueBytes}\r\n`.length + spec.valueBytes + 2, setReply = "+OK\r\n".length;
  const requests: Buffer[] = [];
  let replyBytes = 0;
  for (let each = 0; each < spec.pipeline; each += 1) {
    const isSet = spec.kind === "set" || (spec.kind === "alternating" && each % 2 === 0);
    const key = keyName(spec.valueBytes, index * 17 + each);
    requests.push(isSet ? encode(["SET", key, value]) : encode(["GET", key]));
    replyBytes += isSet ? setReply : getReply;
  }
  return { request: Buffer.concat(requests), replyBytes };
}
