// pure
/**
 * DNS messages (RFC 1035 §4, EDNS0 RFC 6891, SRV RFC 2782) to and from bytes. Names are arrays of labels as they came, in latin1, without
 * the root; who compares them lowers their case. Parsing is bounded by the packet alone: compression pointers must point backwards,
 * names end at 255 bytes, and counts that the bytes do not hold are an error.
 */
export type Name = readonly string[];

export const recordType = { a: 1, ns: 2, cname: 5, soa: 6, ptr: 12, txt: 16, aaaa: 28, srv: 33, opt: 41, any: 255 } as const;
export const responseCode = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5, badVersion: 16 } as const;
export const classIn = 1;

export type Question = { readonly name: Name; readonly type: number; readonly class: number };

export type RecordData =
  | { readonly kind: "a"; readonly address: string }
  | { readonly kind: "cname"; readonly target: Name }
  | { readonly kind: "ptr"; readonly target: Name }
  | { readonly kind: "srv"; readonly priority: number; readonly weight: number; readonly port: number; readonly target: Name }
  | { readonly kind: "soa"; readonly server: Name; readonly mailbox: Name; readonly serial: number; readonly refresh: number; readonly retry: number; readonly expire: number; readonly minimum: number }
  /** Any other type, and types above whose data is not what it should be. */
  | { readonly kind: "raw"; readonly type: number; readonly bytes: Uint8Array };

export type ResourceRecord = { readonly name: Name; readonly ttlSeconds: number; readonly data: RecordData };

/** EDNS0: how large an answer over UDP may be, and the version the sender speaks. */
export type Edns = { readonly udpBytesMax: number; readonly version: number };

export type Message = {
  readonly id: number;
  readonly isResponse: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  /** With the extension's upper bits when the message has EDNS. */
  readonly code: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without the OPT record, which is `edns`. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns: Edns | undefined;
};

const headerBytes = 12;
const nameBytesMax = 255;
const labelBytesMax = 63;

/** The id of a packet that may be anything else than well formed; undefined when it is shorter than a header. */
export function idOf(packet: Uint8Array): number | undefined {
  return packet.length < headerBytes ? undefined : view(packet).getUint16(0);
}

/** Throws SyntaxError on anything that is not one whole DNS message. */
export function parseMessage(packet: Uint8Array): Message {
  const reader = new Reader(packet);
  const id = reader.uint16(), flags = reader.uint16();
  const counts = [reader.uint16(), reader.uint16(), reader.uint16(), reader.uint16()] as const;
  const questions = times(counts[0], () => ({ name: reader.name(), type: reader.uint16(), class: reader.uint16() }));
  const answers = times(counts[1], () => readRecord(reader));
  const authorities = times(counts[2], () => readRecord(reader));
  const extra = times(counts[3], () => readRecord(reader));
  const options = extra.filter(({ type }) => type === recordType.opt);
  if (options.length > 1) throw new SyntaxError("Cannot parse DNS message: it has more than one OPT record");
  const option = options[0];
  const withoutOption = extra.filter(({ type }) => type !== recordType.opt);
  return {
    id, isResponse: (flags & 0x8000) !== 0, opcode: (flags >> 11) & 0xf, authoritative: (flags & 0x0400) !== 0, truncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0, recursionAvailable: (flags & 0x0080) !== 0,
    code: (flags & 0xf) | (option === undefined ? 0 : (option.ttl >>> 24) << 4),
    questions, answers: answers.map(plain), authorities: authorities.map(plain), additionals: withoutOption.map(plain),
    edns: option === undefined ? undefined : { udpBytesMax: option.class, version: (option.ttl >>> 16) & 0xff },
  };
}

/**
 * At most `bytesMax` bytes: records that do not fit are left out whole, from the end, and the message says that it is truncated (missing
 * additional records alone are no truncation). Throws RangeError on names and labels that are too long: such a name is a bug of the caller.
 */
