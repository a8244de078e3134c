import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FenceRunner, readRole } from "../../../sidecars/redis-ambassador/routing/fence-runner.ts";
import type { Generation } from "../../../sidecars/redis-ambassador/routing/fence.ts";
import { forgetProof, newNode, newShard, type RedisNode, type Shard } from "../../../sidecars/redis-ambassador/servers/node.ts";
import { hashKey } from "../../../sidecars/redis-ambassador/routing/write-filter.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";

const keys = 5;
const hash = (key: number): number => hashKey(Buffer.from(`key ${key}`), 0, 5);

type Request = { readonly kind: "write"; readonly key: number; readonly generation: Generation } | { readonly kind: "role"; readonly onReply: (reply: Buffer) => void; readonly onLost: () => void };
/** A connection of the ambassador: what the server has not seen yet, and what it has answered. Both in order. */
type Connection = { readonly requests: Request[]; readonly replies: { readonly request: Request; readonly reply: Buffer; /** Of a write; 0 when it was refused. */ readonly position: number; readonly history: string }[] };

const newConnection = (): Connection => ({ requests: [], replies: [] });
const roleOfPrimary = (offset: number): Buffer => Buffer.from(`*3\r\n$6\r\nmaster\r\n:${offset}\r\n*0\r\n`);
const roleOfReplica = (offset: number, state = "connected"): Buffer => Buffer.from(`*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:6379\r\n$${state.length}\r\n${state}\r\n:${offset}\r\n`);

/**
 * A primary and two replicas with the ambassador's connections to them, as simple as can be. A history is a list of writes;
 * a server is how far in it it is. Offsets are positions, made bigger by what a history began with.
 */
class World {
  readonly shard: Shard = newShard("all", 0);
  readonly runner: FenceRunner;
  /** The key that each write of the history has changed. */
  #log: number[] = [];
  #offsetBase = 1000;
  readonly #position = new Map<RedisNode, number>();
  readonly #running = new Map<RedisNode, boolean>();
  /** Two for the primary, as clients with connections of their own have; the first carries the questions. */
  readonly #connections = new Map<RedisNode, Connection[]>();
  /** For each key, the position of the last write of it that a client was told of. */
  readonly acknowledged = new Map<number, number>();

  constructor() {
    const nodes = [0, 1, 2].map((index) => newNode(this.shard, `redis-${index}`, 6379));
    this.shard.nodes = nodes;
    for (const node of nodes) {
      this.#position.set(node, 0);
      this.#running.set(node, true);
      this.#connections.set(node, [newConnection(), newConnection()]);
    }
    this.runner = new FenceRunner({
      topology: { shards: [this.shard], suspect: () => undefined }, clock: createVirtualClock(), intervalMs: 1, onProof: () => undefined,
      askRole: (node, onReply, onLost) => this.#connection(node, 0).requests.push({ kind: "role", onReply, onLost }),
    });
    this.#lead(nodes[0]);
  }

