import { Socket } from "node:net";

/** Who reads a socket into buffers of its own choosing. */
export interface BufferReader {
  /** Asked for after every read; undefined: the same buffer once more. */
  nextBuffer(): Buffer | undefined;
  /** `bytes` is the whole buffer that was read into; its first `count` bytes are valid during the call alone. */
  onRead(bytes: Buffer, count: number): void;
}

/**
 * The properties behind the public option `onread`, which exists for sockets that connect and not for those that a server
 * accepts. Undefined when this version of Node keeps them elsewhere.
 */
function findProperties(): { readonly buffer: symbol; readonly callback: symbol; readonly generator: symbol; readonly used: symbol | undefined } | undefined {
  const buffer = Buffer.alloc(1), callback = (): boolean => true;
  const socket = new Socket({ onread: { buffer, callback } });
  const symbols = Object.getOwnPropertySymbols(socket);
  const named = (name: string): symbol | undefined => symbols.find((each) => each.description === name);
  const found = { buffer: named("kBuffer"), callback: named("kBufferCb"), generator: named("kBufferGen"), used: named("kUseUserBuffer") };
  const holds = (key: symbol | undefined, value: unknown): boolean => key !== undefined && Reflect.get(socket, key) === value;
  const asExpected = holds(found.buffer, buffer) && holds(found.callback, callback) && holds(found.generator, null);
  socket.destroy();
  const { buffer: first, callback: second, generator: third, used } = found;
  return asExpected && first !== undefined && second !== undefined && third !== undefined ? { buffer: first, callback: second, generator: third, used } : undefined;
}

const properties = findProperties();

/** Whether this version of Node has the means; told by a test, because nothing else would. */
export const canReadInto = properties !== undefined;

/**
 * Lets an accepted plain socket read into the reader's buffers, `first` to begin with, which spares a buffer and a copy for
 * every read. False when that cannot be had: the socket then emits `data` as usual.
 */
export function readInto(socket: Socket, first: Buffer, reader: BufferReader): boolean {
  if (properties === undefined || socket.constructor !== Socket) return false;
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return false;
  const use: unknown = Reflect.get(handle, "useUserBuffer");
  if (typeof use !== "function") return false;
  let current = first;
  Reflect.set(socket, properties.buffer, first);
  Reflect.set(socket, properties.generator, () => {
    const next = reader.nextBuffer();
    if (next !== undefined) current = next;
    return next;
  });
  Reflect.set(socket, properties.callback, (count: number) => {
    reader.onRead(current, count);
    return true;
  });
  if (properties.used !== undefined) Reflect.set(socket, properties.used, true);
  Reflect.apply(use, handle, [first]);
  socket.resume();
  return true;
}
