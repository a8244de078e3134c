import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { commandCalls, redisCli } from "../../support/redis-topology.ts";
import { startScene, type Scene, type StartedAmbassador } from "./support.ts";
import { openWire, type Place, type Wire } from "./wire.ts";

const readScript = "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])";
const writeScript = "return redis.call('incr', KEYS[1])";

/** One line is one request; words are split at spaces, ~ stands for a space within a word. */
const requests = `RPUSH l 3 1 2
MSET w_1 30 w_2 20 w_3 10 o_1 a o_2 b o_3 c s text
GEOADD g 13.36 38.11 p 15.08 37.5 c
SETBIT bits 7 1
SORT l
SORT l BY w_* GET o_* GET #
SORT l LIMIT 0 2 DESC
SORT s
SORT l BOGUS
SORT nope
GEORADIUS g 15 37 200 km ASC WITHDIST
GEORADIUSBYMEMBER g p 200 km
GEORADIUSBYMEMBER g nobody 200 km
GEORADIUS s 15 37 200 km
BITFIELD bits GET u8 0 GET i4 2
BITFIELD bits GET u99 0
BITFIELD l GET u8 0
GETEX s
GETEX nope
GETEX l
GETEX s PERSIST
SORT l STORE d
LRANGE d 0 -1
BITFIELD bits SET u8 0 9 GET u8 0`.split("\n").map((line) => line.split(" ").map((word) => word.replaceAll("~", " ")));

