import type { CommandPlan } from "../commands/command-plan.ts";
import type { Advice, ClusterRouting } from "./cluster-routing.ts";
import { ambassadorErrors } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { encodeRequest } from "../protocol/inline.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import { errorWord, refusalOf } from "../connections/refusals.ts";
import { hasBlockOption } from "../protocol/request-words.ts";
import { scanned } from "../protocol/request-scanner.ts";
import { isReplica, joined, newSegment, type Joined, type RoutedClient, type Segment } from "../routing/router.ts";
import type { Run, RunOwner } from "../connections/run.ts";
import { newEntry, type Entry, type Part, type Target } from "./scatter-entry.ts";
import { hasSeveralKeys, spreadOf } from "./spread.ts";

/** A client whose requests are spread over shards. */
export interface ScatterClient extends RoutedClient {
  /** Bytes of replies that the client has not taken yet. */
  readonly outputBacklog: number;
  whenOutputDrained(callback: () => void): void;
  scatterReply(bytes: Buffer): void;
}

/** Of so many requests the replies are awaited at a time to begin with: nobody knows yet how big they are. */
export const scatterWindowAtFirst = 16;
const entriesMax = 512, requestBytesMax = 1024 * 1024, bulkBytes = 64 * 1024;
const retryMs = 20;
const asking = encodeRequest(["ASKING"]);

/** The parts that go to one node as one run. */
type Lane = { readonly shard: Shard; readonly node: RedisNode | undefined; readonly asking: boolean; readonly parts: Part[]; readonly segment: Segment; blocked: Joined };

/**
 * Consecutive requests of one client that do not all belong to one shard. Every shard gets its share in one run and in the
 * client's order, to its primary when a write is in it; the client gets its replies in the order of its requests. What was
 * refused or lost is sent again, in rounds: a round ends when all that was sent is answered or lost.
 *
 * Not promised: that shards execute their shares in the client's order among one another, and that a request cut into
 * parts is executed as one.
 */
export class Scatter {
  readonly #hub: Hub;
  readonly #cluster: ClusterRouting;
  readonly #client: ScatterClient;
  readonly #stateKey: string;
  readonly #onEnd: () => void;
  readonly #entries: Entry[] = [];
  #bytes = 0;
  #head = 0;
  #outstanding = 0;
  /** So many entries from the head on may be under way: fewer after replies have piled up, more after they have not. */
  #window: number;
  #piledUp = false;
  #buffered = 0;
  #pauseMs = 0;
  #primaryNext = false;
  /** Slots of which nothing more is sent in this round. */
  readonly #takenSlots = new Set<number>();
  #held = false;
  #ended = false;

  constructor(options: { readonly hub: Hub; readonly cluster: ClusterRouting; readonly client: ScatterClient; readonly stateKey: string; readonly window: number; readonly onEnd: () => void }) {
    this.#hub = options.hub;
    this.#cluster = options.cluster;
    this.#client = options.client;
    this.#stateKey = options.stateKey;
    this.#window = options.window;
    this.#onEnd = options.onEnd;
  }

