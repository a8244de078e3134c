import type { ClientOutput } from "./client-output.ts";
import type { CommandPlan } from "../commands/command-plan.ts";
import { collector } from "./collector.ts";
import { freshState, type ConnectionState } from "./connection-state.ts";
import { ambassadorErrors } from "../errors.ts";
import type { Generation } from "../routing/fence.ts";
import type { Hub } from "../hub.ts";
import { encodeRequest } from "../protocol/inline.ts";
import { endsTransaction, forwardingOf, isDemotion } from "./lease-decisions.ts";
import { LeaseMarks } from "./lease-marks.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import { clusterRefusals } from "../cluster/redirection.ts";
import { errorWord, isUnfit } from "./refusals.ts";
import { RequestTail } from "../protocol/request-tail.ts";
import type { Outcome } from "./resend.ts";
import type { Run, RunOwner } from "./run.ts";
import { boundElsewhere, crossSlot, queuedReply, ShardBinding, transactionAborted, watchFailed } from "../cluster/shard-binding.ts";
import type { RawReceiver, Upstream } from "./upstream.ts";

const asking = encodeRequest(["ASKING"]), discard = encodeRequest(["DISCARD"]);
const redoPauseMs = 20;
const nobodyWaits = (): undefined => undefined;

/**
 * How a client holds a server connection of its own:
 * - `free`         it does not
 * - `single`       for one request (blocking, WAIT, or too big for a shared connection), then it is given back
 * - `transaction`  from WATCH or MULTI to EXEC, DISCARD or UNWATCH, then it is given back
 * - `opened`      MULTI was answered, and no server knows of it, because in a cluster the first key says which one must
 * - `pinned`       until RESET or until the client leaves, because the connection now is in a state that only it has
 */
export type LeaseMode = "free" | "single" | "opened" | "transaction" | "pinned";

/** The client that a lease belongs to, as far as the lease is concerned. */
export interface LeaseHolder extends RunOwner {
  /** The number that it is known by here. */
  readonly id: number;
  readonly state: ConnectionState;
  readonly closed: boolean;
  readonly output: ClientOutput;
  setState(state: ConnectionState): void;
  /** READWRITE and READONLY: whether everything goes to the primary. */
  setPrimaryOnly(only: boolean): void;
  /** The shard that a request belongs to. */
  shardFor(request: Buffer): Shard;
  noteWrite(shard: Shard, generation: Generation): void;
  /** Notes that a run of so many bytes is on its way. */
  sentOn(upstream: Upstream, bytes: number): void;
  /** Stops the input until everything sent is answered. True when nothing is unanswered now. */
  drained(): boolean;
  /** Puts requests and ready replies in front of what is waiting. */
  putBack(items: readonly Outcome[]): void;
  /** Keeps a request until the shard has a primary, or fails it when that has taken too long. */
  hold(request: Buffer, shard: Shard): void;
  answer(bytes: Buffer): void;
  /** Sends requests to whatever shards they belong to. Nothing may be unanswered. False when they are not of that kind. */
  scatter(bytes: Buffer, from: number, onTaken: (next: number) => void, entriesMax?: number): boolean;
  stallForWork(): void;
  resume(): void;
  adjustReading(): void;
  failProtocol(text: string): void;
  closeAfterOutput(): void;
}

/** A server connection that one client has for itself. */
export class Lease implements RawReceiver {
  mode: LeaseMode = "free";
  upstream: Upstream | undefined;
  readonly #client: LeaseHolder;
  readonly #hub: Hub;
  /** With a cluster alone. */
  readonly #binding: ShardBinding | undefined;
  #multi = false;
  #subscribed = false;
  #endingRun: Run | undefined;
  #endingError: string | undefined;
  readonly #marks: LeaseMarks;
  #tail: RequestTail | undefined;
  /** The request under way blocks, and may begin its waiting anew elsewhere. Not so XREAD, which could miss what comes in between, and WAIT. */
  #waitsAgain = false;
  /** Where a cluster wants the request asked once that is to be sent again. */
  #askedAt: RedisNode | undefined;
  /** The server connection takes no more for the moment. */
  full = false;

  constructor(client: LeaseHolder, hub: Hub) {
    this.#client = client;
    this.#hub = hub;
    this.#marks = new LeaseMarks(hub, (shard, generation) => client.noteWrite(shard, generation));
    this.#binding = hub.router.cluster === undefined ? undefined : new ShardBinding(hub);
  }

