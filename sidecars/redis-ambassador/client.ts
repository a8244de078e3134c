import type { Socket } from "node:net";
import { ClientOutput } from "./client-output.ts";
import type { CommandPlan } from "./command-plan.ts";
import { freshState, shareKey, type ConnectionState } from "./connection-state.ts";
import { ambassadorErrors } from "./errors.ts";
import type { Generation } from "./fence.ts";
import type { Hub } from "./hub.ts";
import { encodeRequest, splitInline } from "./inline.ts";
import { argumentIs, visitKeys } from "./key-positions.ts";
import { Lease } from "./lease.ts";
import type { RedisNode } from "./node.ts";
import { scanned, type RequestScanner } from "./request-scanner.ts";
import { collectUnanswered, type Outcome } from "./resend.ts";
import type { Run, RunOwner } from "./run.ts";
import { runSpecial } from "./special.ts";
import type { Upstream } from "./upstream.ts";
import { hashKey } from "./write-filter.ts";

/** Requests or ready replies that still have to be dealt with, in order. */
type RequestItem = { readonly kind: "requests"; readonly bytes: Buffer; at: number };
type InboxItem = RequestItem | { readonly kind: "reply"; readonly bytes: Buffer; readonly thenClose: boolean };

/** Consecutive requests for one node; `node` is a replica, or undefined for the primary. */
type Segment = { start: number; count: number; reads: number; writes: number; node: RedisNode | undefined; generation: Generation | undefined };

/** Why a client's input is not being looked at. */
type Stall = "none" | "drain" | "work" | "primary" | "room";

/** An unfinished request above this size is passed on as it arrives, over a connection of its own. */
export const streamedBytes = 64 * 1024;
/** Requests that have to be read whole by the ambassador itself (AUTH, HELLO, …) may not be longer. */
const wholeRequestBytesMax = 1024 * 1024;
const attemptsMax = 16;
const upstreamUnsentBytesMax = 8 * 1024 * 1024;
/** Refusals that tell that nothing was executed. A replica's further reasons all mean "ask the primary instead". */
const refusals = new Set(["READONLY", "LOADING", "MASTERDOWN"]);
const replicaRefusals = new Set([...refusals, "NOSCRIPT", "NOPERM", "NOAUTH"]);

/**
 * One connection of the application.
 *
 * Invariant: all unanswered requests of a client are at one server connection. A request that belongs elsewhere waits
 * until they are answered. So replies come back in the order of the requests, a read never overtakes a write, and a write
 * never overtakes a read (a pipeline with a write in it goes to the primary as a whole).
 */
export class Client implements RunOwner {
  readonly id: number;
  readonly hub: Hub;
  readonly output: ClientOutput;
  readonly lease: Lease;
  state: ConnectionState = freshState;
  /** READWRITE was given: everything goes to the primary. */
  primaryOnly = false;
  watching = false;
  closed = false;
  lastWrite: Generation | undefined;
  readonly #socket: Socket;
  #key = shareKey(freshState);
  #inbox: InboxItem[] = [];
  /** The unfinished request at the end of the input, in pieces. */
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #tailNeeded = 0;
  #stall: Stall = "none";
  #processing = false;
  #on: Upstream | undefined;
  #unansweredRuns = 0;
  #unansweredBytes = 0;
  #attempts = 0;
  #outcomes: Outcome[] = [];
  #ending = false;
  readonly #segment: Segment = { start: 0, count: 0, reads: 0, writes: 0, node: undefined, generation: undefined };

