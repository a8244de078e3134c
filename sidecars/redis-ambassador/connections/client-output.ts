import type { Socket } from "node:net";
import type { BackloggedOutput, OutputBacklog } from "./output-backlog.ts";
import type { Upstream } from "./upstream.ts";

const bufferBytes = 16 * 1024, writeThroughBytes = 8 * 1024;

/** Output buffers that are not in use, so that ten thousand idle clients hold none. */
const spare: Buffer[] = [];
const spareMax = 64;
const dirty: ClientOutput[] = [];
let flushPlanned = false;

function flushDirty(): void {
  flushPlanned = false;
  const due = dirty.splice(0);
  for (const output of due) output.flush();
}

/** The client, as far as its output is concerned. */
export interface OutputClient {
  /** All that waited has left. */
  outputDrained(): void;
  /** It is to be ended, because too much waits for clients and the most of it for this one. */
  tooSlow(): void;
}

/**
 * What goes back to one client. Small replies are gathered and written once per turn of the event loop; a slice that ends
 * all that the client waits for is written straight from the server's read buffer.
 */
export class ClientOutput implements BackloggedOutput {
  readonly #socket: Socket;
  readonly #backlog: OutputBacklog;
  readonly #client: OutputClient;
  #buffer: Buffer | undefined;
  #used = 0;
  #listed = false;
  #givenUp = false;
  /** The server connection that is not read while this client's socket is full. */
  #paused: Upstream | undefined;

  constructor(socket: Socket, backlog: OutputBacklog, client: OutputClient) {
    this.#socket = socket;
    this.#backlog = backlog;
    this.#client = client;
    socket.on("drain", () => {
      this.#release();
      client.outputDrained();
    });
  }

  get waitingBytes(): number {
    return this.#socket.writableLength;
  }
  /** Whether more waits for the client than is good; nothing should be asked for it until that has left. */
  get overfull(): boolean {
    return this.#socket.writableLength > this.#backlog.clientBytesMax;
  }

  giveUp(): void {
    if (this.#givenUp) return;
    this.#givenUp = true;
    this.#client.tooSlow();
  }

  /** Gives true when the kernel did not take `bytes` and they must not be overwritten. `last`: nothing else is awaited. */
  write(bytes: Buffer, start: number, end: number, last: boolean): boolean {
    const size = end - start;
    if (size === 0 || this.#givenUp) return false;
    if (size >= writeThroughBytes || (last && this.#used === 0)) {
      if (this.#used > 0) this.flush();
      const slice = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
      if (this.#socket.writableLength > 0) {
        // It would keep the whole read buffer until it has left.
        this.#socket.write(Buffer.from(slice));
        this.#backlog.note(this);
        return false;
      }
      this.#socket.write(slice);
      if (this.#socket.writableLength === 0) return false;
      this.#backlog.note(this);
      return true;
    }
    if (this.#used + size > bufferBytes) this.flush();
    this.#buffer ??= spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
    bytes.copy(this.#buffer, this.#used, start, end);
    this.#used += size;
    if (!this.#listed) {
      this.#listed = true;
      dirty.push(this);
      if (!flushPlanned) {
        flushPlanned = true;
        setImmediate(flushDirty);
      }
    }
    return false;
  }

  flush(): void {
    this.#listed = false;
    const buffer = this.#buffer;
    if (buffer === undefined || this.#used === 0) return;
    this.#socket.write(buffer.subarray(0, this.#used));
    this.#used = 0;
    this.#buffer = undefined;
    if (this.#socket.writableLength > 0) this.#backlog.note(this);
    else if (spare.length < spareMax) spare.push(buffer);
  }

  /** Stops reading from a connection, on which nobody else waits for anything, until what waits for this client has left. */
  holdBack(upstream: Upstream): void {
    if (this.#paused !== undefined) return;
    this.#paused = upstream;
    upstream.pauseReading();
  }

  /** The client is gone: nothing waits for it any more. */
  drop(): void {
    this.#used = 0;
    this.#buffer = undefined;
    this.#release();
  }

  #release(): void {
    const paused = this.#paused;
    this.#paused = undefined;
    this.#backlog.forget(this);
    paused?.resumeReading();
  }
}