  get streaming(): boolean {
    return this.#tail !== undefined;
  }
  /** Whether the client is a subscriber, as CLIENT LIST sees it. */
  get subscribed(): boolean {
    return this.#subscribed && this.mode === "pinned";
  }
  get inTransaction(): boolean {
    return this.mode === "opened" || this.#multi;
  }
  /** True while the client only waits for what others do: nothing of its own is in hand. */
  get waits(): boolean {
    return this.upstream?.raw === true || (this.mode === "single" && this.upstream?.patient === true);
  }

  /**
   * Gets a connection to the primary in the client's state. While there is no primary, `request` goes back in front of the
   * input and the client waits.
   */
  take(request: Buffer, onTaken: (upstream: Upstream) => void, shard = this.#client.shardFor(request)): void {
    const client = this.#client, hub = this.#hub, asked = this.#askedAt, primary = asked ?? shard.primary;
    this.#askedAt = undefined;
    if (primary === undefined) {
      client.hold(request, shard);
      return;
    }
    client.stallForWork();
    hub.pool.lease(primary, client.state, (upstream, reason) => {
      if (upstream !== undefined && asked !== undefined) upstream.send(collector(1, nobodyWaits, nobodyWaits), asking, 0, asking.length, 1, undefined);
      if (upstream === undefined) {
        if (this.mode === "opened") this.#letGo();
        client.answer(ambassadorErrors.noConnection(reason));
        client.resume();
      } else if (client.closed) {
        hub.pool.release(upstream);
      } else {
        onTaken(upstream);
      }
    });
  }

  /** The one request that is under way is to be asked of `node` when it is sent again, that once; undefined: of its primary. */
  askNext(node: RedisNode | undefined): void {
    if (this.mode === "single") this.#askedAt = node;
  }

  /** One request on a connection of its own. `patient`: it may take as long as it likes. */
  single(plan: CommandPlan, request: Buffer, patient: boolean): void {
    this.take(request, (upstream) => this.singleOn(upstream, plan, request, patient));
  }