  /** Takes requests from `bytes` on, as many as can be dealt with together; gives where the first one begins that is left. */
  take(bytes: Buffer, from: number, entriesAtMost = entriesMax): number {
    const { scanner } = this.#hub, shape = { numbered: this.#cluster.numbered, random: this.#hub.random };
    let at = from;
    while (this.#entries.length < Math.min(entriesMax, entriesAtMost) && this.#bytes < requestBytesMax && scanner.scan(bytes, at, bytes.length) === scanned.complete) {
      const plan = this.#hub.planOf(scanner, bytes);
      if (!isScattered(plan) || (plan.blockOption && hasBlockOption(scanner, bytes))) break;
      const { over } = spreadOf(plan), alone = over !== "keys" && over !== "split";
      // What concerns more than keys (PUBLISH, FLUSHALL, …) waits for what is before it, and what follows waits for it.
      if (alone && this.#entries.length > 0) break;
      const request = bytes.subarray(at, scanner.next), offset = at;
      const args = {
        bytes: request, argc: scanner.argc,
        argStart: scanner.argStart.slice(0, scanner.argc).map((start) => start - offset), argEnd: scanner.argEnd.slice(0, scanner.argc).map((end) => end - offset),
      };
      at = scanner.next;
      this.#entries.push(newEntry(plan, request, args, shape));
      this.#bytes += request.length;
      if (alone) break;
    }
    return at;
  }

  /** What the next scatter of the same client may begin with. */
  get window(): number {
    return this.#window;
  }

  get size(): number {
    return this.#entries.length;
  }

  start(): void {
    this.#cluster.counts.scattered += this.#entries.length;
    this.#deliver();
    this.#send();
  }

  /** The client has left. What is under way is answered to nobody. */
  abandon(): void {
    this.#ended = true;
    this.#release();
  }

  // ── Out ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #send(): void {
    if (this.#ended || this.#outstanding > 0) return;
    const lanes = new Map<Shard | RedisNode, Lane>();
    this.#pauseMs = 0;
    this.#takenSlots.clear();
    for (const entry of this.#entries.slice(this.#head, this.#head + this.#window)) {
      for (const part of entry.parts) if (part.reply === undefined) this.#place(part, lanes);
    }
    this.#primaryNext = false;
    // While this is above zero a reply that comes at once ends no round.
    this.#outstanding += 1;
    for (const lane of lanes.values()) if (lane.parts.length > 0) this.#sendLane(lane);
    this.#outstanding -= 1;
    this.#roundEnds();
  }

  #place(part: Part, lanes: Map<Shard | RedisNode, Lane>): void {
    const { scanner, router } = this.#hub, fixed = part.asking ?? (part.target.kind === "node" ? part.target.node : undefined);
    const shard = fixed?.shard ?? this.#shardOf(part.target), key = fixed ?? shard;
    let lane = lanes.get(key);
    if (lane === undefined) lanes.set(key, (lane = { shard, node: fixed, asking: part.asking !== undefined, parts: [], segment: newSegment(shard), blocked: joined.yes }));
    if (lane.blocked !== joined.yes || this.#mustFollow(part, shard)) return;
    scanner.stranger = false;
    scanner.scan(part.request, 0, part.request.length);
    if (fixed !== undefined) {
      lane.segment.count += 1;
      if (part.plan.marks !== "none" && router.marksWrites) lane.segment.generation = router.mark(this.#client, shard, part.plan, part.request);
    } else {
      lane.blocked = router.join(this.#careful(), shard, part.plan, part.request, 0, lane.segment);
    }
    lane.parts.push(part);
  }

  /**
   * While slots move, a request for several keys may be refused and what comes after it executed: so nothing of the same slot
   * is sent in the same round.
   */
  #mustFollow(part: Part, shard: Shard): boolean {
    if (part.target.kind !== "slot") return false;
    const { slot } = part.target;
    if (this.#takenSlots.has(slot)) return true;
    if ((part.asking !== undefined || part.refusal !== undefined || this.#cluster.isMoving(shard)) && hasSeveralKeys(part.plan)) this.#takenSlots.add(slot);
    return false;
  }

  /** After a refusal everything goes to primaries. */
  #careful(): RoutedClient {
    const client = this.#client;
    if (!this.#primaryNext || client.primaryOnly) return client;
    return {
      state: client.state, primaryOnly: true, unansweredAt: undefined, lastWrites: client.lastWrites, readsAt: client.readsAt,
      noteWrite: (shard, generation) => client.noteWrite(shard, generation), noteRead: (shard, place) => client.noteRead(shard, place),
    };
  }

  #shardOf(target: Target): Shard {
    switch (target.kind) {
      case "slot":
        // Nobody is known to own it: any node says so.
        return this.#hub.topology.shardOfSlot(target.slot) ?? this.#cluster.home;
      case "shard":
        return target.shard;
      case "node":
        return target.node.shard;
      case "home":
        return this.#cluster.home;
    }
  }

  #sendLane(lane: Lane): void {
    const hub = this.#hub, node = lane.node ?? lane.segment.node ?? lane.shard.primary;
    if (lane.blocked !== joined.yes) {
      this.#wait(lane.parts, hub.clock.monotonicMs(), (ms) => ambassadorErrors.noReplica(ms));
      return;
    }
    if (node === undefined) {
      this.#wait(lane.parts, lane.shard.primaryLostAtMs, (ms) => ambassadorErrors.noPrimary(ms));
      return;
    }
    const { segment, parts } = lane, pieces = parts.flatMap(({ request }) => (lane.asking ? [asking, request] : [request]));
    const bytes = pieces.length === 1 ? (pieces[0] ?? asking) : Buffer.concat(pieces);
    const upstream = bytes.length >= bulkBytes ? hub.pool.bulk(node, this.#client.state, this.#stateKey) : hub.pool.shared(node, this.#client.state, this.#stateKey);
    for (const part of parts) {
      part.sent = true;
      part.asking = undefined;
      part.attempts += 1;
    }
    if (segment.node !== undefined) hub.router.readSent();
    node.counts.read += segment.reads;
    node.counts.write += segment.writes;
    node.counts.other += parts.length - segment.reads - segment.writes;
    this.#outstanding += 1;
    upstream.send(this.#owner(lane, node), bytes, 0, bytes.length, pieces.length, segment.generation);
  }

  /** There is nobody to send these to; when that has been so for too long they fail. */
  #wait(parts: readonly Part[], sinceMs: number, error: (waitedMs: number) => Buffer): void {
    const hub = this.#hub, nowMs = hub.clock.monotonicMs(), full = !this.#held && hub.heldBytes + this.#cluster.heldBytes + this.#bytes > hub.settings.heldBytesMax;
    for (const part of parts) {
      part.troubleSinceMs ??= sinceMs;
      const waitedMs = nowMs - part.troubleSinceMs;
      if (full) this.#answered(part, ambassadorErrors.holdFull());
      else if (waitedMs >= hub.settings.holdMs) this.#answered(part, part.refusal ?? error(Math.round(waitedMs)));
    }
    this.#pause(retryMs);
    if (this.#held || full) return;
    this.#held = true;
    this.#cluster.heldBytes += this.#bytes;
    hub.counts.held += 1;
  }

  #pause(pauseMs: number): void {
    this.#pauseMs = Math.max(this.#pauseMs, pauseMs);
  }

  #release(): void {
    if (this.#held) this.#cluster.heldBytes -= this.#bytes;
    this.#held = false;
  }

  // ── Back ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #owner(lane: Lane, node: RedisNode): RunOwner {
    const { parts } = lane, mayDrop = parts.every(({ plan }) => plan.repeatable);
    let replies = 0;
    const laneEnds = (): void => {
      this.#outstanding -= 1;
      this.#roundEnds();
    };
    return {
      watching: true,
      takesError: () => false,
      replyBytes: () => false,
      replyFrame: (_run: Run, frame: Buffer, _refused: boolean, runDone: boolean) => {
        const index = replies;
        replies += 1;
        const part = lane.asking ? (index % 2 === 1 ? parts[index >> 1] : undefined) : parts[index];
        if (part !== undefined && !this.#ended) this.#took(part, frame, node, mayDrop);
        if (runDone) laneEnds();
      },
      runsLost: (runs: readonly Run[], reason: string) => {
        const handed = runs.some((run) => run.handed), from = lane.asking ? replies >> 1 : replies;
        if (!this.#ended) for (const part of parts.slice(from)) this.#lost(part, handed, node, reason);
        laneEnds();
      },
    };
  }

  #took(part: Part, frame: Buffer, node: RedisNode, mayDrop: boolean): void {
    const word = frame[0] === 45 ? errorWord(frame) : "";
    if (word !== "") {
      const advice = this.#cluster.refused(word, frame, node);
      if (advice !== undefined) {
        this.#redirected(part, advice, word, frame);
        return;
      }
      const refusal = refusalOf(word, { isReplica: isReplica(node), clustered: false });
      if (refusal !== undefined) {
        this.#again(part, word === "LOADING" || word === "MASTERDOWN" ? frame : undefined);
        this.#primaryNext = true;
        if (refusal === "unfit") {
          this.#pause(retryMs);
          this.#hub.topology.suspect(node, `answered ${word}`);
        }
        return;
      }
    }
    const atHead = this.#entries[this.#head]?.parts.includes(part) === true, { outputBacklog } = this.#client, limit = this.#hub.settings.clientOutputBytesMax;
    if (mayDrop && this.#buffered + outputBacklog > limit && !(atHead && outputBacklog <= limit)) {
      // Too much has come before its turn: a read is simply made again when its turn is there.
      part.sent = false;
      this.#window = this.#piledUp ? this.#window : Math.max(1, this.#window >> 3);
      this.#piledUp = true;
      return;
    }
    // What is answered already is kept until all of it is there, so a joined answer has a limit.
    const isTooMuch = mayDrop && this.#entries[this.#head]?.parts.length !== 1 && this.#buffered + frame.length > this.#hub.settings.allClientsOutputBytesMax;
    this.#answered(part, isTooMuch ? ambassadorErrors.joinedTooBig() : frame);
  }

  #redirected(part: Part, advice: Advice, word: string, frame: Buffer): void {
    // What the server itself says is an answer too when it says so for too long; a redirection never is.
    this.#again(part, word === "TRYAGAIN" || word === "CLUSTERDOWN" ? frame : undefined);
    if (advice.kind === "ask") part.asking = advice.node;
    if (advice.slot !== undefined && part.target.kind !== "shard" && part.target.kind !== "node") part.target = { kind: "slot", slot: advice.slot };
    this.#pause(advice.pauseMs);
  }

  /** The part was not executed. It is sent again, but not for ever. */
  #again(part: Part, refusal: Buffer | undefined): void {
    const hub = this.#hub, nowMs = hub.clock.monotonicMs();
    part.sent = false;
    part.refusal = refusal ?? part.refusal;
    const sinceMs = (part.troubleSinceMs ??= nowMs);
    hub.counts.reissued += 1;
    if (nowMs - sinceMs >= hub.settings.holdMs && part.attempts > 1) this.#answered(part, part.refusal ?? ambassadorErrors.tooManyAttempts("it was refused by the cluster"));
  }

  #lost(part: Part, handed: boolean, node: RedisNode, reason: string): void {
    if (part.target.kind === "node") {
      // One replica less: it is no part of the answer any more.
      this.#answered(part, Buffer.alloc(0));
      return;
    }
    if (handed && !part.plan.repeatable) {
      this.#hub.counts.uncertain += 1;
      this.#answered(part, ambassadorErrors.uncertain(reason));
      return;
    }
    this.#again(part, undefined);
    if (part.attempts > 1) this.#pause(retryMs);
    if (part.attempts > 1 && part.reply === undefined && node === node.shard.primary && reason.includes(" refused the connection: ")) this.#answered(part, ambassadorErrors.noConnection(reason));
  }

  #answered(part: Part, reply: Buffer): void {
    part.reply = reply;
    part.sent = false;
    this.#buffered += reply.length;
    this.#deliver();
  }

