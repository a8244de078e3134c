import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { hashSlot } from "../../../sidecars/redis-ambassador/cluster/hash-slot.ts";
import { eventually } from "../../support/eventually.ts";
import { commandGroups, requestsOf } from "./commands.ts";
import { startConfigured, startServerBox, type ConfiguredAmbassador, type ServerBox } from "./server-box.ts";
import { openWire, type Place, type Wire } from "./wire.ts";

const primaries = [7000, 7001, 7002] as const, replicas = [7003, 7004, 7005] as const, plainPort = 7009;
/** After so long without an answer the nodes give one of them up: a stall of the machine moves nothing, but in the test of a failover. */
const patientMs = 60_000, hastyMs = 2_000;
const clusterFlags = (port: number): string[] => [
  "--cluster-enabled", "yes", "--cluster-config-file", `/tmp/nodes-${port}.conf`, "--cluster-node-timeout", String(patientMs), "--cluster-replica-validity-factor", "0", "--cluster-require-full-coverage", "no", "--repl-ping-replica-period", "1",
];
/** What a cluster's servers refuse, and what counts replicas. */
const notInCluster = /^(?:SELECT|MOVE|SWAPDB|WAIT|GET indb2|SET indb2)/;

const slotOf = (key: string): number => hashSlot(Buffer.from(key), 0, Buffer.byteLength(key));
const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const list = (replies: readonly string[]): string => `*${replies.length}\r\n${replies.join("")}`;
const comparable = (reply: string | undefined): string | undefined => reply?.replace(/(\$2\r\nid\r\n:)\d+/, "$1ID");

