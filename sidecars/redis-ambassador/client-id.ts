// pure

/** First id given to a client: far above the ids that servers give, so that the two are never mistaken. */
export const firstClientId = 2 ** 40;

/** Puts the ambassador's id of a client into the server's answer to HELLO or CLIENT INFO, in either protocol. */
export function withClientId(reply: Buffer, id: number): Buffer {
  const text = reply.toString("latin1");
  const hello = text.replace(/(\$2\r\nid\r\n:)\d+/, `$1${id}`);
  if (hello !== text) return Buffer.from(hello, "latin1");
  // CLIENT INFO: a bulk string, or a verbatim one with a "txt:" in front.
  const found = /^([$=])\d+\r\n((?:txt:)?)id=\d+([\s\S]*)\r\n$/.exec(text);
  if (found === null) return reply;
  const body = `${found[2] ?? ""}id=${id}${found[3] ?? ""}`;
  return Buffer.from(`${found[1] ?? "$"}${body.length}\r\n${body}\r\n`, "latin1");
}
