// The receiver of the bench, a process of its own: it takes the Forward protocol at one port and acknowledges every chunk, takes
// lines of text at another, and counts. It obeys orders (order.ts) that come over the channel to its parent.
import { createServer, type Server, type Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { decodeMulti, encode, ExtensionCodec } from "@msgpack/msgpack";
import { lineOf } from "./lines.ts";
import type { Answer, Order } from "./order.ts";

const readBytes = 1024 * 1024;
const lineFeed = 10;

/** The state of the order that is being carried out. */
class Tally {
  #order: Extract<Order, { do: "count" | "check" | "latency" }> | undefined;
  #lines = 0;
  #bytes = 0;
  #totalLines = 0;
  #totalBytes = 0;
  #seen = new Uint8Array(0);
  #faults: string[] = [];
  #ages: number[] = [];

  begin(order: Extract<Order, { do: "count" | "check" | "latency" }>): void {
    this.#order = order;
    this.#lines = this.#bytes = 0;
    this.#faults = [];
    this.#ages = [];
    this.#seen = new Uint8Array(order.do === "check" ? order.from + order.lines * 2 : 0);
  }

  get total(): { readonly lines: number; readonly bytes: number } {
    return { lines: this.#totalLines, bytes: this.#totalBytes };
  }

  /** Whether records must be decoded, and not only counted. */
  get looksInside(): boolean {
    return this.#order !== undefined && (this.#order.do !== "count" || this.#order.decode);
  }

  bytes(count: number): void {
    this.#bytes += count;
    this.#totalBytes += count;
  }

  /** Calls when the order is carried out. */
  lines(count: number): void {
    this.#lines += count;
    this.#totalLines += count;
    const order = this.#order;
    if (order === undefined || this.#lines < order.lines) return;
    this.#order = undefined;
    if (this.#lines > order.lines) this.#faults.push(`${this.#lines} lines came instead of ${order.lines}`);
    tell({ kind: "done", atNs: process.hrtime.bigint().toString(), bytes: this.#bytes, faults: this.#faults.slice(0, 10), ages: this.#ages });
  }

  record(value: unknown): void {
    const order = this.#order, fields = fieldsOf(value);
    if (order?.do === "latency") this.#ages.push((Number(process.hrtime.bigint()) - Number(fields.get("at"))) / 1e6);
    if (order?.do !== "check") return;
    const seq = Number(fields.get("seq"));
    if (this.#seen[seq] !== 0) return void this.#faults.push(this.#seen[seq] === 1 ? `line ${seq} came twice` : `a record has the number ${String(fields.get("seq"))}`);
    this.#seen[seq] = 1;
    if (order.kept) return this.#shaped(seq, fields);
    for (const [name, wanted] of fieldsOf(JSON.parse(lineOf(seq)))) if (fields.get(name) !== wanted) this.#faults.push(`line ${seq}: ${name} is ${String(fields.get(name))} instead of ${String(wanted)}`);
  }

  /** What the filters of the case leave. */
  #shaped(seq: number, fields: ReadonlyMap<string, unknown>): void {
    const right = fields.get("level") !== "debug" && fields.get("path") === "/api/v1/orders/[redacted]" && fields.has("user_agent") && !fields.has("ua") && fieldsOf(fields.get("kubernetes")).size > 0;
    if (!right) this.#faults.push(`line ${seq} is not as the filters should leave it: ${[...fields].join(" ")}`);
  }
}

/** A raw record holds the whole line in one field. */
function fieldsOf(value: unknown): Map<string, unknown> {
  const fields = new Map<string, unknown>(typeof value === "object" && value !== null ? Object.entries(value) : []);
  const line = fields.get("log");
  return typeof line === "string" ? fieldsOf(JSON.parse(line)) : fields;
}

const tally = new Tally();
const sockets = new Set<Socket>();
let stalled = false;

function tell(answer: Answer): void {
  process.send?.(answer);
}

/** Event times are of extension type 0; what they say is not looked at. */
const extensionCodec = new ExtensionCodec();
extensionCodec.register({ type: 0, encode: () => null, decode: () => 0 });

/**
 * Messages `[tag, entries, { chunk, size }]` of one connection. The entries are skipped by their length unless they are looked at; what
 * stands before and after them is gathered until it decodes.
 */
class ForwardConnection {
  readonly #socket: Socket;
  #rest = Buffer.alloc(0);
  #skip = 0;
  #entries: Buffer[] = [];
  #inside = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  take(bytes: Buffer): void {
    tally.bytes(bytes.length);
    let data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#rest = Buffer.alloc(0);
    while (data.length > 0) {
      if (this.#skip > 0) {
        const part = data.subarray(0, this.#skip);
        if (tally.looksInside) this.#entries.push(Buffer.from(part));
        this.#skip -= part.length;
        data = data.subarray(part.length);
        continue;
      }
      const used = this.#inside ? this.#end(data) : this.#begin(data);
      if (used === 0) break;
      data = data.subarray(used);
    }
    this.#rest = Buffer.from(data);
  }

  /** `93`, the tag as a string, and the head of a bin or str. */
  #begin(data: Buffer): number {
    const tag = stringAt(data, 1);
    if (tag === undefined) return 0;
    const type = data[tag.end];
    const sizeBytes = { 0xc4: 1, 0xc5: 2, 0xc6: 4, 0xd9: 1, 0xda: 2, 0xdb: 4 }[type ?? 0];
    if (type === undefined) return 0;
    if (sizeBytes === undefined || (data[0] ?? 0) !== 0x93) throw new Error(`Not a PackedForward message: ${data.toString("hex", 0, 32)}`);
    if (data.length < tag.end + 1 + sizeBytes) return 0;
    this.#skip = data.readUIntBE(tag.end + 1, sizeBytes);
    this.#inside = true;
    return tag.end + 1 + sizeBytes;
  }

  /** The options; then the ack goes out. */
  #end(data: Buffer): number {
    const options = optionsAt(data);
    if (options === undefined) return 0;
    this.#inside = false;
    const { chunk, size, compressed } = options.value;
    let count = Number(size);
    if (this.#entries.length > 0) {
      const entries = Buffer.concat(this.#entries);
      count = 0;
      for (const entry of decodeMulti(compressed === "gzip" ? gunzipSync(entries) : entries, { extensionCodec })) {
        count += 1;
        if (Array.isArray(entry)) tally.record(entry[1]);
      }
      this.#entries = [];
    }
    if (chunk !== undefined) this.#socket.write(encode({ ack: chunk }));
    tally.lines(count);
    return options.end;
  }
}

function stringAt(data: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
  const type = data[at];
  if (type === undefined) return undefined;
  const [start, length] = type === 0xd9 ? [at + 2, data[at + 1] ?? 0] : [at + 1, type & 31];
  return data.length < start + length ? undefined : { text: data.toString("utf8", start, start + length), end: start + length };
}

/** A small map of strings and integers, undefined while it is not whole. */
function optionsAt(data: Buffer): { readonly value: { chunk?: string; size?: number; compressed?: string }; readonly end: number } | undefined {
  let at = 1;
  const value: { chunk?: string; size?: number; compressed?: string } = {};
  for (let left = (data[0] ?? 0) & 15; left > 0; left -= 1) {
    const name = stringAt(data, at);
    const type = name === undefined ? undefined : data[name.end];
    if (name === undefined || type === undefined) return undefined;
    const width = { 0xc0: 0, 0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8, 0xd2: 4 }[type];
    if (type < 0x80 || width !== undefined) {
      if (data.length < name.end + 1 + (width ?? 0)) return undefined;
      if (name.text === "size") value.size = width === undefined ? type : width === 8 ? Number(data.readBigUInt64BE(name.end + 1)) : data.readUIntBE(name.end + 1, width);
      at = name.end + 1 + (width ?? 0);
      continue;
    }
    const text = stringAt(data, name.end);
    if (text === undefined) return undefined;
    if (name.text === "chunk") value.chunk = text.text;
    else if (name.text === "compressed") value.compressed = text.text;
    at = text.end;
  }
  return { value, end: at };
}

/** Lines of text; a record is what stands from the first brace on. */
class LinesConnection {
  #rest = Buffer.alloc(0);

  take(bytes: Buffer): void {
    tally.bytes(bytes.length);
    if (tally.looksInside) {
      const data = Buffer.concat([this.#rest, bytes]), end = data.lastIndexOf(lineFeed) + 1;
      this.#rest = Buffer.from(data.subarray(end));
      const lines = data.toString("utf8", 0, end).split("\n").slice(0, -1);
      for (const line of lines) tally.record(JSON.parse(line.slice(line.indexOf("{"))));
      tally.lines(lines.length);
      return;
    }
    let count = 0;
    for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) count += 1;
    tally.lines(count);
  }
}

async function listen(connect: (socket: Socket) => { take: (bytes: Buffer) => void }): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((socket) => {
    const connection = connect(socket);
    sockets.add(socket);
    socket.setNoDelay(true);
    if (stalled) socket.pause();
    socket.on("data", (bytes) => connection.take(bytes));
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen({ port: 0, host: "127.0.0.1", highWaterMark: readBytes });
  await new Promise((resolve) => server.once("listening", resolve));
  const bound = server.address();
  return { server, port: typeof bound === "object" && bound !== null ? bound.port : 0 };
}

const forward = await listen((socket) => new ForwardConnection(socket));
const lines = await listen(() => new LinesConnection());

process.on("message", (order: Order) => {
  if (order.do === "count" || order.do === "check" || order.do === "latency") tally.begin(order);
  else if (order.do === "total") tell({ kind: "total", ...tally.total });
  else if (order.do === "up") forward.server.listen(forward.port, "127.0.0.1");
  else if (order.do === "down") {
    forward.server.close();
    for (const socket of sockets) socket.resetAndDestroy();
  } else {
    stalled = order.do === "stall";
    for (const socket of sockets) if (stalled) socket.pause(); else socket.resume();
  }
});
process.on("disconnect", () => process.exit());
tell({ kind: "listening", forwardPort: forward.port, linesPort: lines.port });