export function serializeMessage(message: Message, bytesMax: number): Uint8Array {
  const optionBytes = message.edns === undefined ? 0 : 11;
  const writer = new Writer(bytesMax - optionBytes);
  writer.advance(headerBytes);
  for (const { name, type, class: questionClass } of message.questions) writer.whole(() => writer.name(name).uint16(type).uint16(questionClass));
  const answers = writeRecords(writer, message.answers);
  const authorities = writeRecords(writer, message.authorities);
  const additionals = writeRecords(writer, message.additionals);
  const cut = answers < message.answers.length || authorities < message.authorities.length;
  writer.room += optionBytes;
  if (message.edns !== undefined) writer.uint8(0).uint16(recordType.opt).uint16(message.edns.udpBytesMax).uint8(message.code >> 4).uint8(message.edns.version).uint16(0).uint16(0);
  const bytes = writer.bytes;
  const header = view(bytes);
  header.setUint16(0, message.id);
  header.setUint16(2, (message.isResponse ? 0x8000 : 0) | ((message.opcode & 0xf) << 11) | (message.authoritative ? 0x0400 : 0) | (message.truncated || cut ? 0x0200 : 0)
    | (message.recursionDesired ? 0x0100 : 0) | (message.recursionAvailable ? 0x0080 : 0) | (message.code & 0xf));
  const counts = [message.questions.length, answers, authorities, additionals + (message.edns === undefined ? 0 : 1)];
  counts.forEach((count, at) => header.setUint16(4 + at * 2, count));
  return bytes;
}

type RawRecord = { readonly name: Name; readonly type: number; readonly class: number; readonly ttl: number; readonly data: RecordData };

const plain = ({ name, ttl, data }: RawRecord): ResourceRecord => ({ name, ttlSeconds: ttl, data });

function times<T>(count: number, make: () => T): T[] {
  const made: T[] = [];
  for (let n = 0; n < count; n += 1) made.push(make());
  return made;
}

function readRecord(reader: Reader): RawRecord {
  const name = reader.name();
  const type = reader.uint16(), recordClass = reader.uint16(), ttl = reader.uint32(), length = reader.uint16();
  const end = reader.at + length;
  const raw = reader.peek(length);
  const data = readData(reader, type, raw);
  if (reader.at !== end && data.kind !== "raw") throw new SyntaxError("Cannot parse DNS message: a record's length is not that of its data");
  reader.at = end;
  return { name, type, class: recordClass, ttl, data };
}

function readData(reader: Reader, type: number, raw: Uint8Array): RecordData {
  switch (type) {
    case recordType.a:
      if (raw.length !== 4) return { kind: "raw", type, bytes: raw };
      reader.at += 4;
      return { kind: "a", address: raw.join(".") };
    case recordType.cname:
      return { kind: "cname", target: reader.name() };
    case recordType.ptr:
      return { kind: "ptr", target: reader.name() };
    case recordType.srv:
      return { kind: "srv", priority: reader.uint16(), weight: reader.uint16(), port: reader.uint16(), target: reader.name() };
    case recordType.soa:
      return { kind: "soa", server: reader.name(), mailbox: reader.name(), serial: reader.uint32(), refresh: reader.uint32(), retry: reader.uint32(), expire: reader.uint32(), minimum: reader.uint32() };
    default:
      return { kind: "raw", type, bytes: raw };
  }
}

export function typeOf(data: RecordData): number {
  return data.kind === "raw" ? data.type : recordType[data.kind];
}

/** Returns how many fitted. */
function writeRecords(writer: Writer, records: readonly ResourceRecord[]): number {
  let count = 0;
  for (const { name, ttlSeconds, data } of records) {
    const fitted = writer.whole(() => {
      writer.name(name).uint16(typeOf(data)).uint16(classIn).uint32(ttlSeconds);
      const lengthAt = writer.length;
      writer.uint16(0);
      writeData(writer, data);
      writer.patchUint16(lengthAt, writer.length - lengthAt - 2);
    });
    if (!fitted) return count;
    count += 1;
  }
  return count;
}