  get replicas(): RedisNode[] {
    return this.shard.nodes.filter((node) => node !== this.shard.primary);
  }
  at(index: number): RedisNode {
    const node = this.shard.nodes[index % this.shard.nodes.length];
    assert.ok(node);
    return node;
  }
  #connection(node: RedisNode, index: number): Connection {
    const connection = this.#connections.get(node)?.[index];
    assert.ok(connection);
    return connection;
  }
  /** False while its process is another one than that which the connections lead to: a read is then lost and sent elsewhere. */
  answers(node: RedisNode): boolean {
    return this.#running.get(node) === true;
  }
  positionOf(node: RedisNode): number {
    return this.#position.get(node) ?? 0;
  }

  /** What the topology does with a new primary. */
  #lead(node: RedisNode | undefined): void {
    this.shard.primary = node;
    this.shard.history = `${this.#offsetBase}`;
    for (const each of this.shard.nodes) {
      each.confirmed = each === node;
      forgetProof(each);
    }
    this.shard.fence.reset();
    this.#judge();
  }
  #judge(): void {
    for (const node of this.shard.nodes) node.notEligible = node !== this.shard.primary && node.confirmed ? undefined : "not probed";
    this.shard.eligible = this.shard.nodes.filter((node) => node.notEligible === undefined);
  }

  write(key: number, over: number): void {
    const { primary, fence } = this.shard;
    if (primary === undefined) return;
    const generation = fence.mark(hash(key));
    generation.outstanding += 1;
    this.#connection(primary, over % 2).requests.push({ kind: "write", key, generation });
  }

  /** The server deals with one request, if it has one and runs. */
  serve(node: RedisNode, over: number): void {
    const connection = this.#connection(node, over % 2);
    if (this.#running.get(node) !== true) return;
    const request = connection.requests.shift();
    if (request === undefined) return;
    const leads = node === this.shard.primary;
    const refused = request.kind === "write" && !leads;
    if (request.kind === "write" && leads) {
      this.#log.push(request.key);
      this.#position.set(node, this.#log.length);
    }
    const offset = this.#offsetBase + 10 * this.positionOf(node);
    connection.replies.push({ request, reply: leads ? roleOfPrimary(offset) : roleOfReplica(offset), position: refused ? 0 : this.positionOf(node), history: this.shard.history });
  }

  /** The ambassador reads one reply, if there is one. */
  deliver(node: RedisNode, over: number): void {
    const answered = this.#connection(node, over % 2).replies.shift();
    if (answered === undefined) return;
    const { request, reply, position, history } = answered;
    if (request.kind === "role") return request.onReply(reply);
    request.generation.outstanding -= 1;
    // What the history before had is lost or kept, and about what is told of it so late nothing is promised.
    if (history === this.shard.history) this.acknowledged.set(request.key, Math.max(position, this.acknowledged.get(request.key) ?? 0));
  }

  /** The ambassador learns that its connections to a node are gone. What the server has already read it may still execute. */
  lose(node: RedisNode, executed: number): void {
    for (const [index, connection] of (this.#connections.get(node) ?? []).entries()) {
      for (let count = 0; count < executed % 3; count += 1) this.serve(node, index);
      const lost = [...connection.replies.splice(0).map(({ request }) => request), ...connection.requests.splice(0)];
      for (const request of lost) {
        if (request.kind === "write") request.generation.outstanding -= 1;
        else request.onLost();
      }
    }
    forgetProof(node);
    if (node === this.shard.primary) for (const each of this.shard.nodes) each.confirmed = false;
    node.confirmed = false;
    this.#running.set(node, true); // a new connection reaches whatever runs by now
    this.#judge();
  }

  /** A probe finds a node well. */
  probe(node: RedisNode): void {
    if (this.#running.get(node) !== true) return;
    node.confirmed = true;
    this.#judge();
  }

  /** A replica receives some of what it lacks. */
  apply(node: RedisNode, count: number): void {
    if (node !== this.shard.primary && this.#running.get(node) === true) this.#position.set(node, Math.min(this.#log.length, this.positionOf(node) + count));
  }

  /** A replica's process ends, and starts with an older copy; the ambassador has not heard of it yet. */
  restart(node: RedisNode, back: number): void {
    if (node === this.shard.primary) return;
    this.#position.set(node, Math.max(0, this.positionOf(node) - back));
    this.#running.set(node, false); // for the connections that there are
  }

  /** A replica is promoted; what it had not received is lost, and so is every promise about it. */
  failOver(index: number): void {
    const next = this.replicas[index % 2];
    if (next === undefined || !this.answers(next)) return;
    const kept = this.positionOf(next);
    this.#log = this.#log.slice(0, kept);
    this.#offsetBase += 7;
    for (const node of this.shard.nodes) this.#position.set(node, Math.min(kept, this.positionOf(node)));
    for (const [key, position] of this.acknowledged) if (position > kept) this.acknowledged.set(key, this.#log.lastIndexOf(key) + 1);
    this.#lead(next);
  }

  /** Reads that the ambassador would send to a replica which answers, and that would give an old value. */
  get staleReads(): string[] {
    const found: string[] = [], { fence } = this.shard;
    for (const node of this.shard.eligible) {
      if (!this.answers(node)) continue;
      for (const [key, position] of this.acknowledged) {
        if (this.positionOf(node) >= position) continue;
        if (fence.canRead(hash(key), node.proof) || fence.canReadAll(node.proof)) found.push(`key ${key} at ${node.address}`);
      }
    }
    return found;
  }

  /** A server deals with all that it was sent, and the ambassador reads all replies. */
  answer(node: RedisNode): void {
    for (const over of [0, 1]) {
      if (this.answers(node)) while (this.#connection(node, over).requests.length > 0) this.serve(node, over);
      while (this.#connection(node, over).replies.length > 0) this.deliver(node, over);
    }
  }

  /** Lets everything come to rest: every server answers, every replica catches up. */
  settle(): void {
    for (let round = 0; round < 6; round += 1) {
      for (const node of this.shard.nodes) {
        if (this.#running.get(node) !== true) this.lose(node, 0);
        this.probe(node);
        this.answer(node);
        this.apply(node, 1_000_000);
      }
      this.runner.step(this.shard);
    }
  }
}

const number = fc.nat({ max: 8 });
/** What happens how often: most of the time things go well, else nothing would ever be proven. */
const shares = { write: 5, serve: 4, deliver: 4, answer: 8, step: 10, apply: 5, catchUp: 3, probe: 3, lose: 1, restart: 1, failOver: 1 };
type Happening = keyof typeof shares;
const stepsWith = (each: Readonly<Record<Happening, number>>): fc.Arbitrary<(readonly [Happening, number, number])[]> => {
  const happening = fc.oneof(...(Object.keys(shares) as Happening[]).map((what) => ({ weight: each[what], arbitrary: fc.constant(what) })));
  return fc.array(fc.tuple(happening, number, number), { minLength: 30, maxLength: 150, size: "max" });
};
/** The second has more that overtakes one another. */
const steps = fc.oneof(stepsWith(shares), stepsWith({ ...shares, serve: 16, deliver: 16, answer: 2 }));

function take(world: World, [what, one, two]: readonly [Happening, number, number]): void {
  const node = world.at(one);
  switch (what) {
    case "write": return world.write(one % keys, two);
    case "serve": return world.serve(node, two);
    case "deliver": return world.deliver(node, two);
    case "answer": return world.answer(node);
    case "apply": return world.apply(node, two);
    case "catchUp": return world.apply(node, 1_000_000);
    case "probe": return world.probe(node);
    case "lose": return world.lose(node, two);
    case "restart": return world.restart(node, two);
    case "failOver": return world.failOver(one);
    case "step": return world.runner.step(world.shard);
    default: return what satisfies never;
  }
}

/** A shard whose servers answer ROLE at once, and the runner at work on it. */
async function runFences(intervalMs: number) {
  const clock = createVirtualClock(), shard = newShard("all", 0), asked: string[] = [], stop = new AbortController();
  const primary = newNode(shard, "redis-0", 6379), replica = newNode(shard, "redis-1", 6379);
  shard.nodes = [primary, replica];
  shard.primary = primary;
  shard.eligible = [replica];
  for (const node of shard.nodes) node.confirmed = true;
  replica.notEligible = undefined;
  let offset = 1;
  const runner = new FenceRunner({
    topology: { shards: [shard], suspect: () => undefined }, clock, intervalMs, onProof: () => undefined,
    askRole: (node, onReply) => {
      asked.push(node === primary ? "primary" : "replica");
      onReply(node === primary ? roleOfPrimary((offset += 1)) : roleOfReplica(offset));
    },
  });
  const { fence } = shard;
  fence.onDirty = () => runner.wake();
  fence.onWanted = () => runner.wakeEager();
  const running = runner.run(stop.signal);
  /** How often the primary was asked while a key was written every millisecond. */
  const proofsWhileWriting = async (forMs: number, eachMs: () => void = () => undefined): Promise<number> => {
    asked.length = 0;
    for (let ms = 0; ms < forMs; ms += 1) {
      fence.mark(hash(1));
      eachMs();
      await clock.advance(1);
    }
    return asked.filter((who) => who === "primary").length;
  };
  return { clock, fence, replica, asked, proofsWhileWriting, end: async () => { stop.abort(); await running; } };
}

describe("how often proofs are made", () => {
  test("seldom while no read wants one, every interval while reads do, and seldom again afterwards", async () => {
    const { clock, fence, replica, proofsWhileWriting, end } = await runFences(5);
    await proofsWhileWriting(80); // the beginning
    const seldom = await proofsWhileWriting(400);
    const often = await proofsWhileWriting(400, () => void fence.canRead(hash(1), replica.proof));
    await proofsWhileWriting(80);
    const again = await proofsWhileWriting(400);
    assert.ok(seldom >= 9 && seldom <= 11, `${seldom} proofs in 80 intervals without reads`);
    assert.ok(often >= 75, `${often} proofs in 80 intervals with reads`);
    assert.ok(again >= 9 && again <= 11, `${again} proofs in 80 intervals without reads afterwards`);
    await clock.advance(80);
    assert.ok(fence.clear, "the last write is proven without a read too");
    await end();
  });

  test("a read that is refused a replica has its proof made within an interval", async () => {
    const { clock, fence, replica, asked, proofsWhileWriting, end } = await runFences(5);
    await proofsWhileWriting(80);
    await clock.advance(200);
    fence.mark(hash(1));
    await clock.advance(5); // at its first write it is made at once, and then seldom
    fence.mark(hash(2));
    await clock.advance(5);
    asked.length = 0;
    assert.equal(fence.canRead(hash(2), replica.proof), false);
    await clock.advance(5);
    assert.equal(asked[0], "primary");
    assert.equal(fence.canRead(hash(2), replica.proof), true);
    await end();
  });

  test("the runner ends amid a long wait", async () => {
    const { clock, fence, end } = await runFences(5);
    fence.mark(hash(1));
    await clock.advance(6);
    await end();
  });
});

describe("the fences as they are driven", () => {
  test("in no history of writes, losses, restarts and promotions may a replica answer for a write that it lacks", () => {
    fc.assert(fc.property(steps, (each) => {
      const world = new World();
      for (const [index, step] of each.entries()) {
        take(world, step);
        assert.deepEqual(world.staleReads, [], `after step ${index}: ${step.join(" ")}`);
      }
    }), { numRuns: 1500 });
  });

  test("a write that a primary still has in hand when it is replaced counts when it is the primary again", () => {
    const world = new World();
    world.write(0, 1);
    world.failOver(0);
    world.failOver(0);
    assert.equal(world.shard.primary, world.at(0));
    world.runner.step(world.shard);
    for (const node of world.replicas) world.probe(node);
    for (let round = 0; round < 3; round += 1) {
      for (const node of world.shard.nodes) world.serve(node, 0);
      for (const node of world.shard.nodes) world.deliver(node, 0);
      world.runner.step(world.shard);
    }
    world.serve(world.at(0), 1);
    world.deliver(world.at(0), 1);
    assert.deepEqual(world.staleReads, []);
    assert.ok(world.acknowledged.has(0));
  });

  test("whatever has happened, in the end every replica may answer for every key, without a further write", () => {
    fc.assert(fc.property(steps, (each) => {
      const world = new World();
      for (const step of each) take(world, step);
      world.settle();
      const { fence, eligible } = world.shard;
      assert.equal(eligible.length, 2);
      for (const node of eligible) {
        for (let key = 0; key < keys; key += 1) assert.ok(fence.canRead(hash(key), node.proof), `key ${key} at ${node.address}`);
        assert.ok(fence.canReadAll(node.proof));
      }
      assert.ok(fence.clear);
    }), { numRuns: 500 });
  });

  test("after a client's last write nothing is read at a replica that lacks it, and in the end it is", () => {
    fc.assert(fc.property(steps, (each) => {
      const world = new World();
      world.write(0, 0);
      const { shard } = world, last = shard.fence.mark(hash(0));
      world.settle();
      const wanted = world.positionOf(world.at(0));
      for (const step of each.filter(([what]) => what !== "failOver")) {
        take(world, step);
        for (const node of shard.eligible) if (world.answers(node) && shard.fence.hasPassed(last, node.proof) && world.positionOf(node) < wanted) assert.fail(`after ${step.join(" ")} at ${node.address}`);
      }
      world.settle();
      for (const node of shard.eligible) assert.ok(shard.fence.hasPassed(last, node.proof));
    }), { numRuns: 300 });
  });

  test("no bytes make an offset that is no number", () => {
    const odd = fc.constantFrom("*3\r\n$6\r\nmaster\r\n", "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:6379\r\n$9\r\nconnected\r\n", ":12", ":", "NaN", ":1e99", "\r\n", "x");
    fc.assert(fc.property(fc.array(odd, { maxLength: 4 }), (parts) => {
      const answer = readRole(Buffer.from(parts.join("")));
      assert.ok(answer === undefined || Number.isSafeInteger(answer.offset));
    }));
    assert.deepEqual(readRole(roleOfPrimary(12)), { role: "primary", offset: 12 });
    assert.deepEqual(readRole(roleOfReplica(12)), { role: "replica", offset: 12 });
    assert.deepEqual(readRole(roleOfReplica(12, "connect")), { role: "replica", offset: -1 });
  });
});
