import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { commandCalls, redisCli, type RedisNode } from "../../support/redis-topology.ts";
import { eventually } from "../../support/eventually.ts";
import { getContainerRuntimeClient } from "testcontainers";
import { startScene, type Scene, type StartedAmbassador } from "./support.ts";
import { openWire, type Place } from "./wire.ts";

async function engine(node: RedisNode): Promise<{ pause(): Promise<unknown>; unpause(): Promise<unknown>; kill(): Promise<unknown>; start(): Promise<unknown> }> {
  return (await getContainerRuntimeClient()).container.getById(node.started.getId());
}

/** Reads until told to stop; what clients saw. */
function readers(place: Place, count: number): { stop(): Promise<{ reads: number; wrong: string[]; longestMs: number }> } {
  const enough = new AbortController();
  let reads = 0, longestMs = 0;
  const wrong: string[] = [];
  const all = Promise.all(Array.from({ length: count }, async () => {
    await using wire = await openWire(place);
    while (!enough.signal.aborted) {
      const begun = performance.now();
      const reply = await wire.one("GET", "steady");
      longestMs = Math.max(longestMs, performance.now() - begun);
      reads += 1;
      if (reply !== "$1\r\n1\r\n") wrong.push(reply);
      if (wrong.length > 10) return;
    }
  }));
  return {
    async stop() {
      enough.abort();
      await all;
      return { reads, wrong, longestMs };
    },
  };
}

const settings = { PODKIT_FAILOVER_HOLD_MS: "4s", PODKIT_FAILOVER_PROBE_INTERVAL_MS: "200ms", PODKIT_FAILOVER_STUCK_AFTER_MS: "4s" };