  singleOn(upstream: Upstream, plan: CommandPlan, request: Buffer, patient: boolean): void {
    this.mode = "single";
    this.upstream = upstream;
    upstream.patient = patient;
    this.#waitsAgain = plan.kind === "blocking";
    // A blocked command changes its keys when it is served, so they are marked when the reply is there.
    this.#marks.add(plan, request);
    upstream.node.counts.pinned += 1;
    this.#client.sentOn(upstream, request.length);
    upstream.send(this.#client, request, 0, request.length, 1, undefined);
    this.#client.drained();
  }

  /** Begins a transaction or a pin with this request. */
  hold(mode: "transaction" | "pinned", request: Buffer): void {
    this.take(request, (upstream) => {
      this.mode = mode;
      this.upstream = upstream;
      upstream.pushesTo = this;
      this.#client.putBack([{ kind: "again", request }]);
      this.#client.resume();
    });
  }

  /** MULTI in a cluster: which server it begins at is decided by the next request. */
  open(request: Buffer): void {
    this.mode = "opened";
    this.#binding?.begin(request);
    this.#client.answer(Buffer.from("+OK\r\n"));
  }

  /** The first request after such a MULTI: begins the transaction on the shard of its key. */
  bind(plan: CommandPlan, request: Buffer): void {
    const client = this.#client, history = [...this.#binding?.history ?? []];
    if (this.#binding?.redo === true) {
      this.#redo(this.#binding, request);
      return;
    }
    if (plan.name === "reset" || plan.name === "quit") {
      this.#letGo();
      client.putBack([{ kind: "again", request }]);
      return;
    }
    this.take(request, (upstream) => {
      this.mode = "transaction";
      this.upstream = upstream;
      this.#multi = true;
      upstream.pushesTo = this;
      // A connection lost here ends the client's, as it does inside any transaction.
      const owner = collector(history.length, () => {
        client.putBack([{ kind: "again", request }]);
        client.resume();
      }, nobodyWaits);
      for (const each of history) upstream.send(owner, each, 0, each.length, 1, undefined);
    });
  }

  /** In a cluster: whether the request may go over this connection. If not, it is dealt with here. */
  #belongsHere(plan: CommandPlan, request: Buffer, upstream: Upstream): boolean {
    const binding = this.#binding, client = this.#client, transaction = this.mode === "transaction";
    if (binding === undefined) return true;
    if (plan.name === "exec" && transaction && binding.redo && !binding.aborted) {
      if (!this.#whenDrained(request)) return false;
      this.upstream = undefined;
      this.#discard(upstream);
      this.#redo(binding, request);
      return false;
    }
    const verdict = plan.name === "exec" && binding.aborted ? "elsewhere" : binding.judge(plan, request, upstream.node.shard, transaction);
    if (verdict === "here") return true;
    if (!this.#whenDrained(request)) return false;
    if (verdict === "move") {
      this.mode = "opened";
      this.upstream = undefined;
      this.#discard(upstream);
      this.bind(plan, request);
    } else if (transaction && this.#multi && plan.name === "exec") {
      this.#letGo();
      this.#discard(upstream);
      client.answer(transactionAborted);
    } else if (transaction && (this.#multi || plan.name === "watch")) {
      binding.aborted = this.#multi;
      client.answer(crossSlot);
    } else if (!client.scatter(request, 0, nobodyWaits, 1)) {
      client.answer(boundElsewhere);
    }
    return false;
  }

  /** EXEC of a transaction that a server has refused for its slot's sake: makes all of it again where the slot is now. */
  #redo(binding: ShardBinding, exec: Buffer): void {
    const client = this.#client, { clock, settings, pool, router, topology } = this.#hub, { history } = binding;
    this.mode = "opened";
    const over = (reply: Buffer): void => {
      this.#letGo();
      client.answer(reply);
      client.resume();
    };
    const sinceMs = (binding.redoSinceMs ??= clock.monotonicMs());
    if (binding.watching || history === undefined || clock.monotonicMs() - sinceMs > settings.holdMs) {
      client.stallForWork();
      over(binding.watching ? watchFailed[client.state.resp] : ambassadorErrors.noConnection("the transaction's slot is being moved to another shard"));
      return;
    }
    this.take(exec, (upstream) => {
      const owner = collector(history.length + 1, (replies) => {
        pool.release(upstream);
        const refusal = replies.find((reply) => reply[0] === 45 && clusterRefusals.has(errorWord(reply)));
        if (refusal === undefined) {
          over(replies.at(-1) ?? transactionAborted);
          return;
        }
        const advice = router.cluster?.refused(errorWord(refusal), refusal, upstream.node);
        // A slot on its way takes no transaction at either end.
        void clock.sleep(advice?.kind === "moved" ? advice.pauseMs : Math.max(advice?.pauseMs ?? 0, redoPauseMs)).finally(() => {
          if (!client.closed) this.#redo(binding, exec);
        });
      }, (reason, handed) => over(handed ? ambassadorErrors.uncertain(reason) : ambassadorErrors.noConnection(reason)));
      const generation = this.#marks.applyAdded(upstream.node.shard);
      for (const each of history) upstream.send(owner, each, 0, each.length, 1, undefined);
      upstream.send(owner, exec, 0, exec.length, 1, generation);
    }, binding.shard ?? topology.shards[0]);
  }

  /** Ends the transaction on a connection that the client does not hold any more. */
  #discard(upstream: Upstream): void {
    upstream.pushesTo = undefined;
    upstream.send(collector(1, () => this.#hub.pool.release(upstream), nobodyWaits), discard, 0, discard.length, 1, undefined);
  }

  /** A request of a client that holds a connection. */
  forward(plan: CommandPlan, request: Buffer, words: () => readonly string[]): void {
    const client = this.#client, upstream = this.upstream;
    if (upstream === undefined) return;
    switch (forwardingOf(plan, () => words().length, { raw: upstream.raw, transaction: this.mode === "transaction", multi: this.#multi, bound: this.#binding !== undefined })) {
      case "close":
        client.closeAfterOutput();
        return;
      case "reset":
        this.#reset(request, upstream);
        return;
      case "raw":
        this.#forwardRaw(plan, request, upstream);
        return;
      case "tellId":
        if (this.#whenDrained(request)) client.answer(Buffer.from(`:${client.id}\r\n`));
        return;
      case "quit":
        if (!this.#whenDrained(request)) return;
        client.answer(Buffer.from("+OK\r\n"));
        client.closeAfterOutput();
        return;
      case "refuse":
        if (this.#whenDrained(request)) client.answer(ambassadorErrors.refused(plan.name));
        return;
      case "pin":
        if (!this.#whenDrained(request)) return;
        this.mode = "pinned";
        upstream.raw = true;
        upstream.patient = true;
        // What was queued by MULTI so far is executed by an EXEC whose reply will not be recognised.
        if (this.#multi) this.#marks.holdUnprovable(upstream.node.shard);
        this.#forwardRaw(plan, request, upstream);
        return;
      case "count":
        this.#forwardCounted(plan, request, upstream, words);
    }
  }

  #whenDrained(request: Buffer): boolean {
    if (this.#client.drained()) return true;
    this.#client.putBack([{ kind: "again", request }]);
    return false;
  }

  #reset(request: Buffer, upstream: Upstream): void {
    const client = this.#client;
    if (upstream.raw) {
      client.stallForWork(); // until +RESET comes by
      upstream.sendRaw(request);
      return;
    }
    if (!this.#whenDrained(request)) return;
    this.abandon();
    client.setState(freshState);
    client.setPrimaryOnly(false);
    client.answer(Buffer.from("+RESET\r\n"));
  }

  #forwardRaw(plan: CommandPlan, request: Buffer, upstream: Upstream): void {
    if (plan.name.endsWith("subscribe") && !plan.name.includes("unsub")) this.#subscribed = true;
    if (this.#binding?.judge(plan, request, upstream.node.shard, false) === "elsewhere") {
      this.#client.answer(boundElsewhere);
      return;
    }
    if (plan.marks !== "none" || plan.name === "exec") this.#marks.holdUnprovable(upstream.node.shard);
    upstream.node.counts.pinned += 1;
    if (!upstream.sendRaw(request)) this.#waitForRoom(upstream);
  }

  #forwardCounted(plan: CommandPlan, asked: Buffer, upstream: Upstream, words: () => readonly string[]): void {
    const client = this.#client, hub = this.#hub;
    if (!this.#belongsHere(plan, asked, upstream)) return;
    const request = plan.look === undefined ? asked : hub.revived(plan.look, asked, upstream.node);
    const ends = this.mode === "transaction" && this.#noteTransaction(plan, asked, words().length === 1);
    const generation = this.#mark(plan, request, upstream.node.shard);
    if (plan.kind === "blocking" || plan.kind === "wait" || plan.blockOption || hub.topology.plansDenied) upstream.patient = true;
    upstream.node.counts.pinned += 1;
    client.sentOn(upstream, request.length);
    const run = upstream.send(client, request, 0, request.length, 1, generation);
    if (ends) {
      this.#endingRun = run;
      this.#endingError = undefined;
      client.drained();
    }
  }

  /** Whether the request ends the transaction that it belongs to, if it is accepted. */
  #noteTransaction(plan: CommandPlan, request: Buffer, alone: boolean): boolean {
    if (this.#binding !== undefined) this.#remember(this.#binding, plan, request);
    if (plan.name === "multi" && alone) this.#multi = true;
    return endsTransaction(plan.name, alone, this.#multi);
  }

  #remember(binding: ShardBinding, plan: CommandPlan, request: Buffer): void {
    if (plan.name === "watch") binding.watching = true;
    else if (this.#multi && plan.name !== "exec" && plan.name !== "discard") binding.queued(request);
  }

  #mark(plan: CommandPlan, request: Buffer, shard: Shard): Generation | undefined {
    if (this.mode === "transaction" && plan.name === "exec") return this.#marks.applyAdded(shard);
    if (this.mode !== "transaction" || !this.#multi) return this.#marks.apply(plan, request, shard);
    this.#marks.add(plan, request);
    return undefined;
  }

  // ── A big request, passed on as it arrives ───────────────────────────────────────────────────────────────────────

  /** Readies a connection for a request that is not complete; `onReady` then feeds `stream`. Nothing may be unanswered. */
  beginStream(plan: CommandPlan, mark: (() => Generation) | undefined, begun: Buffer, shard: Shard, onReady: () => void): void {
    const start = (upstream: Upstream): void => {
      this.#tail = new RequestTail();
      if (!upstream.raw) {
        this.#client.sentOn(upstream, 0);
        upstream.beginStreamed(this.#client, mark?.());
      } else if (mark !== undefined) {
        this.#marks.holdUnprovable(upstream.node.shard);
      }
      upstream.node.counts.pinned += 1;
      onReady();
    };
    if (this.upstream !== undefined) {
      start(this.upstream);
      return;
    }
    this.take(begun, (upstream) => {
      this.upstream = upstream;
      this.mode = plan.kind === "opaque" || plan.kind === "pin" ? "pinned" : "single";
      if (this.mode === "pinned") {
        upstream.pushesTo = this;
        upstream.raw = true;
      }
      upstream.patient = plan.kind === "blocking" || upstream.raw;
      start(upstream);
    }, shard);
  }

  /** Passes on what belongs to the request that is under way; gives how many bytes that were. */
  stream(bytes: Buffer): number {
    const client = this.#client, upstream = this.upstream, tail = this.#tail;
    if (upstream === undefined || tail === undefined) return 0;
    const end = tail.feed(bytes, 0, bytes.length, this.#hub.topology.bulkBytesMax);
    if (tail.failure !== undefined) {
      this.#tail = undefined;
      client.failProtocol(tail.failure);
      return bytes.length;
    }
    if (!upstream.sendRaw(end === bytes.length ? bytes : bytes.subarray(0, end))) this.#waitForRoom(upstream);
    if (tail.done) {
      this.#tail = undefined;
      if (this.mode === "single") client.drained();
      else client.resume();
    }
    return end;
  }

  #waitForRoom(upstream: Upstream): void {
    if (this.full) return;
    this.full = true;
    this.#client.adjustReading();
    upstream.whenRoom(() => {
      this.full = false;
      if (!this.#client.closed) this.#client.adjustReading();
    });
  }

  // ── What comes back ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Called when nothing of the client is unanswered. */
  allAnswered(): void {
    const upstream = this.upstream;
    if (upstream === undefined || this.#tail !== undefined) return;
    const over = this.mode === "single" || (this.mode === "transaction" && this.#endingRun !== undefined && (this.#endingError === undefined || this.#endingError === "EXECABORT"));
    this.#endingRun = undefined;
    if (!over) return;
    if (this.mode === "single") this.#marks.applyAdded(upstream.node.shard);
    this.#letGo();
    this.#hub.pool.release(upstream);
  }

  #letGo(): void {
    this.mode = "free";
    this.upstream = undefined;
    this.#multi = false;
    this.#binding?.reset();
    this.#marks.reset();
    this.#tail = undefined;
    this.full = false;
  }

  /** What to do with an error on the client's own connection. */
  takesError(run: Run, word: string, frame: Uint8Array): "again" | "replace" | "pass" {
    if (run === this.#endingRun) this.#endingError = word;
    const binding = this.#binding;
    if (binding !== undefined && (clusterRefusals.has(word) || (binding.redo && word === "EXECABORT"))) {
      if (this.mode === "transaction" && this.#multi) binding.redo = true;
      if (run !== this.#endingRun) return this.mode === "single" && run.bytes !== undefined ? "again" : "replace";
      this.#endingRun = undefined;
      return "again";
    }
    const refused = isUnfit(word) || (word === "UNBLOCKED" && this.#waitsAgain && isDemotion(frame));
    if (!refused || this.upstream === undefined) return "pass";
    this.#hub.topology.suspect(this.upstream.node, `answered ${word}`);
    return this.mode === "single" && run.bytes !== undefined ? "again" : "replace";
  }

  /** What stands for a refusal that was not passed on. */
  get replacement(): Buffer {
    // The server has checked the request before it refused it: in its right place it would have been queued.
    if (this.mode === "transaction" && this.#multi && this.#binding?.redo === true) return queuedReply;
    return ambassadorErrors.noConnection(this.#binding === undefined ? "the primary has changed" : "the primary has changed, or the key is being moved to another shard");
  }

  /** The connection is lost. Gives the error to send before the client is closed, or undefined when it can go on. */
  lost(runs: readonly Run[], reason: string): Buffer | undefined {
    const { mode } = this, cut = this.#tail !== undefined;
    this.#letGo();
    if (mode === "transaction" || mode === "pinned") return Buffer.concat(runs.flatMap((run) => Array.from({ length: run.count - run.replied }, () => ambassadorErrors.transactionLost(reason))));
    return cut ? ambassadorErrors.uncertain(reason) : undefined;
  }

  /** The client has left: its connection is in an unknown state and is not used again. */
  abandon(): void {
    const upstream = this.upstream;
    this.#letGo();
    if (upstream === undefined) return;
    upstream.pushesTo = undefined;
    upstream.disown(this.#client);
    upstream.close("its client has left");
  }

  rawBytes(bytes: Buffer, start: number, end: number): boolean {
    const { output } = this.#client, upstream = this.upstream;
    if (this.#binding !== undefined && bytes[start] === 45 && /^-(?:MOVED|ASK) /.test(bytes.toString("latin1", start, Math.min(end, start + 8)))) {
      output.write(boundElsewhere, 0, boundElsewhere.length, true);
      this.#hub.topology.refresh();
      return false;
    }
    const retained = output.write(bytes, start, end, true);
    if (upstream !== undefined && output.overfull) output.holdBack(upstream);
    return retained;
  }

  rawReset(): void {
    const client = this.#client;
    this.abandon();
    client.setState(freshState);
    client.setPrimaryOnly(false);
    client.resume();
  }

  rawLost(): void {
    if (!this.#client.closed && this.mode !== "free") this.#client.closeAfterOutput();
  }
}
