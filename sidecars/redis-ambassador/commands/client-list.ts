// pure
// CLIENT LIST, INFO and KILL over the ambassador's clients, in the server's own format.

/** What is known of one client of the ambassador. */
export type ClientDescription = {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly name: string;
  readonly ageSeconds: number;
  readonly idleSeconds: number;
  readonly type: "normal" | "pubsub";
  /** In a transaction, waiting in a blocking command. */
  readonly inTransaction: boolean;
  readonly blocked: boolean;
  readonly db: number;
  readonly user: string;
  readonly resp: 2 | 3;
  readonly libName: string;
  readonly libVersion: string;
};

/**
 * One line as in CLIENT LIST: the fields of `template`, a line of the server itself, in their order. What the ambassador
 * does not know (buffers, memory, the last command) has a neutral value; see the documentation of CLIENT LIST.
 */
export function clientLine(template: string, client: ClientDescription): string {
  const known = fieldsOf(client);
  return template.trim().split(" ").map((field) => {
    const name = field.slice(0, field.indexOf("="));
    return `${name}=${known[name] ?? neutral(name)}`;
  }).join(" ");
}

function fieldsOf(client: ClientDescription): Readonly<Record<string, string>> {
  const flags = `${client.type === "pubsub" ? "P" : ""}${client.inTransaction ? "x" : ""}${client.blocked ? "b" : ""}`;
  return {
    "id": String(client.id), "addr": client.address, "laddr": client.localAddress, "fd": "-1", "name": client.name, "age": String(client.ageSeconds), "idle": String(client.idleSeconds),
    "flags": flags === "" ? "N" : flags, "db": String(client.db), "user": client.user, "resp": String(client.resp), "lib-name": client.libName, "lib-ver": client.libVersion,
    "multi": client.inTransaction ? "0" : "-1", "redir": "-1", "events": "r", "cmd": "NULL",
  };
}

const neutral = (name: string): string => (name === "multi" || name === "redir" ? "-1" : "0");

/** Which clients CLIENT LIST and CLIENT KILL mean. */
export type ClientFilter = {
  readonly ids: ReadonlySet<number> | undefined;
  readonly address: string | undefined;
  readonly localAddress: string | undefined;
  readonly type: string | undefined;
  readonly user: string | undefined;
  readonly maxAgeSeconds: number | undefined;
  readonly skipMe: boolean;
};

/**
 * Reads filters as `CLIENT KILL ID 3 TYPE normal …` has them, `words` without the command and subcommand. Undefined when one
 * is not understood here. The server has checked them already.
 */
export function readFilter(words: readonly string[], skipMe: boolean): ClientFilter | undefined {
  let ids: Set<number> | undefined, address: string | undefined, localAddress: string | undefined, type: string | undefined, user: string | undefined, maxAgeSeconds: number | undefined;
  let skip = skipMe;
  for (let at = 0; at < words.length;) {
    const option = (words[at] ?? "").toLowerCase(), value = words[at + 1] ?? "";
    at += 2;
    switch (option) {
      case "id":
        ids ??= new Set();
        ids.add(Number(value));
        // CLIENT LIST, and CLIENT KILL of late, take several.
        while (/^\d+$/.test(words[at] ?? "")) ids.add(Number(words[at++]));
        break;
      case "addr":
        address = value;
        break;
      case "laddr":
        localAddress = value;
        break;
      case "type":
        type = value.toLowerCase();
        break;
      case "user":
        user = value;
        break;
      case "maxage":
        maxAgeSeconds = Number(value);
        break;
      case "skipme":
        skip = value.toLowerCase() === "yes";
        break;
      default:
        return undefined;
    }
  }
  return { ids, address, localAddress, type, user, maxAgeSeconds, skipMe: skip };
}

export function matches(filter: ClientFilter, client: ClientDescription, myId: number): boolean {
  return (filter.ids === undefined || filter.ids.has(client.id))
    && (filter.address === undefined || filter.address === client.address)
    && (filter.localAddress === undefined || filter.localAddress === client.localAddress)
    && (filter.type === undefined || filter.type === client.type)
    && (filter.user === undefined || filter.user === client.user)
    && (filter.maxAgeSeconds === undefined || client.ageSeconds >= filter.maxAgeSeconds)
    && !(filter.skipMe && client.id === myId);
}

/** The text of a bulk or verbatim string; undefined for anything else. */
export function textOfReply(reply: Buffer): { readonly text: string; readonly verbatim: boolean } | undefined {
  const found = /^([$=])(\d+)\r\n/.exec(reply.toString("latin1", 0, 24));
  if (found === null) return undefined;
  const body = reply.toString("latin1", found[0].length, reply.length - 2), verbatim = found[1] === "=";
  return { text: verbatim ? body.slice(4) : body, verbatim };
}

/** The same kind of string around another text (bytes as latin1). */
export function replyWithText(text: string, verbatim: boolean): Buffer {
  const body = verbatim ? `txt:${text}` : text;
  return Buffer.from(`${verbatim ? "=" : "$"}${body.length}\r\n${body}\r\n`, "latin1");
}
