import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { commandCalls } from "../../support/redis-topology.ts";
import { commandGroups, requestsOf } from "./commands.ts";
import { startScene, type Scene, type StartedAmbassador } from "./support.ts";
import { openWire, type Place, type Wire } from "./wire.ts";

/** What differs between any two connections: their number. */
const comparable = (reply: string | undefined): string | undefined => reply?.replace(/(\$2\r\nid\r\n:)\d+/, "$1ID");

describe("through the ambassador a plain server is seen", () => {
  let scene: Scene, ambassador: StartedAmbassador, plain: Place;
  before(async () => {
    scene = await startScene();
    ambassador = await scene.ambassador();
    plain = await scene.plain();
  });
  after(async () => await scene[Symbol.asyncDispose]());

  async function prepare(place: Place, protocol: 2 | 3): Promise<Wire> {
    const wire = await openWire(place);
    await wire.ask(["FLUSHALL"], ["SCRIPT", "FLUSH"], ["FUNCTION", "FLUSH"]);
    if (protocol === 3) await wire.one("HELLO", "3");
    return wire;
  }

  async function answers(place: Place, protocol: 2 | 3, requests: readonly (readonly string[])[], pipelined: boolean): Promise<string[]> {
    await using wire = await prepare(place, protocol);
    if (pipelined) return await wire.ask(...requests);
    const replies: string[] = [];
    for (const request of requests) replies.push(await wire.one(...request));
    return replies;
  }

  for (const protocol of [2, 3] as const) {
    for (const pipelined of [false, true]) {
      for (const [name, group] of Object.entries(commandGroups)) {
        test(`${name} commands get the same bytes in RESP${protocol}${pipelined ? ", pipelined" : ""}`, async () => {
          const requests = requestsOf(group);
          const expected = await answers(plain, protocol, requests, pipelined), got = await answers(ambassador, protocol, requests, pipelined);
          assert.equal(expected.length, requests.length);
          requests.forEach((request, index) => assert.equal(comparable(got[index]), comparable(expected[index]), `${index}: ${request.join(" ")}`));
        });
      }
    }
  }

  const edge = (title: string, bytes: string, replies: number, closes: boolean): void => {
    test(`${title}: same text, connection ${closes ? "closed" : "kept"}`, async () => {
      const seen: unknown[] = [];
      for (const place of [plain, ambassador]) {
        await using wire = await openWire(place);
        wire.write(bytes);
        const got = await wire.replies(replies);
        if (closes) await wire.ended();
        else got.push(await wire.one("PING"));
        seen.push(got);
      }
      assert.deepEqual(seen[1], seen[0]);
    });
  };
  edge("an invalid multibulk length", "*3000000000\r\n", 1, true);
  edge("a multibulk length that is no number", "*x\r\n", 1, true);
  edge("a negative bulk length", "*1\r\n$-3\r\n", 1, true);
  edge("a bulk length above the limit", "*1\r\n$2000000000\r\n", 1, true);
  edge("no bulk", "*1\r\n+PING\r\n", 1, true);
  edge("unbalanced quotes", 'SET a "b\r\n', 1, true);
  edge("an endless inline request", "x".repeat(70_000), 1, true);
  edge("an endless count", `*${"1".repeat(70_000)}`, 1, true);
  edge("an HTTP request", "POST / HTTP/1.1\r\nHost: x\r\n\r\n", 0, true);
  edge("empty requests", "*0\r\n*-5\r\n\r\n\r\n", 0, false);
  edge("inline commands", "SET inline 'a b'\r\nGET inline\r\nset x \"\\x41\\n\"\r\nGET x\r\n", 4, false);
  edge("replies before a protocol error", "SET a 1\r\nGET a\r\n*1\r\n$-1\r\n", 3, true);
  edge("QUIT amid a pipeline", "PING\r\nQUIT\r\nPING\r\n", 2, true);

  test("a thousand mixed commands in one pipeline come back in order, byte for byte", async () => {
    const requests = Array.from({ length: 1000 }, (_, index): string[] => {
      const key = `key:${index % 37}`;
      return ([["SET", key, `v${index}`], ["GET", key], ["INCR", `n:${index % 5}`], ["MGET", key, "nope"], ["LPUSH", `l:${index % 3}`, `${index}`], ["LRANGE", `l:${index % 3}`, "0", "2"], ["GET", `n:${index % 5}`]] as const)[(index * 7919) % 7]?.slice() ?? [];
    });
    assert.deepEqual(await answers(ambassador, 2, requests, true), await answers(plain, 2, requests, true));
  });

  test("requests cut at every byte are put together", async () => {
    await using wire = await prepare(ambassador, 2);
    for (const byte of "*3\r\n$3\r\nSET\r\n$3\r\ncut\r\n$4\r\na\r\nb\r\n*2\r\n$3\r\nGET\r\n$3\r\ncut\r\nPING\r\n") {
      wire.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(await wire.replies(3), ["+OK\r\n", "$4\r\na\r\nb\r\n", "+PONG\r\n"]);
  });

  test("values of eight megabytes pass both ways, amid a pipeline", async () => {
    await using wire = await prepare(ambassador, 2);
    const value = "0123456789abcdef".repeat(512 * 1024);
    const [set, length, got, after] = await wire.ask(["SET", "big", value], ["STRLEN", "big"], ["GET", "big"], ["PING"]);
    assert.deepEqual([set, length, after], ["+OK\r\n", `:${value.length}\r\n`, "+PONG\r\n"]);
    assert.equal(got, `$${value.length}\r\n${value}\r\n`);
  });

  test("WATCH sees a change made over another connection", async () => {
    await using one = await prepare(ambassador, 2);
    await using two = await openWire(ambassador);
    assert.equal(await one.one("WATCH", "w"), "+OK\r\n");
    assert.equal(await two.one("SET", "w", "other"), "+OK\r\n");
    assert.deepEqual(await one.ask(["MULTI"], ["SET", "w", "mine"], ["EXEC"]), ["+OK\r\n", "+QUEUED\r\n", "*-1\r\n"]);
    assert.equal(await one.one("GET", "w"), "$5\r\nother\r\n");
  });

  test("a blocked client hinders no other and gets what is pushed", async () => {
    await using blocked = await prepare(ambassador, 2);
    await using other = await openWire(ambassador);
    const waiting = blocked.one("BLPOP", "queue", "5");
    assert.equal(await other.one("PING"), "+PONG\r\n");
    assert.equal(await other.one("RPUSH", "queue", "job"), ":1\r\n");
    assert.equal(await waiting, "*2\r\n$5\r\nqueue\r\n$3\r\njob\r\n");
    assert.equal(await blocked.one("LLEN", "queue"), ":0\r\n");
  });

  test("subscribers get messages in both protocols, and RESET makes them ordinary again", async () => {
    await using two = await prepare(ambassador, 2);
    await using three = await prepare(ambassador, 3);
    await using publisher = await openWire(ambassador);
    assert.equal(await two.one("SUBSCRIBE", "news"), "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    assert.equal(await three.one("SUBSCRIBE", "news"), ">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    assert.equal(await publisher.one("PUBLISH", "news", "hello"), ":2\r\n");
    assert.deepEqual(await two.replies(1), ["*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"]);
    assert.deepEqual(await three.replies(1), [">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"]);
    assert.equal(await two.one("RESET"), "+RESET\r\n");
    assert.equal(await two.one("SET", "after", "1"), "+OK\r\n");
  });

  test("CLIENT TRACKING tells of changed keys", async () => {
    await using tracker = await prepare(ambassador, 3);
    await using other = await openWire(ambassador);
    assert.deepEqual(await tracker.ask(["CLIENT", "TRACKING", "ON"], ["SET", "t", "1"], ["GET", "t"]), ["+OK\r\n", "+OK\r\n", "$1\r\n1\r\n"]);
    await other.one("SET", "t", "2");
    assert.deepEqual(await tracker.replies(1), [">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nt\r\n"]);
    assert.equal(await tracker.one("GET", "t"), "$1\r\n2\r\n");
  });

  test("CLIENT UNBLOCK reaches a client by the id that it was given here", async () => {
    await using blocked = await prepare(ambassador, 2);
    await using other = await openWire(ambassador);
    const id = (await blocked.one("CLIENT", "ID")).slice(1).trim();
    const waiting = blocked.one("BLPOP", "never", "10");
    let unblocked = ":0\r\n";
    for (let tries = 0; tries < 100 && unblocked === ":0\r\n"; tries += 1) unblocked = await other.one("CLIENT", "UNBLOCK", id);
    assert.equal(unblocked, ":1\r\n");
    assert.equal(await waiting, "*-1\r\n");
  });

  test("reads go to the replicas in turn and nothing else does", async () => {
    await using wire = await prepare(ambassador, 2);
    await wire.one("SET", "spread", "1");
    await scene.resetStats();
    // The first reads may still be diverted to the primary, until the replicas are proven to have the key.
    for (let index = 0; index < 100; index += 1) await wire.one("GET", "spread");
    for (let index = 0; index < 20; index += 1) await wire.ask(["SET", `w${index}`, "1"], ["GET", `w${index}`], ["INCR", "n"]);
    await wire.ask(["MULTI"], ["GET", "spread"], ["EXEC"], ["SCAN", "0"], ["DBSIZE"]);
    const [primary, first, second] = await Promise.all(scene.nodes.map(async (node) => await commandCalls(node)));
    assert.ok((first?.["get"] ?? 0) > 30 && (second?.["get"] ?? 0) > 30, `replicas got ${first?.["get"]} and ${second?.["get"]} of 100 reads`);
    assert.equal((primary?.["get"] ?? 0) + (first?.["get"] ?? 0) + (second?.["get"] ?? 0), 121);
    assert.deepEqual([primary?.["set"], primary?.["incr"], primary?.["exec"], primary?.["scan"]], [20, 20, 1, 1]);
    for (const replica of [first, second]) assert.deepEqual([replica?.["exec"], replica?.["scan"], replica?.["dbsize"]], [undefined, undefined, undefined]);
    const metrics = await ambassador.metrics();
    assert.match(metrics, new RegExp(`commands_total\\{node="redis-1:6379",class="read"\\} [1-9]`));
  });

  test("ioredis runs unchanged: pipelines, transactions, subscriptions, scripts", async () => {
    const redis = new Redis({ host: ambassador.host, port: ambassador.port }), subscriber = redis.duplicate();
    try {
      await redis.flushall();
      assert.deepEqual(await redis.pipeline().set("a", "1").get("a").incr("a").exec(), [[null, "OK"], [null, "1"], [null, 2]]);
      assert.deepEqual(await redis.multi().hset("h", "f", "v").hgetall("h").exec(), [[null, 1], [null, { f: "v" }]]);
      const message = new Promise((resolve) => subscriber.on("message", (_channel, text) => resolve(text)));
      await subscriber.subscribe("ch");
      assert.equal(await redis.publish("ch", "hi"), 1);
      assert.equal(await message, "hi");
      assert.equal(await redis.eval("return redis.call('get', KEYS[1])", 1, "a"), "2");
      await redis.select(2);
      assert.equal(await redis.get("a"), null);
    } finally {
      redis.disconnect();
      subscriber.disconnect();
    }
  });
});
