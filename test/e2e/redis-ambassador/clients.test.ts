import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { createClient, createClientPool, defineScript, WatchError } from "redis";
import { eventually } from "../../support/eventually.ts";
import { serverKinds, startPair, type PairScene } from "./pair-scene.ts";

// What applications do every day with the two libraries that most of them use, with no setting but the address.

for (const { image, title } of serverKinds) {
  describe(`clients run unchanged through the ambassador before ${title}`, () => {
    let scene: PairScene;
    before(async () => {
      scene = await startPair(image);
    });
    after(async () => await scene[Symbol.asyncDispose]());

    for (const protocol of [2, 3] as const) {
      describe(`ioredis in RESP${protocol}`, () => {
        let redis: Redis;
        const others: Redis[] = [];
        const another = (): Redis => {
          const made = redis.duplicate();
          others.push(made);
          return made;
        };
        before(async () => {
          redis = new Redis({ host: scene.through.host, port: scene.through.port, protocol });
          await redis.flushall();
        });
        after(() => {
          for (const each of [redis, ...others]) each.disconnect();
        });

        test("commands, pipelines and transactions", async () => {
          assert.equal(await redis.set("a", "1", "EX", 100, "NX"), "OK");
          assert.deepEqual(await redis.pipeline().set("a", "1").get("a").incr("a").hset("h", { f: "v", g: "w" }).hgetall("h").lpop("h").exec().then((all) => all?.slice(0, 5)), [[null, "OK"], [null, "1"], [null, 2], [null, 2], [null, { f: "v", g: "w" }]]);
          assert.deepEqual(await redis.multi().incr("a").get("a").exec(), [[null, 3], [null, "3"]]);
          await assert.rejects(redis.multi().incr("a").call("nosuch").exec(), /EXECABORT/);
          assert.deepEqual(await redis.mget("a", "none"), ["3", null]);
          assert.deepEqual(await redis.getBuffer("a"), Buffer.from("3"));
          await assert.rejects(redis.lpush("a", "x"), /WRONGTYPE/);
          assert.equal(await redis.zadd("z", "1.5", "m", "2", "n"), 2);
          assert.equal(Number(await redis.zscore("z", "m")), 1.5);
          assert.deepEqual(await redis.zrange("z", "0", "-1"), ["m", "n"]);
        });

        test("WATCH, and a transaction that another connection spoils", async () => {
          const other = another();
          await redis.watch("w");
          await other.set("w", "theirs");
          assert.equal(await redis.multi().set("w", "mine").exec(), null);
          await redis.watch("w");
          assert.deepEqual(await redis.multi().set("w", "mine").exec(), [[null, "OK"]]);
          assert.equal(await other.get("w"), "mine");
        });

        test("subscriptions to channels, patterns and shards", async () => {
          // ioredis loses count of its own when ordinary and sharded subscriptions share a connection.
          const subscriber = another(), sharded = another(), heard: string[] = [];
          subscriber.on("message", (channel: string, text: string) => heard.push(`${channel}=${text}`));
          subscriber.on("pmessage", (pattern: string, channel: string, text: string) => heard.push(`${pattern}:${channel}=${text}`));
          sharded.on("smessage", (channel: string, text: string) => heard.push(`shard ${channel}=${text}`));
          assert.equal(await subscriber.subscribe("one", "two"), 2);
          assert.equal(await subscriber.psubscribe("t*"), 3);
          assert.equal(await sharded.ssubscribe("shard"), 1);
          assert.equal(await redis.publish("two", "hello"), 2);
          assert.equal(await redis.spublish("shard", "hi"), 1);
          await eventually(() => heard.length === 3, { what: "three messages" });
          assert.deepEqual(heard.toSorted(), ["shard shard=hi", "t*:two=hello", "two=hello"]);
          await subscriber.unsubscribe("one", "two");
          await subscriber.punsubscribe("t*");
          await sharded.sunsubscribe("shard");
          assert.deepEqual(await Promise.all([subscriber.get("none"), sharded.get("none")]), [null, null]);
        });

        test("scripts, by text and by digest, and functions", async () => {
          redis.defineCommand("incremented", { numberOfKeys: 1, lua: "return redis.call('incrby', KEYS[1], ARGV[1])" });
          const incremented = async (): Promise<unknown> => (await redis.pipeline([["incremented", "counter", "5"]]).exec())?.[0]?.[1];
          assert.equal(await incremented(), 5);
          assert.equal(await incremented(), 10);
          await redis.script("FLUSH");
          assert.equal(await incremented(), 15);
          await redis.function("LOAD", "REPLACE", "#!lua name=mine\nredis.register_function{function_name='mine', callback=function(keys) return redis.call('get', keys[1]) end, flags={'no-writes'}}");
          assert.equal(await redis.fcall("mine", 1, "counter"), "15");
          assert.equal(await redis.fcall_ro("mine", 1, "counter"), "15");
        });

        test("streams with a consumer group, blocking reads and blocking pops", async () => {
          const reader = another();
          await redis.xgroup("CREATE", "orders", "workers", "$", "MKSTREAM");
          const read = reader.xreadgroup("GROUP", "workers", "w1", "COUNT", "10", "BLOCK", "5000", "STREAMS", "orders", ">");
          const id = await redis.xadd("orders", "*", "item", "tea");
          assert.deepEqual(asPairs(await read), [["orders", [[id, ["item", "tea"]]]]]);
          assert.equal(await redis.xack("orders", "workers", id ?? ""), 1);
          const popped = reader.blpop("jobs", 5);
          await redis.rpush("jobs", "job");
          assert.deepEqual(await popped, ["jobs", "job"]);
          assert.equal(await reader.blpop("jobs", 0.01), null);
        });

        test("iterating by SCAN, and other databases", async () => {
          await redis.flushdb();
          await redis.mset(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`key:${index}`, "x"])));
          const seen = new Set<string>();
          for await (const keys of redis.scanStream({ match: "key:*", count: 50 })) for (const key of keys as string[]) seen.add(key);
          assert.equal(seen.size, 500);
          await redis.select(3);
          assert.equal(await redis.get("key:1"), null);
          await redis.select(0);
          assert.equal(await redis.get("key:1"), "x");
        });

        test("coming back after the connection was ended, subscriptions and all", async () => {
          const victim = another(), killer = another(), heard: string[] = [];
          victim.on("message", (_channel: string, text: string) => heard.push(text));
          await victim.subscribe("news");
          assert.ok(await killer.client("ID") > 0);
          assert.ok(Number(await killer.call("CLIENT", "KILL", "TYPE", "pubsub")) >= 1);
          await eventually(async () => {
            await killer.publish("news", "again");
            return heard.length > 0;
          }, { what: "a message after the connection came back" });
        });
      });

      describe(`node-redis in RESP${protocol}`, () => {
        const scripts = { addTo: defineScript({ SCRIPT: "return redis.call('incrby', KEYS[1], ARGV[1])", NUMBER_OF_KEYS: 1, parseCommand(parser, key: string, by: number) {
          parser.pushKey(key);
          parser.push(String(by));
        }, transformReply: (reply: number) => reply }) };
        const made = () => createClient({ url: `redis://${scene.through.host}:${scene.through.port}`, RESP: protocol, scripts }).on("error", () => undefined);
        let client: ReturnType<typeof made>;
        before(async () => {
          client = await made().connect();
          await client.flushAll();
        });
        after(() => client.destroy());

        test("commands, pipelines of one turn, and transactions", async () => {
          assert.equal(await client.set("a", "1", { expiration: { type: "EX", value: 100 }, condition: "NX" }), "OK");
          const [more, value, fields, hash, values] = await Promise.all([client.incr("a"), client.get("a"), client.hSet("h", { f: "v", g: "w" }), client.hGetAll("h"), client.mGet(["a", "none"])]);
          assert.deepEqual([more, value, fields, { ...hash }, values], [2, "2", 2, { f: "v", g: "w" }, ["2", null]]);
          assert.deepEqual(await client.multi().incr("a").get("a").exec(), [3, "3"]);
          await assert.rejects(client.lPush("a", "x"), /WRONGTYPE/);
          await assert.rejects(client.sendCommand(["NOSUCH", "x"]), /unknown command 'NOSUCH'/);
          assert.equal(await client.zAdd("z", [{ score: 1.5, value: "m" }, { score: 2, value: "n" }]), 2);
          assert.equal(await client.zScore("z", "m"), 1.5);
          assert.deepEqual(await client.zRangeWithScores("z", 0, -1), [{ value: "m", score: 1.5 }, { value: "n", score: 2 }]);
          assert.equal(await client.addTo("counter", 5), 5);
          await client.scriptFlush();
          assert.equal(await client.addTo("counter", 5), 10);
        });

        test("WATCH, and a transaction that another connection spoils", async () => {
          const other = await client.duplicate().connect();
          try {
            await client.watch("w");
            await other.set("w", "theirs");
            await assert.rejects(client.multi().set("w", "mine").exec(), WatchError);
            await client.watch("w");
            assert.deepEqual(await client.multi().set("w", "mine").exec(), ["OK"]);
          } finally {
            other.destroy();
          }
        });

        test("subscriptions to channels, patterns and shards", async () => {
          const subscriber = await client.duplicate().connect(), heard: string[] = [];
          try {
            await subscriber.subscribe(["one", "two"], (text, channel) => heard.push(`${channel}=${text}`));
            await subscriber.pSubscribe("t*", (text, channel) => heard.push(`pattern ${channel}=${text}`));
            await subscriber.sSubscribe("shard", (text, channel) => heard.push(`shard ${channel}=${text}`));
            assert.equal(await client.publish("two", "hello"), 2);
            assert.equal(await client.sPublish("shard", "hi"), 1);
            await eventually(() => heard.length === 3, { what: "three messages" });
            assert.deepEqual(heard.toSorted(), ["pattern two=hello", "shard shard=hi", "two=hello"]);
            await subscriber.unsubscribe();
            await subscriber.pUnsubscribe();
            await subscriber.sUnsubscribe();
            assert.equal(await subscriber.get("none"), null);
          } finally {
            subscriber.destroy();
          }
        });

        test("streams with a consumer group, blocking reads and blocking pops", async () => {
          const reader = await client.duplicate().connect();
          try {
            await client.xGroupCreate("orders", "workers", "$", { MKSTREAM: true });
            const read = reader.xReadGroup("workers", "w1", [{ key: "orders", id: ">" }], { COUNT: 10, BLOCK: 5_000 });
            const id = await client.xAdd("orders", "*", { item: "tea" });
            assert.ok(JSON.stringify(await read).includes(JSON.stringify(id)));
            assert.equal(await client.xAck("orders", "workers", id), 1);
            const popped = reader.blPop("jobs", 5);
            await client.rPush("jobs", "job");
            assert.deepEqual({ ...await popped }, { key: "jobs", element: "job" });
            assert.equal(await reader.blPop("jobs", 0.01), null);
          } finally {
            reader.destroy();
          }
        });

        test("iterating by SCAN, a pool of connections, and other databases", async () => {
          await client.flushDb();
          await client.mSet(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`key:${index}`, "x"])));
          const seen = new Set<string>();
          for await (const keys of client.scanIterator({ MATCH: "key:*", COUNT: 50 })) for (const key of keys) seen.add(key);
          assert.equal(seen.size, 500);
          const pool = createClientPool({ url: `redis://${scene.through.host}:${scene.through.port}/3`, RESP: protocol }, { minimum: 2, maximum: 4 });
          await pool.connect();
          try {
            assert.equal(await pool.get("key:1"), null);
            await Promise.all(Array.from({ length: 40 }, async (_, index) => await pool.set(`pooled:${index}`, String(index))));
            assert.equal(await pool.get("pooled:39"), "39");
            assert.equal(await client.get("pooled:39"), null);
          } finally {
            pool.destroy();
          }
        });

        test("coming back after the connection was ended, subscriptions and all", async () => {
          const victim = made(), heard: string[] = [];
          await victim.connect();
          try {
            await victim.subscribe("news", (text) => heard.push(text));
            assert.ok(Number(await client.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"])) >= 1);
            await eventually(async () => {
              await client.publish("news", "again");
              return heard.length > 0;
            }, { what: "a message after the connection came back" });
          } finally {
            victim.destroy();
          }
        });

        test("its reads are answered by replicas", async () => {
          await client.set("spread", "x");
          const calls = await scene.callsOnReplicas("strlen");
          await eventually(async () => await client.strLen("spread") === 1 && await scene.callsOnReplicas("strlen") > calls, { what: "a read on a replica" });
        });
      });
    }

    test("node-redis keeps values in its own cache and drops them when they change", async () => {
      const options = { url: `redis://${scene.through.host}:${scene.through.port}`, RESP: 3 } as const;
      const cached = await createClient({ ...options, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: "LRU" } }).on("error", () => undefined).connect();
      const other = await createClient(options).on("error", () => undefined).connect();
      try {
        await other.set("cached", "1");
        assert.equal(await cached.get("cached"), "1");
        assert.equal(await cached.get("cached"), "1");
        await other.set("cached", "2");
        await eventually(async () => await cached.get("cached") === "2", { what: "the changed value" });
      } finally {
        cached.destroy();
        other.destroy();
      }
    });
  });
}

/** What XREADGROUP gives as pairs: in RESP3 it is a map. */
function asPairs(answer: unknown): unknown {
  if (answer instanceof Map) return [...answer];
  return answer !== null && typeof answer === "object" && !Array.isArray(answer) ? Object.entries(answer) : answer;
}
