import type { Socket } from "node:net";
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

/**
 * What goes back to one client. Small replies are gathered and written once per turn of the event loop; a slice that ends
 * all that the client waits for is written straight from the server's read buffer.
 */
export class ClientOutput {
  readonly #socket: Socket;
  readonly #bytesMax: number;
  #buffer: Buffer | undefined;
  #used = 0;
  #listed = false;
  /** The server connection that is not read while this client's socket is full. */
  #paused: Upstream | undefined;
  /** Monotonic time since when a shared server connection waits for this client. */
  pausingSharedSinceMs: number | undefined;

  constructor(socket: Socket, bytesMax: number) {
    this.#socket = socket;
    this.#bytesMax = bytesMax;
    socket.on("drain", () => this.#release());
  }

  /** Gives true when the kernel did not take `bytes` and they must not be overwritten. `last`: nothing else is awaited. */
  write(bytes: Buffer, start: number, end: number, last: boolean): boolean {
    const size = end - start;
    if (size === 0) return false;
    if (size >= writeThroughBytes || (last && this.#used === 0)) {
      if (this.#used > 0) this.flush();
      this.#socket.write(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
      return this.#socket.writableLength > 0;
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
    if (this.#socket.writableLength === 0 && spare.length < spareMax) spare.push(buffer);
  }

  /** Stops reading from `upstream` while more than the limit waits for this client. */
  holdBack(upstream: Upstream, shared: boolean, monotonicMs: () => number): void {
    if (this.#paused !== undefined || this.#socket.writableLength <= this.#bytesMax) return;
    this.#paused = upstream;
    if (shared) this.pausingSharedSinceMs = monotonicMs();
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
    this.pausingSharedSinceMs = undefined;
    paused?.resumeReading();
  }
}
