import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { collector } from "./collector.ts";
import type { ConnectionState, PreludeRequest } from "./connection-state.ts";
import { encodeRequest } from "../protocol/inline.ts";
import { OutQueue } from "./out-queue.ts";
import type { RedisNode } from "../servers/node.ts";
import { endOfSimpleReply, ReplyScanner } from "../protocol/reply-scanner.ts";
import { errorWord } from "./refusals.ts";
import { runWithoutBytes, type Run, type RunOwner } from "./run.ts";
import { byOwner, RunQueue } from "./run-queue.ts";

/** A read buffer grows while reads fill it, so that a connection that is seldom used needs little. */
const readBytesMin = 16 * 1024, readBytesMax = 256 * 1024;
/** A reply above this keeps others waiting. */
const bigReplyBytes = 256 * 1024;
const idRequest: PreludeRequest = { bytes: encodeRequest(["CLIENT", "ID"]), optional: true };
/** An unfinished reply is held back up to this size, so that a connection lost inside it can be made good elsewhere. */
const carryBytesMax = 4096, errorLineBytesMax = 64 * 1024;

export type UpstreamOptions = {
  readonly node: RedisNode;
  readonly state: ConnectionState;
  /** What is sent first; the client's requests wait until it is answered. */
  readonly opening: readonly PreludeRequest[];
  readonly connectTimeoutMs: number;
  readonly tls: ConnectionOptions | undefined;
  readonly monotonicMs: () => number;
  /** Ask for the server's CLIENT ID too, so that other clients can name this connection. */
  readonly learnId: boolean;
  /** Only big requests travel on it. */
  readonly bulk: boolean;
  /** Runs that take longer are told to their owner. May change. */
  readonly watch: { readonly slowMs: number };
  /** Called once, when the connection is lost, given up or refused by the server. */
  readonly onClosed: (upstream: Upstream, reason: string) => void;
};

/** A client that has this connection for itself and whose replies are no longer matched with its requests. */
export interface RawReceiver {
  rawBytes(bytes: Buffer, start: number, end: number): boolean;
  /** A whole top-level reply `+RESET` has passed: the connection is fresh and the receiver should let it go. */
  rawReset(): void;
  rawLost(reason: string): void;
}

/**
 * One connection to one server. Requests of any number of clients go out in one write per turn of the event loop; replies
 * are found by their ends and handed on as slices of the read buffer, first in, first out.
 */
