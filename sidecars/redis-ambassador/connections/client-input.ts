import type { Socket } from "node:net";
import type { SpecialClient } from "../commands/ask.ts";
import { lookCloser } from "../commands/closer-look.ts";
import type { CommandPlan } from "../commands/command-plan.ts";
import type { ClientScatters } from "../cluster/client-scatters.ts";
import { ambassadorErrors } from "../errors.ts";
import { Hold } from "./hold.ts";
import type { Hub, HubClient } from "../hub.ts";
import { Inbox, type RequestItem } from "./inbox.ts";
import { encodeRequest, splitInline } from "../protocol/inline.ts";
import type { Lease } from "./lease.ts";
import { isAdmitted } from "../listener/listener-auth.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import type { Look } from "../commands/offload.ts";
import { readInto, type BufferReader } from "./read-socket.ts";
import type { RequestCollector } from "../protocol/request-collector.ts";
import { scanned } from "../protocol/request-scanner.ts";
import { hasBlockOption, wordsReader } from "../protocol/request-words.ts";
import type { Outcome } from "./resend.ts";
import { joined, type Joined, type RoutedClient } from "../routing/router.ts";
import { runSpecial } from "../commands/special.ts";
import type { Unanswered } from "./unanswered.ts";
import { dealingWith, isBig, streamedBytes, UnfinishedRequest, wholeRequestBytesMax } from "./unfinished-request.ts";
import type { Upstream } from "./upstream.ts";

/** All clients are read into it, one after the other. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);
/** A request as big as that goes over a connection on which only big ones travel. */
const bulkBytes = 64 * 1024;
const upstreamUnsentBytesMax = 8 * 1024 * 1024;

/**
 * Why the input is not being looked at:
 * - `none`     it is
 * - `drain`    until all that was sent is answered
 * - `work`     until whoever works on a request resumes it
 * - `primary`  until a primary is known
 * - `proof`    until a replica may be read
 * - `room`     until the server connection has taken what was written
 */
type Stall = "none" | "drain" | "work" | "primary" | "proof" | "room";

/** The client whose requests come in. */
export interface InputClient extends SpecialClient, RoutedClient, HubClient {
  /** Equal for all clients whose requests may share a server connection. */
  readonly stateKey: string;
  /** The lease, if there ever was a need for one. */
  readonly ownLease: Lease | undefined;
  /** It has no server connection to itself at present. */
  readonly free: boolean;
}

/**
 * What one client asks. Requests are found in what is read and joined into runs for one server after the other; everything
 * that is not simply passed on is dealt with in its turn. What cannot be dealt with yet waits here, in order.
 */
export class ClientInput implements BufferReader {
  /** Monotonic time. */
  lastReadMs: number;
  readonly #client: InputClient;
  readonly #hub: Hub;
  readonly #socket: Socket;
  readonly #unanswered: Unanswered;
  readonly #scatters: ClientScatters | undefined;
  readonly #inbox = new Inbox();
  readonly #unfinished = new UnfinishedRequest();
  readonly #hold: Hold;
  #stall: Stall = "none";
  #processing = false;
  #ending = false;

  constructor(client: InputClient, socket: Socket, unanswered: Unanswered, scatters: ClientScatters | undefined) {
    this.#client = client;
    this.#hub = client.hub;
    this.#socket = socket;
    this.#unanswered = unanswered;
    this.#scatters = scatters;
    this.#hold = new Hold(client.hub, client);
    this.lastReadMs = client.hub.clock.monotonicMs();
  }

