import type { Socket } from "node:net";
import type { SpecialClient } from "../commands/ask.ts";
import { ClientOutput, type OutputClient } from "./client-output.ts";
import type { ClientDescription } from "../commands/client-list.ts";
import { lookCloser } from "../commands/closer-look.ts";
import type { CommandPlan } from "../commands/command-plan.ts";
import { freshState, shareKey, type ConnectionState } from "./connection-state.ts";
import { ambassadorErrors } from "../errors.ts";
import type { Generation } from "../routing/fence.ts";
import type { Hub, HubClient } from "../hub.ts";
import { Hold } from "./hold.ts";
import { Inbox, type RequestItem } from "./inbox.ts";
import { encodeRequest, splitInline } from "../protocol/inline.ts";
import { Lease } from "./lease.ts";
import { isAdmitted } from "../listener/listener-auth.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import type { Look } from "../commands/offload.ts";
import { Recovery } from "./recovery.ts";
import { readInto, type BufferReader } from "./read-socket.ts";
import { refusalOf } from "./refusals.ts";
import type { RequestCollector } from "../protocol/request-collector.ts";
import { scanned } from "../protocol/request-scanner.ts";
import { hasBlockOption, wordsReader } from "../protocol/request-words.ts";
import type { Outcome } from "./resend.ts";
import { isReplica, joined, type Joined, type ReadPlace, type RoutedClient } from "../routing/router.ts";
import type { Run } from "./run.ts";
import { ClientScatters, type ScatteringClient } from "../cluster/client-scatters.ts";
import { runSpecial } from "../commands/special.ts";
import { dealingWith, isBig, streamedBytes, UnfinishedRequest, wholeRequestBytesMax } from "./unfinished-request.ts";
import { Unanswered } from "./unanswered.ts";
import { errorWord, type Upstream } from "./upstream.ts";

/** All clients are read into it, one after the other. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

/** Why a client's input is not being looked at. */
type Stall = "none" | "drain" | "work" | "primary" | "room" | "proof";

/** A request as big as that goes over a connection on which only big ones travel. */
const bulkBytes = 64 * 1024;
/** Of a client that came while nobody had to authenticate: it stays admitted when that changes. */
const openState: ConnectionState = { ...freshState, admitted: true };
const upstreamUnsentBytesMax = 8 * 1024 * 1024;

/**
 * One connection of the application.
 *
 * Invariant: all unanswered requests of a client are at one server connection. A request that belongs elsewhere waits
 * until they are answered. So replies come back in the order of the requests, a read never overtakes a write, and a write
 * never overtakes a read (a pipeline with a write in it goes to the primary as a whole).
 */
export class Client implements SpecialClient, RoutedClient, HubClient, ScatteringClient, BufferReader, OutputClient {
  readonly id: number;
  readonly hub: Hub;
  readonly output: ClientOutput;
  state: ConnectionState = freshState;
  closed = false;
  watching = false;
  lastWrites: Map<Shard, Generation> | undefined;
  readsAt: Map<Shard, ReadPlace> | undefined;
  readonly #socket: Socket;
  readonly #sinceMs: number;
  #lastInputMs: number;
  #key = shareKey(freshState);
  #primaryOnly = false;
  readonly #inbox = new Inbox();
  readonly #unfinished = new UnfinishedRequest();
  readonly #hold: Hold;
  readonly #unanswered = new Unanswered();
  /** With a cluster alone. */
  readonly #scatters: ClientScatters | undefined;
  #stall: Stall = "none";
  #processing = false;
  #lease: Lease | undefined;
  #recovery: Recovery | undefined;
  #ending = false;

  constructor(hub: Hub, socket: Socket) {
    this.hub = hub;
    this.id = hub.newClientId();
    this.#socket = socket;
    this.#sinceMs = this.#lastInputMs = hub.clock.monotonicMs();
    if (hub.settings.auth.kind === "open") this.state = openState;
    this.#hold = new Hold(hub, this);
    const { cluster } = hub.router;
    this.#scatters = cluster === undefined ? undefined : new ClientScatters(hub, cluster, this);
    this.output = new ClientOutput(socket, hub.outputBacklog, this);
    if (!readInto(socket, readBuffer, this)) socket.on("data", (bytes: Buffer) => this.onRead(bytes, bytes.length));
    socket.on("end", () => this.close());
    socket.on("error", () => this.close());
    socket.on("close", () => this.close());
  }

