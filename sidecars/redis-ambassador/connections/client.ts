import type { Socket } from "node:net";
import { ClientInput, type InputClient } from "./client-input.ts";
import { ClientOutput, type OutputClient } from "./client-output.ts";
import type { ClientDescription } from "../commands/client-list.ts";
import { freshState, shareKey, type ConnectionState } from "./connection-state.ts";
import type { Generation } from "../routing/fence.ts";
import type { Hub } from "../hub.ts";
import { Lease } from "./lease.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import { Recovery } from "./recovery.ts";
import { errorWord, refusalOf } from "./refusals.ts";
import type { Outcome } from "./resend.ts";
import { isReplica, type ReadPlace } from "../routing/router.ts";
import type { Run } from "./run.ts";
import { ClientScatters, type ScatteringClient } from "../cluster/client-scatters.ts";
import { Unanswered } from "./unanswered.ts";
import type { Upstream } from "./upstream.ts";

/** Of a client that came while nobody had to authenticate: it stays admitted when that changes. */
const openState: ConnectionState = { ...freshState, admitted: true };

/**
 * One connection of the application.
 *
 * Invariant: all unanswered requests of a client are at one server connection. A request that belongs elsewhere waits
 * until they are answered. So replies come back in the order of the requests, a read never overtakes a write, and a write
 * never overtakes a read (a pipeline with a write in it goes to the primary as a whole).
 */
export class Client implements InputClient, ScatteringClient, OutputClient {
  readonly id: number;
  readonly hub: Hub;
  readonly output: ClientOutput;
  state: ConnectionState = freshState;
  closed = false;
  watching = false;
  lastWrites: Map<Shard, Generation> | undefined;
  readsAt: Map<Shard, ReadPlace> | undefined;
  stateKey = shareKey(freshState);
  ownLease: Lease | undefined;
  readonly #socket: Socket;
  readonly #sinceMs: number;
  #primaryOnly = false;
  readonly #unanswered = new Unanswered();
  /** With a cluster alone. */
  readonly #scatters: ClientScatters | undefined;
  readonly #input: ClientInput;
  #recovery: Recovery | undefined;

  constructor(hub: Hub, socket: Socket) {
    this.hub = hub;
    this.id = hub.newClientId();
    this.#socket = socket;
    this.#sinceMs = hub.clock.monotonicMs();
    if (hub.settings.auth.kind === "open") this.state = openState;
    const { cluster } = hub.router;
    this.#scatters = cluster === undefined ? undefined : new ClientScatters(hub, cluster, this);
    this.output = new ClientOutput(socket, hub.outputBacklog, this);
    this.#input = new ClientInput(this, socket, this.#unanswered, this.#scatters);
    this.#input.start();
    socket.on("end", () => this.close());
    socket.on("error", () => this.close());
    socket.on("close", () => this.close());
  }

  /** Made when it is first needed: most clients never need a connection of their own. */
  get lease(): Lease {
    return (this.ownLease ??= new Lease(this, this.hub));
  }
  get free(): boolean {
    return this.ownLease === undefined || this.ownLease.mode === "free";
  }
  get serverId(): number | undefined {
    return this.ownLease?.upstream?.serverId;
  }
  get address(): string {
    return `${this.#socket.remoteAddress ?? ""}:${this.#socket.remotePort ?? 0}`;
  }
  describe(): ClientDescription {
    const { state, hub } = this, lease = this.ownLease, nowMs = hub.clock.monotonicMs();
    return {
      id: this.id, address: this.address, localAddress: `${this.#socket.localAddress ?? ""}:${this.#socket.localPort ?? 0}`, name: state.name,
      ageSeconds: Math.floor((nowMs - this.#sinceMs) / 1000), idleSeconds: Math.floor((nowMs - this.#input.lastReadMs) / 1000),
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
    this.stateKey = shareKey(state);
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
    this.#input.left();
    this.#unanswered.on?.disown(this);
    this.#scatters?.abandon();
    this.ownLease?.abandon();
    this.output.drop();
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
    this.#input.endWhenIdle();
    if (this.#input.idle || this.ownLease?.waits === true) this.closeAfterOutput();
  }

  /** Sends a reply of the ambassador's own. Nothing may be unanswered. */
  answer(bytes: Buffer): void {
    this.hub.counts.local += 1;
    if (!this.closed) this.output.write(bytes, 0, bytes.length, false);
  }

  // ── What becomes of its requests ─────────────────────────────────────────────────────────────────────────────────

  resume(): void {
    this.#input.resume();
  }
  stallForWork(): void {
    this.#input.stallForWork();
  }
  drained(): boolean {
    return this.#input.drained();
  }
  putBack(outcomes: readonly Outcome[]): void {
    this.#input.putBack(outcomes);
  }
  hold(request: Buffer, shard: Shard): void {
    this.#input.hold(request, shard);
  }
  adjustReading(): void {
    this.#input.adjustReading();
  }
  sentOn(upstream: Upstream, bytes: number): void {
    this.#unanswered.sent(upstream, bytes, 1);
  }

  scatter(bytes: Buffer, from: number, onTaken: (next: number) => void, entriesMax?: number): boolean {
    return this.#input.scatter(bytes, from, onTaken, entriesMax);
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

  again(request: Buffer, reason: string): void {
    if (this.closed) return;
    this.#recover.again(request);
    this.#input.stallUntilAnswered();
    this.#retry(reason);
  }

  failProtocol(text: string): void {
    this.answer(Buffer.from(`-ERR Protocol error: ${text}\r\n`, "latin1"));
    this.closeAfterOutput();
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
    if (this.free) {
      this.hub.pool.detach(upstream);
      upstream.shedReads(this);
    }
    if (upstream.servesOnly(this)) this.output.holdBack(upstream);
  }

  outputDrained(): void {
    if (!this.closed) this.#input.process();
  }

  tooSlow(): void {
    const { hub } = this;
    hub.counts.slowClosed += 1;
    hub.log.warn({ client: this.address, waitingBytes: this.output.waitingBytes, limit: hub.outputBacklog.allBytesMax }, "Closed a client that reads too slowly: too many replies wait for clients (limits.allClientsOutputBytes)");
    setImmediate(() => this.close()); // not amid the delivery of a reply
  }

  #allAnswered(): void {
    this.ownLease?.allAnswered();
    this.#input.allAnswered();
  }

  takesError(run: Run, word: string, frame: Uint8Array): boolean {
    const node = this.#unanswered.on?.node, lease = this.ownLease;
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
    if (advice?.kind === "ask") this.ownLease?.askNext(advice.node);
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
    const fatal = this.ownLease?.lost(runs, reason);
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
    this.ownLease?.allAnswered();
    this.#input.resumeAfter(pauseMs);
  }
}