  /** Begins to read. */
  start(): void {
    if (!readInto(this.#socket, readBuffer, this)) this.#socket.on("data", (bytes: Buffer) => this.onRead(bytes, bytes.length));
  }

  /** Whether nothing of the client is in hand. */
  get idle(): boolean {
    return this.#unanswered.runs === 0 && this.#scatters?.underWay !== true && this.#inbox.empty && this.#client.free;
  }

  /** The client is ended as soon as nothing is in hand. */
  endWhenIdle(): void {
    this.#ending = true;
  }

  /** The client has left. */
  left(): void {
    this.#hold.left(this.#waitingBytes);
    this.#inbox.clear();
    this.#unfinished.forget();
  }

  // ── Going on and waiting ─────────────────────────────────────────────────────────────────────────────────────────

  /** The input may be looked at again. */
  resume(): void {
    if (this.#client.closed) return;
    this.#hold.resumed();
    this.#stall = "none";
    this.process();
  }

  /** All that was sent is answered. */
  allAnswered(): void {
    if (this.#stall === "drain") this.resume();
    else if (this.#ending || this.#socket.isPaused()) this.process();
  }

  /** What was put back is to be looked at in a while, unless something else is waited for anyway. */
  resumeAfter(pauseMs: number): void {
    if (this.#stall !== "none" && this.#stall !== "drain") return;
    if (pauseMs > 0) {
      this.stallForWork();
      void this.#hub.clock.sleep(pauseMs).finally(() => this.resume());
    } else {
      setImmediate(() => this.resume());
    }
  }

  /** Leaves the input alone until `resume`. */
  stallForWork(): void {
    this.#stall = "work";
  }

  /** Stops the input until everything sent is answered. True when nothing is unanswered now. */
  drained(): boolean {
    if (this.#unanswered.runs === 0) return true;
    this.stallUntilAnswered();
    return false;
  }

  stallUntilAnswered(): void {
    this.#stall = "drain";
  }

  /** Keeps a request until the shard has a primary, or fails it when that has taken too long. */
  hold(request: Buffer, shard: Shard): void {
    const error = this.#hold.refusal(shard.primaryLostAtMs, this.#waitingBytes);
    if (error === undefined) {
      this.putBack([{ kind: "again", request }]);
      this.#park();
    } else {
      this.#hub.counts.holdExpired += 1;
      this.#client.answer(error);
      this.resume();
    }
  }

  /** Puts requests and ready replies in front of what is waiting. */
  putBack(outcomes: readonly Outcome[]): void {
    this.#inbox.putBack(outcomes);
  }

  get #waitingBytes(): number {
    return this.#unfinished.bytes + this.#inbox.waitingBytes;
  }

  // ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** For `readInto`. */
  nextBuffer(): Buffer | undefined {
    return this.#unfinished.nextBuffer(readBuffer);
  }

  onRead(buffer: Buffer, count: number): void {
    const client = this.#client;
    if (client.closed) return;
    this.lastReadMs = this.#hub.clock.monotonicMs();
    let bytes = count === buffer.length ? buffer : buffer.subarray(0, count);
    if (client.ownLease?.streaming === true) {
      // The lease keeps what it is given until it has left.
      bytes = Buffer.from(bytes);
      const used = client.ownLease.stream(bytes);
      if (used === bytes.length) return;
      bytes = bytes.subarray(used);
    }
    let whole: RequestCollector | undefined;
    if (this.#unfinished.begun) {
      const used = this.#unfinished.add(bytes);
      whole = this.#unfinished.takeFull();
      if (whole === undefined) return;
      this.#inbox.add(whole.bytes, true);
      bytes = bytes.subarray(used);
    }
    this.#inbox.add(bytes, true);
    this.process();
    if (!this.#inbox.empty) this.#inbox.ownAll();
    whole?.release();
  }

  /** Looks at the input as far as that is possible now. */
  process(): void {
    if (this.#processing) return;
    this.#processing = true;
    const client = this.#client;
    while (this.#stall === "none" && !client.closed && !client.output.overfull) {
      const item = this.#inbox.first;
      if (item === undefined) break;
      if (item.kind === "requests") {
        if (!this.#consume(item)) break;
      } else if (this.#unanswered.runs > 0) {
        this.#stall = "drain";
      } else {
        this.#inbox.shift();
        client.answer(item.bytes);
        if (item.thenClose) client.closeAfterOutput();
      }
    }
    this.#processing = false;
    if (client.closed) return;
    if (this.#ending && this.idle) client.closeAfterOutput();
    else this.adjustReading();
  }

  /** Back-pressure: a client with much in hand is not read. */
  adjustReading(): void {
    const client = this.#client, { clientInputBytesMax } = this.#hub.settings;
    const full = this.#unanswered.bytes > clientInputBytesMax || client.ownLease?.full === true || client.output.overfull
      || (this.#stall !== "none" && this.#waitingBytes > clientInputBytesMax);
    if (full) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Looks at the requests of one piece of input. False when it ends in an unfinished request. */
  #consume(item: RequestItem): boolean {
    const client = this.#client, hub = this.#hub, { bytes } = item, { scanner, router } = hub, { segment } = router;
    if (!hub.tableKnown) {
      this.#holdWithoutTable();
      return true;
    }
    const stranger = !isAdmitted(hub.settings.auth, client.state);
    scanner.stranger = stranger;
    segment.count = 0;
    let at = item.at;
    while (at < bytes.length) {
      const found = scanner.scan(bytes, at, bytes.length);
      if (found === scanned.complete) {
        const plan = hub.planOf(scanner, bytes);
        let outcome: Joined | undefined;
        if (plan.look !== undefined && client.free && !stranger && this.#goneAnotherWay(item, plan.look, plan, at)) return true;
        if (client.free && !stranger && (plan.kind === "read" || plan.kind === "write" || plan.kind === "other") && !(plan.blockOption && hasBlockOption(scanner, bytes))) {
          if (this.#unanswered.isFull(segment.count)) {
            if (this.#sendSegment(item, at) && this.#stall === "none") this.#stall = "drain";
            return true;
          }
          const shard = this.#placeOf(plan, bytes);
          outcome = shard === undefined ? joined.scattered : router.join(client, shard, plan, bytes, at);
          if (outcome === joined.yes) {
            at = scanner.next;
            continue;
          }
          if (router.cluster !== undefined && this.#scatterFrom(item, at, outcome)) return true;
        }
        const next = scanner.next;
        if (!this.#sendSegment(item, at) || this.#stall !== "none") return true;
        if (outcome === undefined) this.#takeOut(item, plan, next);
        else this.#waitToJoin(item, outcome, next);
        return true;
      }
      if (!this.#sendSegment(item, at)) return true;
      if (this.#stall !== "none") return true;
      if (found === scanned.incomplete) return this.#keepTail(item, at);
      if (found === scanned.failed) {
        this.#inbox.replyAndClose(Buffer.from(scanner.errorText, "latin1"));
        return true;
      }
      at = scanner.next;
      item.at = at;
      if (found === scanned.inline && this.#inline(item, bytes.subarray(segment.start, at))) return true;
    }
    if (this.#sendSegment(item, at) && this.#inbox.first === item) this.#inbox.shift();
    return true;
  }

  /** The request at `item.at` is none to be simply passed on. */
  #takeOut(item: RequestItem, plan: CommandPlan, next: number): void {
    this.#inbox.own(item);
    const request = item.bytes.subarray(item.at, next);
    this.#inbox.advance(item, next);
    runSpecial(this.#client, plan, request, wordsReader(this.#hub.scanner, item.bytes));
  }

  /** The shard that deals with the request in the scanner; undefined when several do, or when it takes a scatter for other reasons. */
  #placeOf(plan: CommandPlan, bytes: Buffer): Shard | undefined {
    return this.#scatters?.takesNext === true ? undefined : this.#hub.router.placeOf(plan, bytes);
  }

  /** Deals with the request in the scanner when it is better not passed on as it is. False: nothing was done. */
  #goneAnotherWay(item: RequestItem, look: Look, plan: CommandPlan, at: number): boolean {
    this.#inbox.own(item);
    const client = this.#client, hub = this.#hub, { bytes } = item, { next } = hub.scanner;
    const shard = this.#placeOf(plan, bytes), found = shard === undefined ? undefined : lookCloser(hub, client, look, shard, bytes);
    if (found === undefined) return false;
    const original = found.kind === "offloaded" ? Buffer.from(bytes.subarray(at, next)) : undefined;
    if (!this.#sendSegment(item, at) || this.#stall !== "none") return true;
    if (found.kind === "replaced") {
      this.#inbox.advance(item, next);
      this.#inbox.addFirst(found.request);
      return true;
    }
    const { node, request } = found, upstream = this.#upstreamFor(node, request.length);
    if (upstream === undefined) {
      this.#stall = "drain";
      return true;
    }
    this.#unanswered.sent(upstream, request.length, 1);
    hub.router.readSent();
    node.counts.read += 1;
    hub.counts.offloaded += 1;
    upstream.send(client, request, 0, request.length, 1, undefined).original = original;
    this.#inbox.advance(item, next);
    return true;
  }

  /** The request at `item.at` could not be joined to anything yet. */
  #waitToJoin(item: RequestItem, outcome: Joined, next: number): void {
    if (outcome === joined.elsewhere || outcome === joined.scattered) {
      if (this.#unanswered.runs > 0) this.#stall = "drain";
      return;
    }
    const error = this.#hold.readRefusal(outcome === joined.noReplica);
    if (error !== undefined) {
      this.#inbox.advance(item, next);
      this.#inbox.replyFirst(error);
      return;
    }
    this.#stall = "proof";
    this.#hub.awaitProof(() => {
      if (this.#stall === "proof") this.resume();
    });
  }

  /** Spreads the requests from the segment under way on over the shards. False when something is unanswered, or one shard will do. */
  #scatterFrom(item: RequestItem, at: number, outcome: Joined): boolean {
    const { segment } = this.#hub.router;
    if (this.#unanswered.runs > 0 || (outcome !== joined.scattered && outcome !== joined.elsewhere)) return false;
    this.#inbox.own(item);
    const from = segment.count > 0 ? segment.start : at;
    segment.count = 0;
    return this.scatter(item.bytes, from, (next) => this.#inbox.advance(item, next));
  }

  /** Sends requests over as many shards as they concern. Nothing may be unanswered. */
  scatter(bytes: Buffer, from: number, onTaken: (next: number) => void, entriesMax?: number): boolean {
    const scatters = this.#scatters, next = scatters?.take(bytes, from, this.#client.stateKey, entriesMax);
    if (scatters === undefined || next === undefined) return false;
    onTaken(next);
    this.stallForWork();
    scatters.start();
    return true;
  }

  /** Without a table no request can be told from another: all wait, and at last the connection is closed with an error. */
  #holdWithoutTable(): void {
    const { topology } = this.#hub;
    const error = this.#hold.refusal(Math.min(topology.tableMissingSinceMs, ...topology.shards.map((shard) => shard.primaryLostAtMs)), this.#waitingBytes);
    if (error === undefined) this.#park();
    else this.#inbox.replyAndClose(error);
  }

  /** An inline request becomes an ordinary one. True when the inbox has changed. */
  #inline(item: RequestItem, line: Buffer): boolean {
    let end = line.length - 1;
    if (end > 0 && line[end - 1] === 13) end -= 1;
    const words = splitInline(line.subarray(0, end));
    if (words === undefined) {
      this.#inbox.replyAndClose(Buffer.from("-ERR Protocol error: unbalanced quotes in request\r\n"));
      return true;
    }
    this.#hub.router.segment.start = item.at;
    if (words.length === 0) return false;
    this.#inbox.advance(item, item.at);
    this.#inbox.addFirst(encodeRequest(words));
    return true;
  }

  /** Sends the segment that ends at `end`. False when it could not be sent: it stays in the inbox. */
  #sendSegment(item: RequestItem, end: number): boolean {
    const hub = this.#hub, { segment } = hub.router;
    if (segment.count === 0) {
      item.at = end;
      segment.start = end;
      return true;
    }
    const node = segment.node ?? segment.shard.primary;
    if (node === undefined) {
      this.#holdSegment(item, segment.shard, segment.start, segment.count, end);
      return false;
    }
    const upstream = this.#upstreamFor(node, end - segment.start);
    if (upstream === undefined) {
      item.at = segment.start;
      this.#stall = "drain";
      return false;
    }
    this.#hold.sent();
    this.#unanswered.sent(upstream, end - segment.start, segment.count);
    const { counts } = node;
    if (segment.node !== undefined) hub.router.readSent();
    counts.read += segment.reads;
    counts.write += segment.writes;
    counts.other += segment.count - segment.reads - segment.writes;
    const run = upstream.send(this.#client, item.bytes, segment.start, end, segment.count, segment.generation);
    run.onlyReads = segment.reads === segment.count;
    item.at = end;
    segment.start = end;
    segment.count = 0;
    if (upstream.unsentBytes > upstreamUnsentBytesMax) {
      this.#stall = "room";
      upstream.whenRoom(() => {
        if (this.#stall === "room") this.resume();
      });
    }
    return true;
  }

  /** The connection that carries the client's next requests; undefined when what is unanswered travels on another one. */
  #upstreamFor(node: RedisNode, bytes: number): Upstream | undefined {
    const { state, stateKey } = this.#client, bulk = bytes >= bulkBytes, { on, runs } = this.#unanswered;
    if (runs > 0 && on !== undefined) return on.node === node && on.bulk === bulk && !on.outdated ? on : undefined;
    return bulk ? this.#hub.pool.bulk(node, state, stateKey) : this.#hub.pool.shared(node, state, stateKey);
  }

  /** Keeps the requests `[start, end)` until a primary is known, or fails them when that has taken too long. */
  #holdSegment(item: RequestItem, shard: Shard, start: number, count: number, end: number): void {
    item.at = start;
    const error = this.#hold.refusal(shard.primaryLostAtMs, this.#waitingBytes);
    if (error === undefined) {
      this.#park();
      return;
    }
    this.#hub.counts.holdExpired += count;
    this.#inbox.advance(item, end);
    this.#inbox.replyFirst(Buffer.concat(Array.from({ length: count }, () => error)));
  }

  /** Waits until a primary is known again, or until the hold is over. */
  #park(): void {
    this.#stall = "primary";
    this.#hold.park(this.#waitingBytes);
  }

  /** What is left of a piece of input, the beginning of a request, waits for the rest. False when there is no further input. */
  #keepTail(item: RequestItem, at: number): boolean {
    const { scanner } = this.#hub;
    const rest = item.bytes.subarray(at);
    this.#inbox.shift();
    if (this.#inbox.joinWithFollowing(rest)) return true;
    const { needed } = scanner;
    if (isBig(rest.length, needed) && scanner.argc > 0) {
      const plan = this.#hub.planOf(scanner, rest);
      switch (dealingWith(plan, rest.length, this.#hub.router.cluster?.needsWhole(plan) === true)) {
        case "stream": {
          const begun = item.borrowed ? Buffer.from(rest) : rest;
          this.#inbox.addFirst(begun);
          if (this.drained()) this.#stream(plan, begun);
          return true;
        }
        case "refuse":
          this.#inbox.replyAndClose(ambassadorErrors.requestTooBig(wholeRequestBytesMax));
          return true;
        case "collectWhole":
          this.#unfinished.begin(rest, needed);
          return false;
        case "collect":
          break;
      }
    }
    this.#unfinished.begin(rest, Math.min(needed, streamedBytes));
    return false;
  }

  /** Passes an unfinished request on as it arrives, over a connection of the client's own. Nothing may be unanswered. */
  #stream(plan: CommandPlan, begun: Buffer): void {
    const client = this.#client, { router } = this.#hub, shard = router.shardOf(plan, begun);
    const mark = plan.marks === "none" || !router.marksWrites ? undefined : router.markerOf(client, shard, plan, begun);
    this.#inbox.shift();
    this.stallForWork();
    const { lease } = client;
    lease.beginStream(plan, mark, begun, shard, () => {
      this.#inbox.addFirst(begun);
      while (lease.streaming) {
        const item = this.#inbox.first;
        if (item?.kind !== "requests") break;
        this.#inbox.shift();
        const used = lease.stream(item.bytes);
        if (used < item.bytes.length) this.#inbox.addFirst(item.bytes.subarray(used));
      }
      // Much may have come while the connection was being readied, which stopped the reading.
      this.adjustReading();
    });
  }
}
