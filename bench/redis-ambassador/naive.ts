// A proxy as one would write it in an afternoon: parse every request, ask ioredis, encode its answer. Reads go to the
// replicas in turn. It is the yardstick for what the ambassador's data path gains.  PORT, PRIMARY, REPLICAS (ports)
import { createServer, type Socket } from "node:net";
import { Redis } from "ioredis";

const port = (name: string): number => Number(process.env[name]);
const primary = new Redis({ host: "127.0.0.1", port: port("PRIMARY") });
const replicas = (process.env["REPLICAS"] ?? "").split(",").map((each) => new Redis({ host: "127.0.0.1", port: Number(each) }));
const reads = new Set(["get", "mget", "exists", "strlen"]);
let turn = 0;

/** One request of `bytes` from `at` on, as its words, and where it ends; undefined when it is not whole. */
function parse(bytes: Buffer, from: number): { readonly words: Buffer[]; readonly next: number } | undefined {
  let at = from;
  const number = (): number | undefined => {
    const end = bytes.indexOf("\r\n", at);
    if (end < 0) return undefined;
    const value = Number(bytes.toString("latin1", at + 1, end));
    at = end + 2;
    return value;
  };
  const count = number();
  if (count === undefined) return undefined;
  const words: Buffer[] = [];
  for (let index = 0; index < count; index += 1) {
    const length = number();
    if (length === undefined || at + length + 2 > bytes.length) return undefined;
    words.push(bytes.subarray(at, at + length));
    at += length + 2;
  }
  return { words, next: at };
}

function encode(value: unknown, status: boolean): Buffer {
  if (value === null) return Buffer.from("$-1\r\n");
  if (typeof value === "number") return Buffer.from(`:${value}\r\n`);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from(`*${value.length}\r\n`), ...value.map((each) => encode(each, false))]);
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  if (status) return Buffer.concat([Buffer.from("+"), bytes, Buffer.from("\r\n")]);
  return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]);
}

function serve(socket: Socket): void {
  const waiting: { reply: Buffer | undefined }[] = [];
  let rest: Buffer = Buffer.alloc(0);
  const drain = (): void => {
    for (let first = waiting[0]; first?.reply !== undefined; first = waiting[0]) {
      socket.write(first.reply);
      waiting.shift();
    }
  };
  socket.on("error", () => socket.destroy());
  socket.on("data", (received: Buffer) => {
    rest = rest.length === 0 ? received : Buffer.concat([rest, received]);
    let at = 0;
    for (let found = parse(rest, at); found !== undefined; found = at < rest.length ? parse(rest, at) : undefined) {
      at = found.next;
      const [first = Buffer.alloc(0), ...args] = found.words, name = first.toString("latin1").toLowerCase();
      const server = reads.has(name) ? (replicas[(turn += 1) % replicas.length] ?? primary) : primary;
      const slot: { reply: Buffer | undefined } = { reply: undefined };
      waiting.push(slot);
      server.callBuffer(name, ...args).then((value) => encode(value, name === "set"), (error: unknown) => Buffer.from(`-ERR ${String(error)}\r\n`)).then((reply) => {
        slot.reply = reply;
        drain();
      }).catch(() => socket.destroy());
    }
    rest = rest.subarray(at);
  });
}

createServer({ noDelay: true }, serve).listen(port("PORT"), "127.0.0.1", () => console.log("ready"));