describe("reads that the server flags as writes", () => {
  let scene: Scene, ambassador: StartedAmbassador;
  before(async () => {
    scene = await startScene();
    ambassador = await scene.ambassador();
  });
  after(async () => await scene[Symbol.asyncDispose]());

  /** Calls of a command at the primary and at both replicas together. */
  async function calls(command: string): Promise<readonly [primary: number, replicas: number]> {
    const [primary, ...replicas] = await Promise.all(scene.nodes.map(async (node) => (await commandCalls(node))[command] ?? 0));
    return [primary ?? 0, replicas.reduce((sum, count) => sum + count, 0)];
  }
  /** Asks until a replica has answered, which it may as soon as it is proven to have the latest writes. */
  async function untilReplicas(command: string, ask: () => Promise<void>): Promise<void> {
    await eventually(async () => {
      await ask();
      return (await calls(command))[1] > 0;
    }, { what: `${command} at a replica` });
  }

  /** Waits until both replicas have everything: whoever is promoted then has it too. */
  const replicated = async (wire: Wire): Promise<void> => {
    await wire.one("SET", "replicated", "x");
    await eventually(async () => (await wire.one("WAIT", "2", "1000")) === ":2\r\n", { what: "both replicas having everything" });
  };

  async function answers(place: Place, pipelined: boolean): Promise<string[]> {
    await using wire = await openWire(place);
    await wire.one("FLUSHALL");
    if (pipelined) return await wire.ask(...requests);
    const replies: string[] = [];
    for (const request of requests) replies.push(await wire.one(...request));
    return replies;
  }

  test("get the same bytes, errors included, as a plain server's", async () => {
    const plain = await scene.plain();
    for (const pipelined of [false, true]) assert.deepEqual(await answers(ambassador, pipelined), await answers(plain, pipelined));
  });

  for (const [command, form, request] of [["sort", "sort_ro", ["SORT", "l"]], ["georadius", "georadius_ro", ["GEORADIUS", "g", "15", "37", "200", "km"]], ["bitfield", "bitfield_ro", ["BITFIELD", "bits", "GET", "u8", "0"]], ["getex", "get", ["GETEX", "s"]]] as const) {
    test(`${request.join(" ")} is answered by replicas, as ${form}`, async () => {
      await answers(ambassador, false);
      await scene.resetStats();
      await using wire = await openWire(ambassador);
      await untilReplicas(form, async () => assert.ok(!(await wire.one(...request)).startsWith("-")));
      const [before] = await calls(command);
      for (let count = 0; count < 10; count += 1) await wire.one(...request);
      assert.equal((await calls(command))[0], before);
    });
  }

  test("an error of a replica is no answer: the primary is asked in the client's own words", async () => {
    await answers(ambassador, false);
    await scene.resetStats();
    await using wire = await openWire(ambassador);
    // What was written last is proven last.
    await untilReplicas("get", async () => void await wire.one("GET", "bits"));
    await untilReplicas("strlen", async () => void await wire.one("STRLEN", "s"));
    await untilReplicas("sort_ro", async () => assert.ok(!(await wire.one("SORT", "l")).startsWith("-")));
    await scene.resetStats();
    assert.match(await wire.one("SORT", "s"), /^-WRONGTYPE/);
    assert.deepEqual([await calls("sort_ro"), await calls("sort")], [[0, 1], [1, 0]]);
    await wire.one("ACL", "SETUSER", "sorter", "on", ">pw", "~*", "+sort", "+ping");
    await using sorter = await openWire(ambassador);
    assert.equal(await sorter.one("AUTH", "sorter", "pw"), "+OK\r\n");
    for (let count = 0; count < 10; count += 1) assert.match(await sorter.one("SORT", "l"), /^\*3/);
    assert.match(await sorter.one("SORT_RO", "l"), /^-NOPERM .*'sort_ro'/);
  });

  test("a script that declares no-writes runs at replicas once the primary has it, and SCRIPT EXISTS stays true", async () => {
    await using wire = await openWire(ambassador);
    await wire.ask(["SCRIPT", "FLUSH"], ["SET", "k", "v"]);
    await scene.resetStats();
    assert.equal(await wire.one("EVAL", readScript, "1", "k"), "$1\r\nv\r\n");
    assert.deepEqual(await calls("eval"), [1, 0]);
    const sha1 = (await wire.one("SCRIPT", "LOAD", readScript)).slice(5, 45);
    await untilReplicas("eval", async () => assert.equal(await wire.one("EVAL", readScript, "1", "k"), "$1\r\nv\r\n"));
    await untilReplicas("evalsha", async () => assert.equal(await wire.one("EVALSHA", sha1.toUpperCase(), "1", "k"), "$1\r\nv\r\n"));
    assert.equal(await wire.one("SCRIPT", "EXISTS", sha1), "*1\r\n:1\r\n");
    assert.match(await wire.one("EVAL", "#!lua flags=no-writes\nreturn redis.call('set', KEYS[1], 1)", "1", "k"), /^-ERR Write commands are not allowed from read-only scripts/);
  });

  test("a script that may write stays at the primary", async () => {
    await using wire = await openWire(ambassador);
    await wire.one("DEL", "n");
    await scene.resetStats();
    for (let count = 1; count <= 10; count += 1) assert.equal(await wire.one("EVAL", writeScript, "1", "n"), `:${count}\r\n`);
    assert.deepEqual(await calls("eval"), [10, 0]);
  });

  test("EVALSHA goes on when the primary has lost the script, also in a transaction, but not after SCRIPT FLUSH", async () => {
    await using wire = await openWire(ambassador);
    await wire.one("DEL", "n");
    const sha1 = (await wire.one("SCRIPT", "LOAD", writeScript)).slice(5, 45);
    const [first, second, third] = scene.nodes;
    assert.ok(first && second && third);
    await replicated(wire);
    await redisCli(second, "replicaof", "no", "one");
    await redisCli(first, "replicaof", second.name, "6379");
    await redisCli(third, "replicaof", second.name, "6379");
    await eventually(async () => (await ambassador.metrics()).includes(`primary{node="${second.name}:6379"} 1`), { what: "the new primary" });
    assert.equal(await wire.one("EVALSHA", sha1, "1", "n"), ":1\r\n");
    assert.equal(await redisCli(second, "script", "exists", sha1), "1");
    const other = (await wire.one("SCRIPT", "LOAD", `${writeScript} `)).slice(5, 45);
    await replicated(wire);
    await redisCli(first, "replicaof", "no", "one");
    await redisCli(second, "replicaof", first.name, "6379");
    await redisCli(third, "replicaof", first.name, "6379");
    await eventually(async () => (await ambassador.metrics()).includes(`primary{node="${first.name}:6379"} 1`), { what: "the first primary again" });
    assert.deepEqual(await wire.ask(["MULTI"], ["EVALSHA", other, "1", "n"], ["EXEC"]), ["+OK\r\n", "+QUEUED\r\n", "*1\r\n:2\r\n"]);
    await wire.one("SCRIPT", "FLUSH");
    assert.match(await wire.one("EVALSHA", sha1, "1", "n"), /^-NOSCRIPT/);
  });
});