function writeData(writer: Writer, data: RecordData): void {
  switch (data.kind) {
    case "a":
      for (const octet of data.address.split(".")) writer.uint8(Number(octet));
      return;
    case "cname":
    case "ptr":
      writer.name(data.target);
      return;
    case "srv":
      // RFC 2782: the target is never compressed.
      writer.uint16(data.priority).uint16(data.weight).uint16(data.port).name(data.target, { compress: false });
      return;
    case "soa":
      writer.name(data.server).name(data.mailbox).uint32(data.serial).uint32(data.refresh).uint32(data.retry).uint32(data.expire).uint32(data.minimum);
      return;
    case "raw":
      for (const byte of data.bytes) writer.uint8(byte);
  }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  uint8(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw new SyntaxError("Cannot parse DNS message: it ends too early");
    this.at += 1;
    return byte;
  }

  uint16(): number {
    return this.uint8() * 256 + this.uint8();
  }

  uint32(): number {
    return this.uint16() * 65_536 + this.uint16();
  }

  peek(length: number): Uint8Array {
    if (this.at + length > this.#bytes.length) throw new SyntaxError("Cannot parse DNS message: it ends too early");
    return this.#bytes.subarray(this.at, this.at + length);
  }

  name(): Name {
    const labels: string[] = [];
    let size = 1;
    let resumeAt: number | undefined;
    // Each pointer must go further back than all before it, so the walk ends.
    let earliest = this.at;
    for (;;) {
      const length = this.uint8();
      if (length === 0) break;
      if (length >= 0xc0) {
        const target = (length & 0x3f) * 256 + this.uint8();
        resumeAt ??= this.at;
        if (target >= earliest) throw new SyntaxError("Cannot parse DNS message: a compression pointer does not point backwards");
        earliest = target;
        this.at = target;
        continue;
      }
      if (length > labelBytesMax) throw new SyntaxError("Cannot parse DNS message: unknown label type");
      size += length + 1;
      if (size > nameBytesMax) throw new SyntaxError(`Cannot parse DNS message: a name is longer than ${nameBytesMax} bytes`);
      labels.push(String.fromCharCode(...this.peek(length)));
      this.at += length;
    }
    if (resumeAt !== undefined) this.at = resumeAt;
    return labels;
  }
}

class Writer {
  /** How many bytes may be written in all. */
  room: number;
  readonly #bytes: number[] = [];
  /** Where a name's tail was written, by its labels. */
  #tails = new Map<string, number>();

  constructor(room: number) {
    this.room = room;
  }

  get length(): number {
    return this.#bytes.length;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  /** Writes all or, when there is no room for it, nothing. */
  whole(write: () => void): boolean {
    const before = this.#bytes.length, tails = new Map(this.#tails);
    write();
    if (this.#bytes.length <= this.room) return true;
    this.#bytes.length = before;
    this.#tails = tails;
    return false;
  }

  advance(count: number): void {
    for (let n = 0; n < count; n += 1) this.#bytes.push(0);
  }

  patchUint16(at: number, value: number): void {
    this.#bytes[at] = value >> 8;
    this.#bytes[at + 1] = value & 0xff;
  }

  uint8(value: number): this {
    this.#bytes.push(value & 0xff);
    return this;
  }

  uint16(value: number): this {
    return this.uint8(value >> 8).uint8(value);
  }

  uint32(value: number): this {
    return this.uint16(value >>> 16).uint16(value & 0xffff);
  }

  name(name: Name, o: { compress: boolean } = { compress: true }): this {
    if (name.reduce((size, label) => size + label.length + 1, 1) > nameBytesMax) throw new RangeError(`Cannot write name "${name.join(".")}": it is longer than ${nameBytesMax} bytes`);
    for (let from = 0; from < name.length; from += 1) {
      const label = name[from] ?? "";
      if (label.length === 0 || label.length > labelBytesMax) throw new RangeError(`Cannot write name "${name.join(".")}": a label must have 1 to ${labelBytesMax} bytes`);
      const tail = JSON.stringify(name.slice(from));
      const known = this.#tails.get(tail);
      if (known !== undefined && o.compress) return this.uint16(0xc000 | known);
      if (known === undefined && this.#bytes.length < 0x4000) this.#tails.set(tail, this.#bytes.length);
      this.uint8(label.length);
      for (let at = 0; at < label.length; at += 1) this.uint8(label.charCodeAt(at));
    }
    return this.uint8(0);
  }
}