export class Upstream {
  readonly node: RedisNode;
  readonly bulk: boolean;
  state: ConnectionState;
  closedBecause: string | undefined;
  ready = false;
  /** Monotonic time of the last byte received, or of the first request after an idle time. */
  lastProgressMs = 0;
  /** While set, an unanswered request is no sign of a stuck server (blocking commands, subscriptions). */
  patient = false;
  /** Made with settings that hold no more: it is ended instead of being used for another client. */
  outdated = false;
  /** A reply so big is coming in that others would wait for it: new requests take another connection. */
  bigReply = false;
  /** Set while the connection belongs to one client: pushes are passed on to it, and `raw` ends the matching of replies. */
  pushesTo: RawReceiver | undefined;
  raw = false;
  /** It is not read at present, because the one client that waits for it does not read either. */
  paused = false;
  /** The server's number for this connection, if it was asked for and given. */
  serverId: number | undefined;
  readonly #options: UpstreamOptions;
  readonly #socket: Socket;
  readonly #scanner = new ReplyScanner();
  readonly #runs = new RunQueue();
  readonly #out: OutQueue;
  #flushPlanned = false;
  #readBuffer = Buffer.allocUnsafeSlow(readBytesMin);
  #readBufferInUse = false;
  #readBufferFilled = false;
  /** Monotonic time of the turn of the event loop in which requests are being gathered. */
  #turnMs = 0;
  /** Bytes of the unfinished reply that have come so far. */
  #frameBytes = 0;
  #carry: Buffer | undefined;
  readonly #roomWaiters = new Set<() => void>();

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.node = options.node;
    this.bulk = options.bulk;
    this.state = options.state;
    const onread = {
      buffer: () => {
        const size = this.#readBuffer.length, grows = this.#readBufferFilled && size < readBytesMax;
        if (this.#readBufferInUse || grows) this.#readBuffer = Buffer.allocUnsafeSlow(grows ? size * 2 : size);
        this.#readBufferInUse = false;
        this.#readBufferFilled = false;
        return this.#readBuffer;
      },
      callback: (count: number) => {
        this.node.counts.bytesIn += count;
        this.#readBufferFilled = count === this.#readBuffer.length;
        this.#received(this.#readBuffer, count);
        return true;
      },
    };
    const { host, port } = options.node;
    // tls.connect hands onread on to its socket, though its types do not say so.
    const tls: ConnectionOptions & { readonly onread: typeof onread } = { ...options.tls, host, port, onread };
    const socket = options.tls === undefined ? connect({ host, port, onread }) : connectTls(tls);
    this.#socket = socket;
    this.#out = new OutQueue(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 15_000);
    socket.setTimeout(options.connectTimeoutMs, () => this.close(`no connection to ${this.node.address} within ${options.connectTimeoutMs} ms`));
    socket.once(options.tls === undefined ? "connect" : "secureConnect", () => this.#connected());
    socket.on("drain", () => this.#drained());
    socket.on("error", (error: Error) => this.close(`connection to ${this.node.address} failed: ${error.message}`));
    socket.on("close", () => this.close(`connection to ${this.node.address} was closed by the server`));
  }

  /** The replies to the opening requests are matched even when the client that waits wants its own unmatched. */
  get #isRaw(): boolean {
    return this.raw && this.ready;
  }
  get outstandingRuns(): number {
    return this.#runs.length;
  }
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Queues a run. The bytes are copied. */
  send(owner: RunOwner, bytes: Buffer, start: number, end: number, count: number, generation: Run["generation"]): Run {
    if (!this.#flushPlanned) this.#planFlush();
    if (this.#runs.length === 0) this.lastProgressMs = this.#turnMs;
    if (generation !== undefined) generation.outstanding += 1;
    const chunk = this.#out.addRun(bytes, start, end), runEnd = chunk.used;
    const run: Run = { owner, count, replied: 0, bytes: chunk.bytes, start: runEnd - (end - start), end: runEnd, generation, partial: false, handed: false, onlyReads: false, sentMs: this.#turnMs, chunk, original: undefined };
    this.#runs.push(run);
    return run;
  }

  /** Begins a request whose bytes follow by `sendRaw`; it cannot be sent again. */
  beginStreamed(owner: RunOwner, generation: Run["generation"]): void {
    if (generation !== undefined) generation.outstanding += 1;
    this.lastProgressMs = this.#options.monotonicMs();
    this.#runs.push(runWithoutBytes(owner, generation, this.lastProgressMs));
  }

  /** Bytes that belong to no run. Gives false when the caller should wait for `whenRoom`. */
  sendRaw(bytes: Uint8Array): boolean {
    this.#out.addRaw(bytes);
    if (!this.#flushPlanned) this.#planFlush();
    return this.ready && this.#socket.writableLength < 1024 * 1024;
  }

  /** Calls back once when what was written has left the process, or at once when the connection is gone. */
  whenRoom(callback: () => void): void {
    if (this.closedBecause !== undefined) callback();
    else this.#roomWaiters.add(callback);
  }

  /** Leaves the replies of an owner that has gone to nobody. */
  disown(owner: RunOwner): void {
    this.#runs.disown(owner);
  }

  pauseReading(): void {
    this.paused = true;
    this.#socket.pause();
  }
  resumeReading(): void {
    this.paused = false;
    this.lastProgressMs = this.#options.monotonicMs();
    if (this.closedBecause === undefined) this.#socket.resume();
  }

  /** Whether nobody else waits for anything here. */
  servesOnly(owner: RunOwner): boolean {
    return this.#runs.servesOnly(owner);
  }

  /**
   * Gives back the requests of all owners but one who have asked for reads alone, as if they were lost, and swallows the
   * replies. To be called while a reply to `keeper` is being passed on, so that nothing of the others' has been.
   */
  shedReads(keeper: RunOwner): void {
    for (const [owner, runs] of this.#runs.shedReads(keeper)) {
      if (owner.moved === undefined) owner.runsLost(runs, `${this.node.address} is kept busy by a client that reads slowly`);
      else owner.moved(runs);
    }
  }

  /** Ends the connection; every unanswered run is given back to its owner. */
  close(reason: string): void {
    if (this.closedBecause !== undefined) return;
    this.closedBecause = reason;
    this.ready = false;
    this.#socket.destroy();
    const lost = this.#runs.takeAll();
    for (const run of lost) if (run.generation !== undefined) run.generation.outstanding -= 1;
    this.#options.onClosed(this, reason);
    for (const [owner, runs] of byOwner(lost)) owner.runsLost(runs, reason);
    this.pushesTo?.rawLost(reason);
    this.#drained();
  }

  #connected(): void {
    this.#socket.setTimeout(0);
    const opening = this.#options.learnId ? [...this.#options.opening, idRequest] : this.#options.opening;
    if (opening.length === 0) {
      this.#becomeReady();
      return;
    }
    const waiting = this.#runs.takeAll();
    let left = opening.length;
    for (const request of opening) {
      const answered = (reply: Buffer): void => {
        left -= 1;
        if (request === idRequest && reply[0] === 58) this.serverId = Number(reply.toString("latin1", 1).trim());
        if (reply[0] === 45 && !request.optional) this.close(`${this.node.address} refused the connection: ${reply.toString("latin1").trim().slice(1)}`);
        else if (left === 0 && this.closedBecause === undefined) this.#becomeReady();
      };
      this.#runs.push(runWithoutBytes(collector(1, (replies) => answered(replies[0] ?? Buffer.alloc(0)), () => undefined), undefined, 0));
    }
    for (const run of waiting) this.#runs.push(run);
    this.lastProgressMs = this.#options.monotonicMs();
    this.#socket.write(Buffer.concat(opening.map((request) => request.bytes)));
  }

  #becomeReady(): void {
    this.ready = true;
    this.lastProgressMs = this.#options.monotonicMs();
    this.#flush();
    this.#drained();
  }

  #planFlush(): void {
    this.#flushPlanned = true;
    this.#turnMs = this.#options.monotonicMs();
    setImmediate(this.#flushLater);
  }

  readonly #flushLater = (): void => {
    this.#flushPlanned = false;
    this.#flush();
  };

  #flush(): void {
    if (!this.ready) return;
    const written = this.#out.flush();
    if (written === 0) return;
    this.node.counts.bytesOut += written;
    this.#runs.handOver();
    this.#out.reuseChunk();
  }

  #drained(): void {
    const waiters = [...this.#roomWaiters];
    this.#roomWaiters.clear();
    for (const waiter of waiters) waiter();
  }

  #received(bytes: Buffer, count: number): void {
    this.lastProgressMs = this.#options.monotonicMs();
    let at = 0, frameStart = 0, sliceStart = 0;
    while (at < count) {
      if (this.closedBecause !== undefined) return;
      const head = this.#runs.first;
      if (head !== undefined && this.#scanner.atBoundary && !this.#isRaw && !head.owner.watching) {
        // Whole replies of the commonest shapes, as many as there are.
        let left = head.count - head.replied;
        while (left > 0) {
          const next = endOfSimpleReply(bytes, at, count);
          if (next < 0) break;
          at = next;
          left -= 1;
        }
        frameStart = at;
        head.replied = head.count - left;
        if (left === 0) {
          this.#finish(head, false);
          this.#pass(head, bytes, sliceStart, at, true);
          sliceStart = at;
          continue;
        }
        if (at === count) break;
      }
      at = this.#scanner.advance(bytes, at, count);
      if (this.#scanner.failed) {
        this.close(`${this.node.address} sent what is no RESP`);
        return;
      }
      if (!this.#scanner.ended) break;
      this.bigReply = false;
      this.#frameBytes = 0;
      if (this.#isRaw || this.#scanner.firstByte === 62) {
        this.#unmatched(bytes, sliceStart, frameStart, at);
        frameStart = sliceStart = at;
        continue;
      }
      const run = this.#runs.first;
      if (run === undefined) {
        this.close(`${this.node.address} sent a reply that nobody had asked for`);
        return;
      }
      if (this.#scanner.firstByte === 45 || run.owner.watching) {
        if (this.#single(run, bytes, sliceStart, frameStart, at)) sliceStart = at;
      } else {
        this.#releaseCarry(run);
        run.partial = false;
        run.replied += 1;
        if (run.replied === run.count) {
          this.#finish(run, false);
          this.#pass(run, bytes, sliceStart, at, true);
          sliceStart = at;
        }
      }
      frameStart = at;
    }
    if (this.closedBecause === undefined) this.#keepRest(bytes, sliceStart, frameStart, count);
  }

  /** A reply to be looked at alone: an error, or any while requests are being collected for sending again. True: consumed. */
  #single(run: Run, bytes: Buffer, sliceStart: number, frameStart: number, at: number): boolean {
    const carry = this.#carry;
    const frame = carry === undefined ? bytes.subarray(frameStart, at) : Buffer.concat([carry, bytes.subarray(frameStart, at)]);
    const refused = !run.partial && this.#scanner.firstByte === 45 && run.owner.takesError(run, errorWord(frame), frame);
    // Hearing of the refusal, the owner may have learnt that this node is the primary no longer, which ends the connection.
    if (this.closedBecause !== undefined) return true;
    if (!refused && !run.owner.watching) {
      this.#releaseCarry(run);
      run.partial = false;
      run.replied += 1;
      if (run.replied !== run.count) return false;
      this.#finish(run, this.#scanner.firstByte === 45);
      this.#pass(run, bytes, sliceStart, at, true);
      return true;
    }
    this.#carry = undefined;
    if (sliceStart < frameStart) this.#pass(run, bytes, sliceStart, frameStart, false);
    run.replied += 1;
    const done = run.replied === run.count;
    if (done) this.#finish(run, this.#scanner.firstByte === 45);
    run.owner.replyFrame(run, Buffer.from(frame), refused, done);
    return true;
  }

  #unmatched(bytes: Buffer, sliceStart: number, frameStart: number, at: number): void {
    const run = this.#runs.first;
    if (!this.#isRaw && sliceStart < frameStart && run !== undefined) this.#pass(run, bytes, sliceStart, frameStart, false);
    const receiver = this.pushesTo;
    const carry = this.#carry;
    this.#carry = undefined;
    if (receiver === undefined) return;
    if (carry !== undefined) receiver.rawBytes(carry, 0, carry.length);
    if (receiver.rawBytes(bytes, frameStart, at)) this.#readBufferInUse = true;
    const whole = carry === undefined ? bytes.subarray(frameStart, at) : Buffer.concat([carry, bytes.subarray(frameStart, at)]);
    if (this.#isRaw && whole.length === 8 && whole.toString("latin1") === "+RESET\r\n") receiver.rawReset();
  }

  /** Holds back or passes on the unfinished reply at the end of what was read. */
  #keepRest(bytes: Buffer, sliceStart: number, frameStart: number, count: number): void {
    const run = this.#runs.first;
    if (run !== undefined && sliceStart < frameStart) this.#pass(run, bytes, sliceStart, frameStart, false);
    if (frameStart >= count) return;
    this.#frameBytes += count - frameStart;
    this.bigReply = this.#frameBytes + this.#scanner.bodyLeft > bigReplyBytes && !this.#isRaw;
    const held = (this.#carry?.length ?? 0) + count - frameStart;
    const isError = this.#scanner.firstByte === 45;
    const streaming = run?.partial === true && this.#carry === undefined && !this.#isRaw && !isError && this.#scanner.firstByte !== 62;
    if (!streaming && (held <= carryBytesMax || (isError && held <= errorLineBytesMax) || (run?.owner.watching === true && !this.#isRaw))) {
      const rest = bytes.subarray(frameStart, count);
      this.#carry = this.#carry === undefined ? Buffer.from(rest) : Buffer.concat([this.#carry, rest]);
      return;
    }
    if (this.#isRaw || this.#scanner.firstByte === 62) {
      const carry = this.#carry;
      this.#carry = undefined;
      if (carry !== undefined) this.pushesTo?.rawBytes(carry, 0, carry.length);
      if (this.pushesTo?.rawBytes(bytes, frameStart, count) === true) this.#readBufferInUse = true;
      return;
    }
    if (run === undefined) return;
    this.#releaseCarry(run);
    this.#pass(run, bytes, frameStart, count, false);
    run.partial = true;
  }

  #releaseCarry(run: Run): void {
    const carry = this.#carry;
    if (carry === undefined) return;
    this.#carry = undefined;
    this.#pass(run, carry, 0, carry.length, false);
  }

  #pass(run: Run, bytes: Buffer, start: number, end: number, runDone: boolean): void {
    if (run.owner.replyBytes(run, bytes, start, end, runDone)) this.#readBufferInUse = true;
  }

  /** Takes the head run off the queue, before its owner hears of the end and may send more. */
  #finish(run: Run, failed: boolean): void {
    this.#runs.shift();
    if (run.generation !== undefined) run.generation.outstanding -= 1;
    if (!this.patient && run.sentMs > 0) {
      const durationMs = this.lastProgressMs - run.sentMs;
      this.node.latency.record(durationMs * 1000);
      if (durationMs >= this.#options.watch.slowMs) run.owner.slow?.(run, durationMs, this.node);
    }
    if (run.chunk !== undefined) this.#out.runEnded(run.chunk, failed);
  }
}