describe("through the ambassador a cluster is seen as one plain server", () => {
  let box: ServerBox, ambassador: ConfiguredAmbassador, place: Place, plain: Place;

  before(async () => {
    box = await startServerBox([...primaries, ...replicas, plainPort]);
    await Promise.all([...primaries, ...replicas].map(async (port) => await box.server(port, ...clusterFlags(port))));
    await box.server(plainPort);
    plain = box.place(plainPort);
    await box.cli(primaries[0], "--cluster", "create", ...[...primaries, ...replicas].map((port) => `127.0.0.1:${port}`), "--cluster-replicas", "1", "--cluster-yes");
    ambassador = await startConfigured({
      upstream: { mode: "cluster", nodes: [box.address(primaries[0]), box.address(replicas[1])], addressMap: box.addressMap },
      failover: { probeIntervalMs: "200ms", holdMs: "60s" },
    });
    await ambassador.ready();
    await eligible(3);
    place = await ambassador.place();
  });
  after(async () => {
    await ambassador[Symbol.asyncDispose]();
    await box[Symbol.asyncDispose]();
  });

  const eligible = async (count: number): Promise<void> => {
    await eventually(async () => [...(await ambassador.metrics()).matchAll(/replica_eligible\{[^}]*\} 1$/gm)].length === count, { timeoutMs: 60_000, what: `${count} readable replicas` });
  };
  const redirections = async (kind: string): Promise<number> => Number(new RegExp(`cluster_refusals_total\\{kind="${kind}"\\} (\\d+)`).exec(await ambassador.metrics())?.[1] ?? Number.NaN);

  async function answers(at: Place, protocol: 2 | 3, requests: readonly (readonly string[])[], pipelined: boolean): Promise<string[]> {
    await using wire = await openWire(at);
    await wire.ask(["FLUSHALL"], ["SCRIPT", "FLUSH"], ["FUNCTION", "FLUSH"]);
    if (protocol === 3) await wire.one("HELLO", "3");
    if (pipelined) return await wire.ask(...requests);
    const replies: string[] = [];
    for (const request of requests) replies.push(await wire.one(...request));
    return replies;
  }

  async function check(protocol: 2 | 3, requests: readonly (readonly string[])[], pipelined: boolean): Promise<void> {
    const expected = await answers(plain, protocol, requests, pipelined), got = await answers(place, protocol, requests, pipelined);
    requests.forEach((request, index) => assert.equal(comparable(got[index]), comparable(expected[index]), `${index}: ${request.join(" ").slice(0, 200)}`));
  }

  /** The requests with all their keys in one slot, so that a cluster can serve them whatever they are. */
  async function inOneSlot(requests: readonly (readonly string[])[]): Promise<string[][]> {
    await using wire = await openWire(plain);
    const replies = await wire.ask(...requests.map((request) => ["COMMAND", "GETKEYS", ...request]));
    return requests.map((request, index) => {
      const keys = new Set([...(replies[index] ?? "").matchAll(/\$\d+\r\n(.*)\r\n/g)].map(([, key]) => key));
      return request.map((word, at) => (at > 0 && (replies[index] ?? "").startsWith("*") && keys.has(word) && word !== "" ? `{one}${word}` : word));
    });
  }

  for (const protocol of [2, 3] as const) {
    for (const pipelined of [false, true]) {
      test(`every command group gets a plain server's bytes in RESP${protocol}${pipelined ? ", pipelined" : ""}, its keys in one slot`, async () => {
        for (const group of Object.values(commandGroups)) await check(protocol, await inOneSlot(requestsOf(group).filter((request) => !notInCluster.test(request.join(" ")))), pipelined);
      });
    }

    test(`commands whose keys lie in many slots are split and joined in RESP${protocol}`, async () => {
      const keys = Array.from({ length: 300 }, (_, index) => `many:${index}`);
      await check(protocol, [
        ["MSET", ...keys.flatMap((key) => [key, `value of ${key}`])], ["MGET", ...keys, "nope", "many:1", ...keys.slice(0, 3)], ["EXISTS", ...keys, "nope", "many:1"],
        ["TOUCH", ...keys], ["DBSIZE"], ["DEL", ...keys.slice(0, 100), "nope"], ["UNLINK", ...keys.slice(50, 150)], ["DBSIZE"], ["MGET", ...keys.slice(90, 160)],
        ["MSET", "odd"], ["MSET", "a", "1", "b"], ["MGET"], ["DEL"], ["FLUSHALL"], ["DBSIZE"], ["KEYS", "*"], ["RANDOMKEY"], ["SCAN", "0"], ["SCAN", "x"],
        ["SCRIPT", "LOAD", "return 7"], ["SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "4ca238f611c9d0ae4e9a75a5dbac22aedc1e44a3"], ["CONFIG", "SET", "maxmemory-policy", "noeviction"],
        ["PING"], ["CLUSTER", "INFO"], ["CLUSTER", "SLOTS"], ["HELLO"],
      ], protocol === 3);
    });
  }

  test("pipelines over all slots come back in order, byte for byte", async () => {
    let seed = 7;
    const next = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    const requests = Array.from({ length: 3000 }, (_, index): string[] => {
      const key = `k:${next(60)}`;
      switch (next(9)) {
        case 0: case 1: return ["SET", key, `${index}`];
        case 2: case 3: case 4: return ["GET", key];
        case 5: return ["MGET", key, `k:${next(60)}`, `k:${next(60)}`];
        case 6: return ["MSET", key, "m", `k:${next(60)}`, `${index}`];
        case 7: return ["DEL", key, `k:${next(60)}`];
        default: return [["APPEND", key, "x"], ["STRLEN", key], ["PING"], ["ECHO", key], ["DBSIZE"], ["LPUSH", key, "wrong"], ["EVAL", "return redis.call('get', KEYS[1])", "1", key]][next(7)] ?? [];
      }
    });
    await check(2, requests, true);
    await check(3, requests.slice(0, 600), true);
  });

  test("big values in many slots pass both ways, split and amid a pipeline", async () => {
    await using wire = await openWire(place);
    const keys = Array.from({ length: 20 }, (_, index) => `big:${index}`), value = (key: string): string => key.padEnd(90_000, "0123456789abcdef");
    const replies = await wire.ask(["MSET", ...keys.flatMap((key) => [key, value(key)])], ...keys.map((key) => ["GET", key]), ["MGET", ...keys], ["DEL", ...keys], ["PING"]);
    assert.deepEqual(replies, ["+OK\r\n", ...keys.map((key) => bulk(value(key))), list(keys.map((key) => bulk(value(key)))), `:${keys.length}\r\n`, "+PONG\r\n"]);
  });

  test("an answer joined of more than may be kept is an error, and the connection goes on", async () => {
    await using small = await startConfigured({
      upstream: { mode: "cluster", nodes: [box.address(primaries[0])], addressMap: box.addressMap }, limits: { clientOutputBytes: "64KiB", allClientsOutputBytes: "1MiB" },
    });
    await small.ready();
    await using wire = await openWire(await small.place());
    const keys = Array.from({ length: 30 }, (_, index) => `joined:${index}`), value = "v".repeat(60_000);
    await wire.ask(...keys.map((key) => ["SET", key, value]));
    assert.match(await wire.one("MGET", ...keys), /^-ERR podkit ambassador: the shards' answers together are longer than limits\.allClientsOutputBytes/);
    assert.equal(await wire.one("MGET", ...keys.slice(0, 10)), list(keys.slice(0, 10).map(() => bulk(value))));
    assert.deepEqual(await wire.ask(["DEL", ...keys], ["PING"]), [":30\r\n", "+PONG\r\n"]);
  });

  test("what no cluster can do gets the cluster's own words, and nobody is told of a cluster otherwise", async () => {
    await using wire = await openWire(place);
    const crossSlot = "-CROSSSLOT Keys in request don't hash to the same slot\r\n", aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    assert.equal(await wire.one("SINTER", "a", "b"), crossSlot);
    assert.equal(await wire.one("MSETNX", "a", "1", "b", "2"), crossSlot);
    assert.equal(await wire.one("BLPOP", "a", "b", "1"), crossSlot);
    assert.equal(await wire.one("SELECT", "1"), "-ERR SELECT is not allowed in cluster mode\r\n");
    assert.deepEqual(await wire.ask(["MULTI"], ["PING"], ["SET", "a", "1"], ["SET", "b", "1"], ["EXEC"]), ["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", crossSlot, aborted]);
    assert.deepEqual(await wire.ask(["MULTI"], ["PING"], ["SET", "b", "1"], ["EXEC"], ["GET", "b"]), ["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n+PONG\r\n+OK\r\n", "$1\r\n1\r\n"]);
    assert.deepEqual(await wire.ask(["WATCH", "b"], ["GET", "a"], ["GET", "c"], ["MULTI"], ["INCR", "b"], ["EXEC"]), ["+OK\r\n", "$-1\r\n", "$-1\r\n", "+OK\r\n", "+QUEUED\r\n", "*1\r\n:2\r\n"]);
    assert.match(await wire.one("CLIENT", "TRACKING", "ON"), /^-ERR podkit ambassador: CLIENT TRACKING is not possible/);
    assert.deepEqual(await wire.ask(["SET", "w", "1"], ["SET", "x", "1"]), ["+OK\r\n", "+OK\r\n"]);
    assert.equal(await wire.one("WAIT", "1", "5000"), ":1\r\n");
    assert.equal(await wire.one("WAIT", "5", "20"), ":1\r\n");
  });

  test("blocked clients, subscribers and channels of shards find one another", async () => {
    await using first = await openWire(place);
    await using second = await openWire(place);
    for (const key of ["queue", "queue2", "queue3"]) {
      const waiting = first.one("BLPOP", key, "5");
      assert.equal(await second.one("RPUSH", key, "job"), ":1\r\n");
      assert.equal(await waiting, list([bulk(key), bulk("job")]));
    }
    assert.match(await first.one("SUBSCRIBE", "news"), /^\*3\r\n\$9\r\nsubscribe/);
    assert.equal(await second.one("PUBLISH", "news", "hello"), ":1\r\n");
    assert.deepEqual(await first.replies(1), [list([bulk("message"), bulk("news"), bulk("hello")])]);
    for (const channel of ["one", "two", "three"]) {
      await using wire = await openWire(place);
      assert.match(await wire.one("SSUBSCRIBE", channel), /^\*3\r\n\$10\r\nssubscribe/);
      assert.equal(await second.one("SPUBLISH", channel, "hi"), ":1\r\n");
      assert.deepEqual(await wire.replies(1), [list([bulk("smessage"), bulk(channel), bulk("hi")])]);
    }
  });

  test("ioredis, as a plain client, runs unchanged: pipelines, transactions, subscriptions, scans", async () => {
    const redis = new Redis({ host: place.host, port: place.port }), subscriber = redis.duplicate();
    try {
      await redis.flushall();
      assert.deepEqual(await redis.pipeline().set("a", "1").set("b", "2").incr("a").mget("a", "b", "c").exec(), [[null, "OK"], [null, "OK"], [null, 2], [null, ["2", "2", null]]]);
      assert.deepEqual(await redis.multi().hset("h", "f", "v").hgetall("h").exec(), [[null, 1], [null, { f: "v" }]]);
      const message = new Promise((resolve) => subscriber.on("message", (_channel, text) => resolve(text)));
      await subscriber.subscribe("ch");
      assert.equal(await redis.publish("ch", "hi"), 1);
      assert.equal(await message, "hi");
      assert.equal(await redis.eval("return redis.call('get', KEYS[1])", 1, "a"), "2");
      const found: string[] = [];
      for await (const keys of redis.scanStream({ count: 1 })) for (const key of Array.isArray(keys) ? keys : []) found.push(String(key));
      assert.deepEqual(found.toSorted(), ["a", "b", "h"]);
    } finally {
      redis.disconnect();
      subscriber.disconnect();
    }
  });

  test("SCAN walks all shards and gives every key", async () => {
    await using wire = await openWire(place);
    await wire.one("FLUSHALL");
    const keys = Array.from({ length: 3000 }, (_, index) => `scan:${index}`);
    await wire.one("MSET", ...keys.flatMap((key) => [key, "1"]));
    const seen = new Set<string>();
    let cursor = "0", calls = 0;
    do {
      const reply = await wire.one("SCAN", cursor, "MATCH", "scan:*", "COUNT", "100");
      const [next = "", ...found] = [...reply.matchAll(/\$\d+\r\n(.*)\r\n/g)].map(([, text]) => text ?? "");
      assert.ok(Number.isSafeInteger(Number(next)), next);
      cursor = next;
      for (const key of found) seen.add(key);
      calls += 1;
    } while (cursor !== "0" && calls < 1000);
    assert.equal(seen.size, keys.length);
    assert.ok(calls > 10, `${calls} calls`);
    assert.equal(await wire.one("DBSIZE"), `:${keys.length}\r\n`);
  });

  test("no read gives an older value than the last write, over connections and shards", async () => {
    await using writer = await openWire(place);
    await using reader = await openWire(place);
    let stale = 0;
    const before = await readsOfReplicas();
    const replicasAnswer = async (): Promise<boolean> => (await readsOfReplicas()) > before;
    // Most of these keys are in doubt most of the time: it goes on until replicas have answered some of the reads too.
    for (let round = 0; round < 300 || (round < 30_000 && !(await replicasAnswer())); round += 1) {
      const keys = [`rw:${round % 20}`, `rw:${(round * 7) % 20}`, `rw:${(round * 11) % 20}`, `steady:${round % 50}`];
      await writer.ask(...keys.slice(0, 3).map((key) => ["SET", key, `${round}`]));
      const got = await reader.ask(...keys.map((key) => ["GET", key]), ["MGET", ...keys]);
      for (const index of [0, 1, 2]) if (got[index] !== bulk(`${round}`)) stale += 1;
      if (got[4] !== list(got.slice(0, 4))) stale += 1;
    }
    assert.equal(stale, 0);
    assert.ok(await replicasAnswer(), "replicas answer some of the reads");
  });

  async function readsOfReplicas(): Promise<number> {
    const metrics = await ambassador.metrics();
    return replicas.reduce((sum, port) => sum + Number(new RegExp(`commands_total\\{node="${box.address(port)}",class="read"\\} (\\d+)`).exec(metrics)?.[1] ?? 0), 0);
  }

  /**
   * Uses the keys of one slot in every way until told to stop; nothing but the right answers may come. Every third client
   * leaves out what a server refuses as long as the slot moves (several keys at once), and only its rounds are counted.
   */
  function loadOnSlot(tag: string, clients: number): { readonly wrong: string[]; readonly goesOn: (rounds: number) => Promise<void>; stop(): Promise<void> } {
    const wrong: string[] = [], enough = new AbortController();
    let rounds = 0;
    const all = Promise.all(Array.from({ length: clients }, async (_, client) => {
      await using wire = await openWire(place);
      const key = (name: string): string => `{${tag}}${client}:${name}`, other = `elsewhere:${client}`, simple = client % 3 === 0;
      for (let round = 1; !enough.signal.aborted && wrong.length === 0; round += 1) {
        const fresh = key(`fresh:${round}`), value = bulk(`${round}`);
        const dialogue: (readonly [request: readonly string[], reply: string])[] = [
          [["INCR", key("count")], `:${round}\r\n`], [["SET", other, `${round}`], "+OK\r\n"], [["GET", key("count")], value], [["SET", key("a"), `${round}`], "+OK\r\n"],
          ...(simple ? [] : [
            [["MSET", key("a"), `${round}`, fresh, "new"], "+OK\r\n"] as const, [["MGET", key("a"), fresh, key("count")], list([value, bulk("new"), value])] as const,
            [["MULTI"], "+OK\r\n"] as const, [["INCR", key("transactions")], "+QUEUED\r\n"] as const, [["GET", key("a")], "+QUEUED\r\n"] as const,
            [["EXEC"], list([`:${round}\r\n`, value])] as const,
            [["MGET", other, key("a")], list([value, value])] as const, [["DEL", fresh, `${other}:none`], ":1\r\n"] as const,
          ]),
          [["GET", other], value], [["GET", key("a")], value],
        ];
        const got = await wire.ask(...dialogue.map(([request]) => request)).catch((error: unknown) => [String(error)]);
        dialogue.forEach(([request, reply], index) => {
          if (got[index] !== reply) wrong.push(`${request.join(" ")}: ${got[index]} instead of ${reply}`);
        });
        const alone = await wire.one("GET", key("count"));
        if (alone !== value) wrong.push(`${round} alone: ${alone}`);
        if (simple) rounds += 1;
      }
    }));
    return {
      wrong,
      async goesOn(more) {
        const before = rounds;
        await eventually(() => rounds >= before + more || wrong.length > 0, { what: `${more} more rounds of load` });
      },
      async stop() {
        enough.abort();
        await all;
      },
    };
  }

  async function ask(wire: Wire, ...words: readonly string[]): Promise<string> {
    const reply = await wire.one(...words);
    if (reply.startsWith("-")) throw new Error(`${words.join(" ")}: ${reply}`);
    return reply;
  }

  /** Moves a slot with all its keys, as redis-cli --cluster reshard does, but slowly. */
  async function moveSlot(slot: number, from: number, to: number, betweenMoves: () => Promise<void>): Promise<void> {
    await using source = await openWire(box.place(from));
    await using target = await openWire(box.place(to));
    const idOf = async (wire: Wire): Promise<string> => (await ask(wire, "CLUSTER", "MYID")).split("\r\n")[1] ?? "";
    const sourceId = await idOf(source), targetId = await idOf(target);
    await ask(target, "CLUSTER", "SETSLOT", String(slot), "IMPORTING", sourceId);
    await ask(source, "CLUSTER", "SETSLOT", String(slot), "MIGRATING", targetId);
    for (;;) {
      const keys = [...(await ask(source, "CLUSTER", "GETKEYSINSLOT", String(slot), "3")).matchAll(/\$\d+\r\n(.*)\r\n/g)].map(([, key]) => key ?? "");
      if (keys.length === 0) break;
      await ask(source, "MIGRATE", "127.0.0.1", String(to), "", "0", "5000", "KEYS", ...keys);
      await betweenMoves();
    }
    for (const wire of [target, source]) await ask(wire, "CLUSTER", "SETSLOT", String(slot), "NODE", targetId);
  }

  const ownerOf = async (slot: number, byWordOf: number = primaries[0]): Promise<number> => {
    await using wire = await openWire(box.place(byWordOf));
    for (const [, from, to, port] of (await wire.one("CLUSTER", "SLOTS")).matchAll(/:(\d+)\r\n:(\d+)\r\n\*4\r\n\$9\r\n127\.0\.0\.1\r\n:(\d+)\r\n/g)) if (Number(from) <= slot && slot <= Number(to)) return Number(port);
    throw new Error(`Nobody owns slot ${slot}`);
  };

  test("a slot that moves under load costs no error, and nothing is done twice", async () => {
    const slot = slotOf("moving"), from = await ownerOf(slot), to = primaries.find((port) => port !== from) ?? 0;
    const kinds = ["ask", "tryagain", "moved"], before = await Promise.all(kinds.map(redirections));
    /** Whether the slot was used while it moved in the ways that a server answers with each of the redirections. */
    const allMet = async (): Promise<boolean> => (await Promise.all(kinds.map(redirections))).every((count, index) => count > (before[index] ?? 0));
    const load = loadOnSlot("moving", 6);
    try {
      await load.goesOn(20);
      for (let moves = 0; load.wrong.length === 0 && (moves < 2 || (moves < 20 && !(await allMet()))); moves += 2) {
        await moveSlot(slot, from, to, async () => await load.goesOn(2));
        await load.goesOn(50);
        await moveSlot(slot, to, from, async () => await load.goesOn(2));
        await load.goesOn(50);
      }
    } finally {
      await load.stop();
    }
    assert.deepEqual(load.wrong, []);
    assert.ok(await allMet(), `of ${kinds.join(", ")} there were ${before.join(", ")} before and ${(await Promise.all(kinds.map(redirections))).join(", ")} after`);
  });

  test("a lost primary holds the writes of its shard alone; no client hears of the failover", async () => {
    const port = await ownerOf(slotOf("lost"));
    const others: string[] = [];
    for (const key of ["a", "b", "c", "d", "e", "f"]) if ((await ownerOf(slotOf(key))) !== port) others.push(key);
    assert.ok(others.length > 0);
    const state = { stopped: false, reads: [0, 0, 0], writes: [0, 0, 0], uncertain: 0 }, wrong: string[] = [];
    const during = async (run: (wire: Wire) => Promise<void>): Promise<void> => {
      await using wire = await openWire(place);
      while (!state.stopped && wrong.length < 5) await run(wire);
    };
    const ask = async (wire: Wire, ...requests: string[][]): Promise<string[]> => await wire.ask(...requests).catch((error: unknown) => [String(error)]);
    const load = [
      ...state.reads.map(async (_, client) => await during(async (wire) => {
        const replies = await ask(wire, ...others.map((key) => ["GET", key]), ["SET", `${others[0]}`, "1"]);
        state.reads[client] = (state.reads[client] ?? 0) + 1;
        for (const reply of replies) if (!/^(?:\$-1|\$1\r\n1|\+OK)\r\n$/.test(reply)) wrong.push(reply);
      })),
      ...state.writes.map(async (_, client) => await during(async (wire) => {
        const replies = await ask(wire, ["SET", `{lost}${client}`, "1"], ["GET", `{lost}${client}`]);
        state.writes[client] = (state.writes[client] ?? 0) + 1;
        for (const reply of replies) {
          if (reply.includes("may or may not have been executed")) state.uncertain += 1;
          else if (!/^(?:\$1\r\n1|\+OK)\r\n$/.test(reply)) wrong.push(reply);
        }
      })),
    ];
    const more = async (counts: readonly number[], by: number, what: string): Promise<void> => {
      const before = [...counts];
      await eventually(() => counts.every((count, client) => count > (before[client] ?? 0) + by) || wrong.length > 0, { timeoutMs: 60_000, what });
    };
    await Promise.all([more(state.reads, 20, "reads"), more(state.writes, 20, "writes")]);
    const isPrimary = async (): Promise<boolean> => (await ambassador.metrics()).includes(`primary{node="${box.address(port)}"} 1`);
    assert.ok(await isPrimary());
    await box.kill(port);
    // The nodes are patient: for as long as the test wants nobody takes the place of the primary that was lost.
    await eventually(async () => !(await isPrimary()), { what: "the loss noticed" });
    // What was in hand then is answered once as uncertain; the next write of each client waits.
    await more(state.reads, 2, "reads");
    const held = [...state.writes];
    await more(state.reads, 50, "reads of the other shards meanwhile");
    assert.deepEqual(state.writes, held, "writes to a shard without a primary");
    const living = [...primaries, ...replicas].filter((each) => each !== port);
    const giveUpAfter = async (ms: number): Promise<void> => void await Promise.all(living.map(async (each) => await box.cli(each, "config", "set", "cluster-node-timeout", String(ms))));
    await giveUpAfter(hastyMs);
    await eventually(async () => (await ownerOf(slotOf("lost"), primaries.find((each) => each !== port))) !== port, { timeoutMs: 90_000, what: "another primary of the shard" });
    await giveUpAfter(patientMs);
    await Promise.all([more(state.writes, 20, "writes after the failover"), more(state.reads, 20, "reads after the failover")]);
    state.stopped = true;
    await Promise.all(load);
    assert.deepEqual(wrong, []);
    assert.ok(state.uncertain <= 3, `${state.uncertain} uncertain writes: each client had one in hand at most`);
    await box.server(port, ...clusterFlags(port));
    await eligible(3);
  });
});
