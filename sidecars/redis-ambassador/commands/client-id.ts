// pure

/** First id given to a client: far above the ids that servers give, so that the two are never mistaken. */
export const firstClientId = 2 ** 40;

/** Puts the ambassador's id of a client into the server's answer to HELLO, in either protocol. */
export function withClientId(reply: Buffer, id: number): Buffer {
  return Buffer.from(reply.toString("latin1").replace(/(\$2\r\nid\r\n:)\d+/, `$1${id}`), "latin1");
}