  /** Made when it is first needed: most clients never need a connection of their own. */
  get lease(): Lease {
    return (this.#lease ??= new Lease(this, this.hub));
  }
  get #free(): boolean {
    return this.#lease === undefined || this.#lease.mode === "free";
  }
  get serverId(): number | undefined {
    return this.#lease?.upstream?.serverId;
  }
  get address(): string {
    return `${this.#socket.remoteAddress ?? ""}:${this.#socket.remotePort ?? 0}`;
  }
  describe(): ClientDescription {
    const { state, hub } = this, lease = this.#lease, nowMs = hub.clock.monotonicMs();
    return {
      id: this.id, address: this.address, localAddress: `${this.#socket.localAddress ?? ""}:${this.#socket.localPort ?? 0}`, name: state.name,
      ageSeconds: Math.floor((nowMs - this.#sinceMs) / 1000), idleSeconds: Math.floor((nowMs - this.#lastInputMs) / 1000),
      type: lease?.subscribed === true ? "pubsub" : "normal", inTransaction: lease?.inTransaction ?? false, blocked: lease?.mode === "single" && lease.waits,
      db: state.db, user: state.credentials?.username ?? "default", resp: state.resp, libName: state.libName, libVersion: state.libVersion,
    };
  }
  get primaryOnly(): boolean {
    return this.#primaryOnly || (this.#recovery !== undefined && this.#recovery.attempts > 0);
  }
  get unansweredAt(): RedisNode | undefined {
    const { runs, on } = this.#unanswered;
    return runs > 0 ? on?.node : undefined;
  }

  setState(state: ConnectionState): void {
    this.state = state;
    this.#key = shareKey(state);
  }
  setPrimaryOnly(only: boolean): void {
    this.#primaryOnly = only;
  }
  noteWrite(shard: Shard, generation: Generation): void {
    if (this.hub.settings.consistency === "session") (this.lastWrites ??= new Map()).set(shard, generation);
  }
  noteRead(shard: Shard, place: ReadPlace): void {
    (this.readsAt ??= new Map()).set(shard, place);
  }

  shardFor(request: Buffer): Shard {
    const { hub } = this;
    hub.scanner.stranger = false;
    hub.scanner.scan(request, 0, request.length);
    return hub.router.shardOf(hub.planOf(hub.scanner, request), request);
  }

  /** Ends the connection at once, without a further reply. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.hub.clients.delete(this.id);
    this.#hold.left(this.waitingBytes);
    this.#unanswered.on?.disown(this);
    this.#scatters?.abandon();
    this.#lease?.abandon();
    this.output.drop();
    this.#inbox.clear();
    this.#unfinished.forget();
    this.#socket.destroy();
  }

  /** Ends the connection after what was answered has been written. */
  closeAfterOutput(): void {
    this.output.flush();
    if (this.closed) return;
    this.#socket.end();
    this.#socket.destroySoon();
    this.close();
  }

  /** For draining: ends as soon as nothing is in hand. Subscribers and blocked clients end at once. */
  endWhenIdle(): void {
    this.#ending = true;
    if (this.#idle || this.#lease?.waits === true) this.closeAfterOutput();
  }

  get #idle(): boolean {
    return this.#unanswered.runs === 0 && this.#scatters?.underWay !== true && this.#inbox.empty && this.#free;
  }

  /** Sends a reply of the ambassador's own. Nothing may be unanswered. */
  answer(bytes: Buffer): void {
    this.hub.counts.local += 1;
    if (!this.closed) this.output.write(bytes, 0, bytes.length, false);
  }

  putBack(outcomes: readonly Outcome[]): void {
    this.#inbox.putBack(outcomes);
  }

  get waitingBytes(): number {
    return this.#unfinished.bytes + this.#inbox.waitingBytes;
  }

  /** The input may be looked at again. */
  resume(): void {
    if (this.closed) return;
    this.#hold.resumed();
    this.#stall = "none";
    this.process();
  }

  /** Leaves the input alone until `resume`. */
  stallForWork(): void {
    this.#stall = "work";
  }

  // ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

  nextBuffer(): Buffer | undefined {
    return this.#unfinished.nextBuffer(readBuffer);
  }

  onRead(buffer: Buffer, count: number): void {
    if (this.closed) return;
    this.#lastInputMs = this.hub.clock.monotonicMs();
    let bytes = count === buffer.length ? buffer : buffer.subarray(0, count);
    if (this.#lease?.streaming === true) {
      // The lease keeps what it is given until it has left.
      bytes = Buffer.from(bytes);
      const used = this.#lease.stream(bytes);
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

  process(): void {
    if (this.#processing) return;
    this.#processing = true;
    while (this.#stall === "none" && !this.closed && !this.output.overfull) {
      const item = this.#inbox.first;
      if (item === undefined) break;
      if (item.kind === "requests") {
        if (!this.#consume(item)) break;
      } else if (this.#unanswered.runs > 0) {
        this.#stall = "drain";
      } else {
        this.#inbox.shift();
        this.answer(item.bytes);
        if (item.thenClose) this.closeAfterOutput();
      }
    }
    this.#processing = false;
    if (this.closed) return;
    if (this.#ending && this.#idle) this.closeAfterOutput();
    else this.adjustReading();
  }

  /** Back-pressure: a client with much in hand is not read. */
  adjustReading(): void {
    const { clientInputBytesMax } = this.hub.settings;
    const full = this.#unanswered.bytes > clientInputBytesMax || this.#lease?.full === true || this.output.overfull
      || (this.#stall !== "none" && this.waitingBytes > clientInputBytesMax);
    if (full) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Looks at the requests of one piece of input. False when it ends in an unfinished request. */
  #consume(item: RequestItem): boolean {
    const { bytes } = item, { hub } = this, { scanner, router } = hub, { segment } = router;
    if (!hub.tableKnown) {
      this.#holdWithoutTable();
      return true;
    }
    const stranger = !isAdmitted(hub.settings.auth, this.state);
    scanner.stranger = stranger;
    segment.count = 0;
    let at = item.at;
    while (at < bytes.length) {
      const found = scanner.scan(bytes, at, bytes.length);
      if (found === scanned.complete) {
        const plan = hub.planOf(scanner, bytes);
        let outcome: Joined | undefined;
        if (plan.look !== undefined && this.#free && !stranger && this.#goneAnotherWay(item, plan.look, plan, at)) return true;
        if (this.#free && !stranger && (plan.kind === "read" || plan.kind === "write" || plan.kind === "other") && !(plan.blockOption && hasBlockOption(scanner, bytes))) {
          if (this.#unanswered.isFull(segment.count)) {
            if (this.#sendSegment(item, at) && this.#stall === "none") this.#stall = "drain";
            return true;
          }
          const shard = this.#placeOf(plan, bytes);
          outcome = shard === undefined ? joined.scattered : router.join(this, shard, plan, bytes, at);
          if (outcome === joined.yes) {
            at = scanner.next;
            continue;
          }
          if (router.cluster !== undefined && this.#scatterFrom(item, at, outcome)) return true;
        }
        const next = scanner.next;
        if (!this.#sendSegment(item, at) || this.#stall !== "none") return true;
        if (outcome !== undefined) {
          item.at = at;
          this.#waitToJoin(item, outcome, next);
          return true;
        }
        this.#inbox.own(item);
        const request = item.bytes.subarray(at, next);
        this.#inbox.advance(item, next);
        runSpecial(this, plan, request, wordsReader(scanner, item.bytes));
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

  /** The shard that deals with the request in the scanner; undefined when several do, or when it takes a scatter for other reasons. */
  #placeOf(plan: CommandPlan, bytes: Buffer): Shard | undefined {
    return this.#scatters?.takesNext === true ? undefined : this.hub.router.placeOf(plan, bytes);
  }

  /** Deals with the request in the scanner when it is better not passed on as it is. False: nothing was done. */
  #goneAnotherWay(item: RequestItem, look: Look, plan: CommandPlan, at: number): boolean {
    this.#inbox.own(item);
    const { hub } = this, { bytes } = item, { next } = hub.scanner;
    const shard = this.#placeOf(plan, bytes), found = shard === undefined ? undefined : lookCloser(hub, this, look, shard, bytes);
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
    this.sentOn(upstream, request.length);
    hub.router.readSent();
    node.counts.read += 1;
    hub.counts.offloaded += 1;
    upstream.send(this, request, 0, request.length, 1, undefined).original = original;
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
    this.hub.awaitProof(() => {
      if (this.#stall === "proof") this.resume();
    });
  }

  /** Spreads the requests from the segment under way on over the shards. False when something is unanswered, or one shard will do. */
  #scatterFrom(item: RequestItem, at: number, outcome: Joined): boolean {
    const { segment } = this.hub.router;
    if (this.#unanswered.runs > 0 || (outcome !== joined.scattered && outcome !== joined.elsewhere)) return false;
    this.#inbox.own(item);
    const from = segment.count > 0 ? segment.start : at;
    segment.count = 0;
    return this.scatter(item.bytes, from, (next) => this.#inbox.advance(item, next));
  }

  /** Sends requests over as many shards as they concern. Nothing may be unanswered. */
  scatter(bytes: Buffer, from: number, onTaken: (next: number) => void, entriesMax?: number): boolean {
    const scatters = this.#scatters, next = scatters?.take(bytes, from, this.#key, entriesMax);
    if (scatters === undefined || next === undefined) return false;
    onTaken(next);
    this.stallForWork();
    scatters.start();
    return true;
  }

  scatterEnded(): void {
    if (this.#recovery !== undefined) this.#recovery.attempts = 0;
    this.resume();
  }

  get outputBacklog(): number {
    return this.#socket.writableLength;
  }
  whenOutputDrained(callback: () => void): void {
    this.output.flush();
    if (this.#socket.writableNeedDrain) this.#socket.once("drain", callback);
    else setImmediate(callback);
  }
  scatterReply(bytes: Buffer): void {
    if (!this.closed) this.output.write(bytes, 0, bytes.length, false);
  }

  /** Without a table no request can be told from another: all wait, and at last the connection is closed with an error. */
  #holdWithoutTable(): void {
    const { topology } = this.hub;
    const error = this.#hold.refusal(Math.min(topology.tableMissingSinceMs, ...topology.shards.map((shard) => shard.primaryLostAtMs)), this.waitingBytes);
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
    this.hub.router.segment.start = item.at;
    if (words.length === 0) return false;
    this.#inbox.advance(item, item.at);
    this.#inbox.addFirst(encodeRequest(words));
    return true;
  }

  /** Sends the segment that ends at `end`. False when it could not be sent: it stays in the inbox. */
  #sendSegment(item: RequestItem, end: number): boolean {
    const { hub } = this, { segment } = hub.router;
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
    this.sentOn(upstream, end - segment.start, segment.count);
    const { counts } = node;
    if (segment.node !== undefined) hub.router.readSent();
    counts.read += segment.reads;
    counts.write += segment.writes;
    counts.other += segment.count - segment.reads - segment.writes;
    const run = upstream.send(this, item.bytes, segment.start, end, segment.count, segment.generation);
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
    const bulk = bytes >= bulkBytes, { on, runs } = this.#unanswered;
    if (runs > 0 && on !== undefined) return on.node === node && on.bulk === bulk && !on.outdated ? on : undefined;
    return bulk ? this.hub.pool.bulk(node, this.state, this.#key) : this.hub.pool.shared(node, this.state, this.#key);
  }

  /** Notes that a run is on its way. */
  sentOn(upstream: Upstream, bytes: number, count = 1): void {
    this.#unanswered.sent(upstream, bytes, count);
  }

  drained(): boolean {
    if (this.#unanswered.runs === 0) return true;
    this.#stall = "drain";
    return false;
  }

  /** Keeps the requests `[start, end)` until a primary is known, or fails them when that has taken too long. */
  #holdSegment(item: RequestItem, shard: Shard, start: number, count: number, end: number): void {
    item.at = start;
    const error = this.#hold.refusal(shard.primaryLostAtMs, this.waitingBytes);
    if (error === undefined) {
      this.#park();
      return;
    }
    this.hub.counts.holdExpired += count;
    this.#inbox.advance(item, end);
    this.#inbox.replyFirst(Buffer.concat(Array.from({ length: count }, () => error)));
  }

  hold(request: Buffer, shard: Shard): void {
    const error = this.#hold.refusal(shard.primaryLostAtMs, this.waitingBytes);
    if (error === undefined) {
      this.putBack([{ kind: "again", request }]);
      this.#park();
    } else {
      this.hub.counts.holdExpired += 1;
      this.answer(error);
      this.resume();
    }
  }

  /** Waits until a primary is known again, or until the hold is over. */
  #park(): void {
    this.#stall = "primary";
    this.#hold.park(this.waitingBytes);
  }

  again(request: Buffer, reason: string): void {
    if (this.closed) return;
    this.#recover.again(request);
    this.#stall = "drain";
    this.#retry(reason);
  }

  failProtocol(text: string): void {
    this.answer(Buffer.from(`-ERR Protocol error: ${text}\r\n`, "latin1"));
    this.closeAfterOutput();
  }

  #keepTail(item: RequestItem, at: number): boolean {
    const { scanner } = this.hub;
    const rest = item.bytes.subarray(at);
    this.#inbox.shift();
    if (this.#inbox.joinWithFollowing(rest)) return true;
    const { needed } = scanner;
    if (isBig(rest.length, needed) && scanner.argc > 0) {
      const plan = this.hub.planOf(scanner, rest);
      switch (dealingWith(plan, rest.length, this.hub.router.cluster?.needsWhole(plan) === true)) {
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

  #stream(plan: CommandPlan, begun: Buffer): void {
    const { router } = this.hub, shard = router.shardOf(plan, begun);
    const mark = plan.marks === "none" || !router.marksWrites ? undefined : router.markerOf(this, shard, plan, begun);
    this.#inbox.shift();
    this.stallForWork();
    const { lease } = this;
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

  // ── Replies ──────────────────────────────────────────────────────────────────────────────────────────────────────

  replyBytes(run: Run, bytes: Buffer, start: number, end: number, runDone: boolean): boolean {
    if (this.#recovery !== undefined) this.#recovery.attempts = 0;
    const unanswered = this.#unanswered;
    unanswered.replied(end - start);
    if (runDone) unanswered.answered(run);
    const retained = this.output.write(bytes, start, end, unanswered.runs === 0 && runDone);
    if (this.output.overfull) this.#throttle();
    if (runDone && unanswered.runs === 0) this.#allAnswered();
    return retained;
  }

  slow(run: Run, durationMs: number, node: RedisNode): void {
    this.hub.noteSlow(run, Math.round(durationMs * 1000), node, this.address);
  }

  /**
   * The client does not read as fast as its replies come. Its connection is read on only as long as others wait for something
   * on it; nobody's new requests join them, and their reads are asked again elsewhere.
   */
  #throttle(): void {
    const { on: upstream, runs } = this.#unanswered;
    if (upstream === undefined || this.closed || runs === 0 || upstream.closedBecause !== undefined) return;
    if (this.#free) {
      this.hub.pool.detach(upstream);
      upstream.shedReads(this);
    }
    if (upstream.servesOnly(this)) this.output.holdBack(upstream);
  }

  outputDrained(): void {
    if (!this.closed) this.process();
  }

  tooSlow(): void {
    const { hub } = this;
    hub.counts.slowClosed += 1;
    hub.log.warn({ client: this.address, waitingBytes: this.output.waitingBytes, limit: hub.outputBacklog.allBytesMax }, "Closed a client that reads too slowly: too many replies wait for clients (limits.allClientsOutputBytes)");
    setImmediate(() => this.close()); // not amid the delivery of a reply
  }

  #allAnswered(): void {
    this.#lease?.allAnswered();
    if (this.#stall === "drain") this.resume();
    else if (this.#ending || this.#socket.isPaused()) this.process();
  }

  takesError(run: Run, word: string, frame: Uint8Array): boolean {
    const node = this.#unanswered.on?.node, lease = this.#lease;
    if (run.original === undefined && lease !== undefined && lease.mode !== "free") {
      const verdict = lease.takesError(run, word, frame);
      if (verdict === "again") this.watching = true;
      return verdict !== "pass";
    }
    const refusal = refusalOf(word, { isReplica: node !== undefined && isReplica(node), clustered: this.hub.router.cluster !== undefined });
    // What was put into another form may be refused for that form's sake, with any error.
    if (refusal === undefined && run.original === undefined) return false;
    if (node !== undefined && run.original !== undefined && word === "NOSCRIPT") this.hub.rewriter.forget(node);
    if (node !== undefined && refusal === "unfit") this.hub.topology.suspect(node, `answered ${word}`);
    this.watching = true;
    return true;
  }

  replyFrame(run: Run, frame: Buffer, refused: boolean, runDone: boolean): void {
    const node = this.#unanswered.on?.node;
    const advice = refused && node !== undefined ? this.hub.router.cluster?.refused(errorWord(frame), frame, node) : undefined;
    if (advice?.kind === "ask") this.#lease?.askNext(advice.node);
    if (advice !== undefined) this.#recover.pause(advice.pauseMs);
    if (refused && !this.watching) {
      const error = this.lease.replacement;
      this.output.write(error, 0, error.length, false);
    } else {
      this.#recover.replied(run, frame, refused);
    }
    if (!runDone) return;
    this.#unanswered.ended(run);
    if (this.#unanswered.runs > 0) return;
    if (this.watching) this.#retry("it was refused");
    else this.#allAnswered();
  }

  runsLost(runs: readonly Run[], reason: string): void {
    if (this.closed) return;
    for (const run of runs) this.#unanswered.ended(run);
    const shard = this.#unanswered.on?.node.shard;
    this.#unanswered.on = undefined;
    const fatal = this.#lease?.lost(runs, reason);
    if (fatal !== undefined || runs.some((run) => run.partial)) {
      if (fatal !== undefined && !runs.some((run) => run.partial)) this.answer(fatal);
      this.closeAfterOutput();
      return;
    }
    const recovery = this.#recover;
    recovery.lost(runs, reason);
    if (reason.includes(" refused the connection: ") && shard?.primary !== undefined && runs[0]?.replied === 0 && recovery.attempts > 0) recovery.giveUp();
    this.#retry(reason);
  }

  moved(runs: readonly Run[]): void {
    this.runsLost(runs, "a client that reads slowly keeps the connection busy");
    // It is no failure, after which the primary alone would be asked.
    if (this.#recovery !== undefined) this.#recovery.attempts -= 1;
  }

  get #recover(): Recovery {
    return (this.#recovery ??= new Recovery(this.hub));
  }

  /** Puts what was refused or lost back in front of the input, in order. */
  #retry(reason: string): void {
    this.watching = false;
    const { outcomes, pauseMs } = this.#recover.take(reason);
    this.#scatters?.refused(outcomes.filter((outcome) => outcome.kind === "again").length);
    this.putBack(outcomes);
    this.#lease?.allAnswered();
    if (this.#stall !== "none" && this.#stall !== "drain") return;
    if (pauseMs > 0) {
      this.stallForWork();
      void this.hub.clock.sleep(pauseMs).finally(() => this.resume());
    } else {
      setImmediate(() => this.resume());
    }
  }
}