  /** Gives the client what is complete from the head on. */
  #deliver(): void {
    for (;;) {
      const entry = this.#entries[this.#head];
      if (entry === undefined || !entry.parts.every(({ reply }) => reply !== undefined)) return;
      const replies = entry.parts.flatMap(({ reply }) => (reply === undefined || reply.length === 0 ? [] : [reply]));
      for (const reply of replies) this.#buffered -= reply.length;
      const result = entry.finish(replies);
      if (!Buffer.isBuffer(result)) {
        entry.parts = result;
        return;
      }
      this.#head += 1;
      this.#client.scatterReply(result);
    }
  }

  #roundEnds(): void {
    if (this.#ended || this.#outstanding > 0) return;
    if (!this.#piledUp) this.#window = Math.min(entriesMax, this.#window * 2);
    this.#piledUp = false;
    if (this.#head === this.#entries.length) {
      this.#ended = true;
      this.#release();
      this.#onEnd();
      return;
    }
    const { clock, settings } = this.#hub, next = (): void => this.#send();
    if (this.#client.outputBacklog > settings.clientOutputBytesMax) this.#client.whenOutputDrained(next);
    else if (this.#pauseMs > 0) void clock.sleep(this.#pauseMs).finally(next);
    else setImmediate(next);
  }
}

/** Whether a request of this kind can be sent over a connection that many share. */
export function isScattered(plan: CommandPlan): boolean {
  return plan.kind === "read" || plan.kind === "write" || plan.kind === "other" || plan.kind === "reload";
}