describe("when servers fail", () => {
  let scene: Scene, ambassador: StartedAmbassador;
  const eligible = (count: number) => eventually(async () => [...(await ambassador.metrics()).matchAll(/replica_eligible\{[^}]*\} 1/g)].length === count, { timeoutMs: 30_000, what: `${count} eligible replicas` });
  /** The primary is known, and so are both replicas. */
  const whole = async (primary: RedisNode): Promise<void> => {
    await eventually(async () => (await ambassador.metrics()).includes(`primary{node="${primary.name}:6379"} 1`), { timeoutMs: 30_000, what: `${primary.name} known as the primary` });
    await eligible(2);
  };
  before(async () => {
    scene = await startScene();
    ambassador = await scene.ambassador(settings);
    await using wire = await openWire(ambassador);
    await wire.one("SET", "steady", "1");
  });
  after(async () => await scene[Symbol.asyncDispose]());

  async function readsDuring(event: () => Promise<unknown>): Promise<{ reads: number; wrong: string[]; longestMs: number }> {
    const reading = readers(ambassador, 8);
    const [, replica] = scene.nodes;
    assert.ok(replica);
    const before = (await commandCalls(replica))["get"] ?? 0;
    await eventually(async () => ((await commandCalls(replica))["get"] ?? 0) > before, { what: "reads at the replica that is about to fail" });
    await event();
    await eligible(1);
    const seen = await reading.stop();
    assert.ok(seen.reads > 100);
    return seen;
  }

  test("a killed replica costs no read, and is used again once it is back", async () => {
    const [, replica] = scene.nodes;
    assert.ok(replica);
    const container = await engine(replica);
    const seen = await readsDuring(async () => await container.kill());
    assert.deepEqual(seen.wrong, []);
    await container.start();
    await eligible(2);
  });

  test("a frozen replica costs no read and stalls none for long, and is used again once it is back", async () => {
    const [, replica] = scene.nodes;
    assert.ok(replica);
    const container = await engine(replica);
    try {
      const seen = await readsDuring(async () => await container.pause());
      assert.deepEqual(seen.wrong, []);
      assert.ok(seen.longestMs < 1500, `the longest read took ${Math.round(seen.longestMs)} ms`);
    } finally {
      await container.unpause();
    }
    await eligible(2);
  });

  test("roles swapped by hand give no READONLY to any client", async () => {
    const [first, second, third] = scene.nodes;
    assert.ok(first && second && third);
    const enough = new AbortController();
    let writes = 0;
    const wrong: string[] = [];
    const writing = (async () => {
      await using wire = await openWire(ambassador);
      while (!enough.signal.aborted) {
        const [set, got] = await wire.ask(["SET", "swapped", `${writes}`], ["GET", "swapped"]);
        if (set !== "+OK\r\n" || got?.includes("READONLY") === true) wrong.push(`${set} ${got}`);
        writes += 1;
      }
    })();
    const swap = async (from: RedisNode, to: RedisNode, other: RedisNode): Promise<void> => {
      await redisCli(to, "replicaof", "no", "one");
      await redisCli(from, "replicaof", to.name, "6379");
      await redisCli(other, "replicaof", to.name, "6379");
      await eventually(async () => (await ambassador.metrics()).includes(`primary{node="${to.name}:6379"} 1`), { what: `${to.name} taken for the primary` });
      await eligible(2);
    };
    await swap(first, second, third);
    const atSwap = writes;
    await eventually(() => writes > atSwap + 20, { what: "writes after the swap" });
    await swap(second, first, third);
    enough.abort();
    await writing;
    assert.deepEqual(wrong.filter((each) => each.includes("READONLY")), []);
    assert.deepEqual(wrong.filter((each) => !each.includes("may or may not have been executed")), []);
  });

  test("with the primary gone writes are held, go through when it is back, and fail with one clear error when it is not", async () => {
    const [primary] = scene.nodes;
    assert.ok(primary);
    const container = await engine(primary);
    await using wire = await openWire(ambassador);
    await using late = await openWire(ambassador);
    await container.kill();
    await eventually(async () => (await ambassador.metrics()).includes(`primary{node="${primary.name}:6379"} 0`), { what: "the loss noticed" });
    const held = wire.one("SET", "held", "1");
    await container.start();
    assert.equal(await held, "+OK\r\n");
    await whole(primary);
    await container.kill();
    await eventually(async () => (await ambassador.metrics()).includes(`primary{node="${primary.name}:6379"} 0`), { what: "the loss noticed" });
    assert.match(await late.one("SET", "late", "1"), /^-ERR podkit ambassador: no primary is known for \d+ ms; the command was not executed/);
    assert.match(await late.one("SET", "late", "2"), /^-ERR podkit ambassador: no primary/);
    await container.start();
    await whole(primary);
    assert.equal(await late.one("SET", "late", "3"), "+OK\r\n");
  });

  test("a write in flight on a frozen primary gets an explicit error and is not repeated", async () => {
    const [primary] = scene.nodes;
    assert.ok(primary);
    const container = await engine(primary);
    await using wire = await openWire(ambassador);
    await wire.one("SET", "counter", "0");
    await container.pause();
    let reply: string;
    try {
      reply = await wire.one("INCR", "counter");
    } finally {
      await container.unpause();
    }
    assert.match(reply, /may or may not have been executed/);
    await whole(primary);
    assert.match(await wire.one("GET", "counter"), /^\$1\r\n[01]\r\n$/);
  });

  test("a primary that is busy for longer than a probe may take is waited for", async () => {
    const [primary] = scene.nodes;
    assert.ok(primary);
    const container = await engine(primary);
    await using wire = await openWire(ambassador);
    await using other = await openWire(ambassador);
    await wire.one("SET", "busy", "0");
    await container.pause();
    const slow = wire.one("INCR", "busy");
    try {
      await eventually(async () => (await ambassador.metrics()).includes(`primary{node="${primary.name}:6379"} 0`), { what: "a probe without an answer" });
    } finally {
      await container.unpause();
    }
    const held = other.one("SET", "after-busy", "1");
    assert.equal(await slow, ":1\r\n");
    assert.equal(await held, "+OK\r\n");
    await whole(primary);
  });

  test("a client that never reads is closed, and the others are served meanwhile", async () => {
    await using other = await openWire(ambassador);
    await other.one("SET", "large", "x".repeat(1024 * 1024));
    const socket = connect({ host: ambassador.host, port: ambassador.port });
    socket.on("error", () => undefined);
    socket.pause();
    socket.write("GET large\r\n".repeat(200));
    try {
      await eventually(async () => /slow_clients_closed_total 1/.test(await ambassador.metrics()), { what: "the slow client closed" });
      assert.equal(await other.one("PING"), "+PONG\r\n");
    } finally {
      socket.destroy();
    }
  });
});