  constructor(hub: Hub, socket: Socket) {
    this.hub = hub;
    this.id = hub.newClientId();
    this.#socket = socket;
    this.output = new ClientOutput(socket, hub.options.clientOutputBytesMax);
    this.lease = new Lease(this);
    socket.on("data", (bytes: Buffer) => this.#received(bytes));
    socket.on("end", () => this.close());
    socket.on("error", () => this.close());
    socket.on("close", () => this.close());
  }

  get unanswered(): number {
    return this.#unansweredRuns;
  }
  get address(): string {
    return `${this.#socket.remoteAddress ?? ""}:${this.#socket.remotePort ?? 0}`;
  }

  /** Ends the connection at once, without a further reply. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.hub.clients.delete(this.id);
    if (this.hub.parked.delete(this)) this.hub.heldBytes = Math.max(0, this.hub.heldBytes - this.waitingBytes);
    this.#on?.disown(this);
    this.lease.abandon();
    this.output.drop();
    this.#inbox = [];
    this.#tail = [];
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
    const idle = this.#unansweredRuns === 0 && this.#inbox.length === 0 && this.lease.mode === "free";
    if (idle || this.lease.waits) this.closeAfterOutput();
  }

  /** Sends a reply of the ambassador's own. Nothing may be unanswered. */
  answer(bytes: Buffer): void {
    this.hub.counts.local += 1;
    if (!this.closed) this.output.write(bytes, 0, bytes.length, false);
  }

  /** Puts ready replies and requests in front of what is waiting. */
  putBack(items: readonly Outcome[]): void {
    this.#inbox.unshift(...items.map((item): InboxItem => (item.kind === "again" ? { kind: "requests", bytes: item.request, at: 0 } : { kind: "reply", bytes: item.reply, thenClose: item.thenClose })));
  }

  setState(state: ConnectionState): void {
    this.state = state;
    this.#key = shareKey(state);
  }

  get waitingBytes(): number {
    let bytes = this.#tailBytes;
    for (const item of this.#inbox) bytes += item.kind === "requests" ? item.bytes.length - item.at : 0;
    return bytes;
  }

  /** The input may be looked at again. */
  resume(): void {
    if (this.closed) return;
    this.#stall = "none";
    this.process();
  }

  /** Leaves the input alone until `resume`. */
  stallForWork(): void {
    this.#stall = "work";
  }

  #received(bytes: Buffer): void {
    if (this.closed) return;
    if (this.lease.streaming) {
      const used = this.lease.stream(bytes);
      if (used === bytes.length) return;
      bytes = bytes.subarray(used);
    }
    if (this.#tail.length > 0) {
      this.#tail.push(bytes);
      this.#tailBytes += bytes.length;
      if (this.#tailBytes < this.#tailNeeded && this.#tailBytes <= streamedBytes) return;
      bytes = Buffer.concat(this.#tail, this.#tailBytes);
      this.#tail = [];
      this.#tailBytes = 0;
    }
    this.#inbox.push({ kind: "requests", bytes, at: 0 });
    this.process();
  }

  process(): void {
    if (this.#processing) return;
    this.#processing = true;
    while (this.#stall === "none" && !this.closed) {
      const item = this.#inbox[0];
      if (item === undefined) break;
      if (item.kind === "requests") {
        if (!this.#consume(item)) break;
      } else if (this.#unansweredRuns > 0) {
        this.#stall = "drain";
      } else {
        this.#inbox.shift();
        this.answer(item.bytes);
        if (item.thenClose) this.closeAfterOutput();
      }
    }
    this.#processing = false;
    if (this.closed) return;
    if (this.#ending && this.#inbox.length === 0 && this.#unansweredRuns === 0 && this.lease.mode === "free") this.closeAfterOutput();
    else this.adjustReading();
  }

  /** Back-pressure: a client with much in hand is not read. */
  adjustReading(): void {
    const full = this.#unansweredBytes > this.hub.options.clientInputBytesMax || this.lease.full
      || (this.#stall !== "none" && this.waitingBytes > this.hub.options.clientInputBytesMax);
    if (full) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Looks at the requests of one piece of input. False when it ends in an unfinished request. */
  #consume(item: RequestItem): boolean {
    const { bytes } = item, { scanner } = this.hub;
    if (!this.hub.tableKnown) {
      this.#holdWithoutTable();
      return true;
    }
    this.#segment.count = 0;
    let at = item.at;
    while (at < bytes.length) {
      const found = scanner.scan(bytes, at, bytes.length);
      if (found === scanned.complete) {
        const plan = this.hub.planOf(scanner, bytes);
        const joins = this.lease.mode === "free" && (plan.kind === "read" || plan.kind === "write" || plan.kind === "other") && !(plan.blockOption && hasBlockOption(scanner, bytes));
        if (joins && this.#join(plan, bytes, at)) {
          at = scanner.next;
          continue;
        }
        const next = scanner.next;
        if (!this.#sendSegment(item, at)) return true;
        if (this.#stall !== "none") return true;
        if (joins) {
          // It belongs to another node than what is unanswered.
          item.at = at;
          if (this.#unansweredRuns > 0) this.#stall = "drain";
          return true;
        }
        const request = bytes.subarray(at, next);
        item.at = next;
        if (next === bytes.length) this.#inbox.shift();
        runSpecial(this, plan, request, wordsReader(scanner, bytes));
        return true;
      }
      if (!this.#sendSegment(item, at)) return true;
      if (this.#stall !== "none") return true;
      if (found === scanned.incomplete) return this.#keepTail(item, at);
      if (found === scanned.failed) {
        this.#inbox = [{ kind: "reply", bytes: Buffer.from(scanner.errorText, "latin1"), thenClose: true }];
        return true;
      }
      at = scanner.next;
      item.at = at;
      if (found === scanned.inline && this.#inline(item, bytes.subarray(this.#segment.start, at))) return true;
    }
    if (this.#sendSegment(item, at) && this.#inbox[0] === item) this.#inbox.shift();
    return true;
  }

  /** Without a table no request can be told from another: all wait, and at last the connection is closed with an error. */
  #holdWithoutTable(): void {
    const error = this.#holdError();
    if (error === undefined) this.#park();
    else this.#inbox = [{ kind: "reply", bytes: error, thenClose: true }];
  }

  /** An inline request becomes an ordinary one. True when the inbox has changed. */
  #inline(item: RequestItem, line: Buffer): boolean {
    let end = line.length - 1;
    if (end > 0 && line[end - 1] === 13) end -= 1;
    const words = splitInline(line.subarray(0, end));
    if (words === undefined) {
      this.#inbox = [{ kind: "reply", bytes: Buffer.from("-ERR Protocol error: unbalanced quotes in request\r\n"), thenClose: true }];
      return true;
    }
    this.#segment.start = item.at;
    if (words.length === 0) return false;
    if (item.at === item.bytes.length) this.#inbox.shift();
    this.#inbox.unshift({ kind: "requests", bytes: encodeRequest(words), at: 0 });
    return true;
  }

  /** Adds a request to the segment under way. False: it has to wait until something is answered. */
  #join(plan: CommandPlan, bytes: Buffer, at: number): boolean {
    const segment = this.#segment, { hub } = this;
    if (segment.count === 0) {
      segment.start = at;
      segment.reads = 0;
      segment.writes = 0;
      segment.generation = undefined;
      segment.node = this.#unansweredRuns > 0 ? this.#unansweredReplica() : this.#firstNode(plan, bytes);
    }
    if (segment.node !== undefined && !(plan.kind === "read" && this.#mayRead(plan, bytes, segment.node))) {
      if (this.#unansweredRuns > 0) return false;
      segment.node = undefined;
    }
    if (plan.kind === "read") segment.reads += 1;
    else if (plan.kind === "write") segment.writes += 1;
    segment.count += 1;
    if (plan.marks !== "none" && hub.proves) segment.generation = this.mark(plan, bytes);
    return true;
  }

  /** Where a segment begins that starts with this request, when nothing is unanswered. */
  #firstNode(plan: CommandPlan, bytes: Buffer): RedisNode | undefined {
    if (plan.kind !== "read" || this.primaryOnly || this.#attempts > 0) return undefined;
    return this.hub.pickReplica(this.state, (node) => this.#mayRead(plan, bytes, node));
  }

  #unansweredReplica(): RedisNode | undefined {
    const node = this.#on?.node;
    return node === this.hub.topology.primary || node === undefined || node.facts?.role === "primary" ? undefined : node;
  }

  #mayRead(plan: CommandPlan, bytes: Buffer, node: RedisNode): boolean {
    const { hub } = this;
    if (node.notEligible !== undefined) return false;
    if (!hub.proves || (hub.fence.clear && hub.mayReadAll(node, this.lastWrite))) return true;
    if (!plan.keysKnown) return hub.mayReadAll(node, this.lastWrite);
    const { scanner } = hub;
    const args = { bytes, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd };
    let may = true;
    for (const spec of plan.keys) {
      const known = visitKeys(spec, args, (index) => {
        may &&= hub.mayRead(hashKey(bytes, args.argStart[index] ?? 0, args.argEnd[index] ?? 0), node, this.lastWrite);
      });
      if (!known) may = false;
    }
    return may;
  }

  /** Marks the keys that the request in the scanner may change; gives the generation that its run belongs to. */
  mark(plan: CommandPlan, bytes: Uint8Array): Generation {
    const { fence, scanner } = this.hub;
    const args = { bytes, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd };
    let known = plan.marks === "keys" && scanner.argc === scanner.argcTotal;
    let generation: Generation | undefined;
    for (const spec of plan.keys) {
      known = known && visitKeys(spec, args, (index) => {
        generation = fence.mark(hashKey(bytes, args.argStart[index] ?? 0, args.argEnd[index] ?? 0));
      });
    }
    // A write without any key in it is an error for the server; marking everything for it is merely cautious.
    if (!known || generation === undefined) generation = fence.markAll();
    this.lastWrite = generation;
    return generation;
  }

  /** Sends the segment that ends at `end`. False when it could not be sent: it stays in the inbox. */
  #sendSegment(item: RequestItem, end: number): boolean {
    const segment = this.#segment;
    if (segment.count === 0) {
      item.at = end;
      segment.start = end;
      return true;
    }
    const node = segment.node ?? this.hub.topology.primary;
    if (node === undefined) {
      this.#holdSegment(item, segment.start, segment.count, end);
      return false;
    }
    const upstream = this.hub.pool.shared(node, this.state, this.#key);
    this.#sent(upstream, end - segment.start);
    const { counts } = node;
    if (segment.node !== undefined) this.hub.nextTurn();
    counts.read += segment.reads;
    counts.write += segment.writes;
    counts.other += segment.count - segment.reads - segment.writes;
    upstream.send(this, item.bytes, segment.start, end, segment.count, segment.generation);
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

  /** Notes that a run is on its way. */
  #sent(upstream: Upstream, bytes: number): void {
    this.#on = upstream;
    this.#unansweredRuns += 1;
    this.#unansweredBytes += bytes;
  }
  sentOnLease(upstream: Upstream, bytes: number): void {
    this.#sent(upstream, bytes);
  }

  /** Stops the client until everything sent is answered. True when nothing is unanswered now. */
  drained(): boolean {
    if (this.#unansweredRuns === 0) return true;
    this.#stall = "drain";
    return false;
  }

  /** Keeps the requests `[start, end)` until a primary is known, or fails them when that has taken too long. */
  #holdSegment(item: RequestItem, start: number, count: number, end: number): void {
    item.at = start;
    const error = this.#holdError();
    if (error === undefined) {
      this.#park();
      return;
    }
    this.hub.counts.holdExpired += count;
    item.at = end;
    if (item.at === item.bytes.length) this.#inbox.shift();
    this.#inbox.unshift({ kind: "reply", bytes: Buffer.concat(Array.from({ length: count }, () => error)), thenClose: false });
  }

  /** The same for one request that is not in the inbox any more. */
  hold(request: Buffer): void {
    const error = this.#holdError();
    if (error === undefined) {
      this.putBack([{ kind: "again", request }]);
      this.#park();
    } else {
      this.hub.counts.holdExpired += 1;
      this.answer(error);
      this.resume();
    }
  }

  /** Why commands are not held any longer, as an error; undefined while they are. */
  #holdError(): Buffer | undefined {
    const { hub } = this, outageMs = hub.clock.monotonicMs() - hub.topology.primaryLostAtMs;
    if (outageMs >= hub.options.holdMs) return ambassadorErrors.noPrimary(Math.round(outageMs));
    return hub.heldBytes + this.waitingBytes > hub.options.heldBytesMax ? ambassadorErrors.holdFull() : undefined;
  }

  /** Waits until a primary is known again, or until the hold is over. */
  #park(): void {
    this.#stall = "primary";
    this.hub.counts.held += 1;
    this.hub.parked.add(this);
    this.hub.heldBytes += this.waitingBytes;
  }

  /** Tries one request again after its connection was lost, but not for ever. */
  again(request: Buffer, reason: string): void {
    if (this.closed) return;
    this.#outcomes.push({ kind: "again", request });
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
    const following = this.#inbox[0];
    if (following?.kind === "requests") {
      this.#inbox[0] = { kind: "requests", bytes: Buffer.concat([rest, following.bytes.subarray(following.at)]), at: 0 };
      return true;
    }
    if (rest.length > streamedBytes && scanner.argc > 0) {
      const plan = this.hub.planOf(scanner, rest);
      const mustBeWhole = plan.kind === "state" || plan.kind === "ask" || plan.kind === "local" || plan.kind === "wait" || plan.kind === "refused";
      if (!mustBeWhole) {
        this.#inbox.unshift({ kind: "requests", bytes: rest, at: 0 });
        if (this.drained()) this.#stream(plan, rest);
        return true;
      }
      if (rest.length > wholeRequestBytesMax) {
        this.#inbox = [{ kind: "reply", bytes: ambassadorErrors.requestTooBig(wholeRequestBytesMax), thenClose: true }];
        return true;
      }
    }
    this.#tail = [rest];
    this.#tailBytes = rest.length;
    this.#tailNeeded = scanner.needed;
    return false;
  }

  #stream(plan: CommandPlan, begun: Buffer): void {
    const generation = plan.marks === "none" || !this.hub.proves ? undefined : this.#markBegun(plan, begun);
    this.#inbox.shift();
    this.stallForWork();
    this.lease.beginStream(plan, generation, begun, () => {
      this.#inbox.unshift({ kind: "requests", bytes: begun, at: 0 });
      while (this.lease.streaming) {
        const item = this.#inbox[0];
        if (item?.kind !== "requests") return;
        this.#inbox.shift();
        const used = this.lease.stream(item.bytes);
        if (used < item.bytes.length) this.#inbox.unshift({ kind: "requests", bytes: item.bytes.subarray(used), at: 0 });
      }
    });
  }

  /** For a request of which only the beginning is there: its first key, if it is the only one. */
  #markBegun(plan: CommandPlan, begun: Buffer): Generation {
    const { scanner, fence } = this.hub, spec = plan.keys[0];
    const single = plan.marks === "keys" && plan.keys.length === 1 && spec?.begin.kind === "index" && spec.find.kind === "range" && spec.find.last === 0 && spec.begin.index < scanner.argc;
    const index = single ? spec.begin.index : 0;
    this.lastWrite = single ? fence.mark(hashKey(begun, scanner.argStart[index] ?? 0, scanner.argEnd[index] ?? 0)) : fence.markAll();
    return this.lastWrite;
  }

  // ── Replies ──────────────────────────────────────────────────────────────────────────────────────────────────────

  replyBytes(run: Run, bytes: Buffer, start: number, end: number, runDone: boolean): boolean {
    this.#attempts = 0;
    if (runDone) this.#answered(run);
    const retained = this.output.write(bytes, start, end, this.#unansweredRuns === 0 && runDone);
    if (this.#on !== undefined) this.output.holdBack(this.#on, this.lease.mode === "free", () => this.hub.clock.monotonicMs());
    if (runDone && this.#unansweredRuns === 0) this.#allAnswered();
    return retained;
  }

  #answered(run: Run): void {
    this.#unansweredRuns -= 1;
    this.#unansweredBytes -= run.end - run.start;
  }

  #allAnswered(): void {
    this.lease.allAnswered();
    if (this.#stall === "drain") this.resume();
    else if (this.#ending || this.#socket.isPaused()) this.process();
  }

  takesError(run: Run, word: string): boolean {
    const node = this.#on?.node;
    if (this.lease.mode !== "free") {
      const verdict = this.lease.takesError(run, word);
      if (verdict === "again") this.watching = true;
      return verdict !== "pass";
    }
    const onReplica = node !== undefined && node !== this.hub.topology.primary && node.facts?.role !== "primary";
    if (!(onReplica ? replicaRefusals : refusals).has(word)) return false;
    if (node !== undefined && refusals.has(word)) this.hub.topology.suspect(node, `answered ${word}`);
    this.watching = true;
    return true;
  }

  replyFrame(run: Run, frame: Buffer, refused: boolean, runDone: boolean): void {
    if (refused && !this.watching) {
      const error = ambassadorErrors.noConnection("the primary has changed");
      this.output.write(error, 0, error.length, false);
    } else {
      const [outcome] = collectUnanswered(this.hub, run, run.replied - 1, run.replied, () => frame);
      const again = refused || outcome?.kind === "again";
      this.#outcomes.push(again && outcome !== undefined ? { kind: "again", request: outcome.request } : { kind: "answered", request: Buffer.alloc(0), reply: frame, thenClose: false });
    }
    if (!runDone) return;
    this.#answered(run);
    if (this.#unansweredRuns > 0) return;
    if (this.watching) this.#retry("it was refused");
    else this.#allAnswered();
  }

  runsLost(runs: readonly Run[], reason: string): void {
    if (this.closed) return;
    for (const run of runs) this.#answered(run);
    this.#on = undefined;
    const fatal = this.lease.lost(runs, reason);
    if (fatal !== undefined || runs.some((run) => run.partial)) {
      if (fatal !== undefined && !runs.some((run) => run.partial)) this.answer(fatal);
      this.closeAfterOutput();
      return;
    }
    for (const run of runs) {
      this.#outcomes.push(...collectUnanswered(this.hub, run, run.replied, run.count, () => {
        this.hub.counts.uncertain += 1;
        return ambassadorErrors.uncertain(reason);
      }));
    }
    if (reason.includes(" refused the connection: ") && this.hub.topology.primary !== undefined && runs[0]?.replied === 0 && this.#attempts > 0) this.#attempts = attemptsMax;
    this.#retry(reason);
  }

  /** Puts what was refused or lost back in front of the input, in order. */
  #retry(reason: string): void {
    this.watching = false;
    this.#attempts += 1;
    const again = this.#outcomes.filter((outcome) => outcome.kind === "again").length;
    this.hub.counts.reissued += again;
    const outcomes = this.#attempts <= attemptsMax ? this.#outcomes
      : this.#outcomes.map((outcome): Outcome => (outcome.kind === "again" ? { ...outcome, kind: "answered", reply: ambassadorErrors.tooManyAttempts(reason), thenClose: false } : outcome));
    this.#outcomes = [];
    this.putBack(outcomes);
    this.lease.allAnswered();
    if (this.#stall === "none" || this.#stall === "drain") setImmediate(() => this.resume());
  }
}

function hasBlockOption(scanner: RequestScanner, bytes: Uint8Array): boolean {
  const args = { bytes, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd };
  for (let index = 1; index < scanner.argc; index += 1) {
    if (argumentIs(args, index, "STREAMS")) return false;
    if (argumentIs(args, index, "BLOCK")) return true;
    // GROUP and CONSUMER names could read "block".
    if (argumentIs(args, index, "GROUP")) index += 2;
  }
  return false;
}

/** The words of the scanned request as latin1 text, made only when somebody asks. */
function wordsReader(scanner: RequestScanner, bytes: Buffer): () => string[] {
  const { argc } = scanner;
  const starts = scanner.argStart.slice(0, argc), ends = scanner.argEnd.slice(0, argc);
  return () => starts.map((start, index) => bytes.toString("latin1", start, ends[index]));
}
