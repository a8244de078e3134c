import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import type { ServerImage } from "../../support/redis-topology.ts";
import { commandGroups, requestsOf } from "./commands.ts";
import { conversations } from "./conversations.ts";
import { Dialogue, requestBytes } from "./dialogue.ts";
import { serverKinds, startPair, type PairScene } from "./pair-scene.ts";
import { closingEdges, cutSequences, keepingEdges } from "./protocol-edges.ts";
import { transcript } from "./transcript.ts";
import type { Place } from "./wire.ts";

/** What differs between any two connections: their number. */
const masked = (reply: string | undefined): string | undefined => reply?.replace(/(\$2\r\nid\r\n:)\d+/, "$1ID");

/** Scripts and functions are dropped only before what uses them, since that takes the servers some time. */
async function emptied(place: Place, what: string): Promise<void> {
  await using dialogue = await Dialogue.open(place);
  await dialogue.ask(["FLUSHALL"]);
  if (/script|function|with everything/.test(what)) await dialogue.ask(["SCRIPT", "FLUSH"], ["FUNCTION", "FLUSH"]);
}

async function answers(place: Place, protocol: 2 | 3, requests: readonly (readonly string[])[], pipelined: boolean, what = ""): Promise<string[]> {
  await emptied(place, what);
  await using dialogue = await Dialogue.open(place);
  if (protocol === 3) await dialogue.ask(["HELLO", "3"]);
  if (pipelined) return await dialogue.ask(...requests);
  const replies: string[] = [];
  for (const request of requests) replies.push(...await dialogue.ask(request));
  return replies;
}

async function untilClosed(place: Place, bytes: string): Promise<{ readonly got: readonly string[]; readonly closed: boolean }> {
  await using dialogue = await Dialogue.open(place);
  dialogue.write(bytes);
  const closed = await dialogue.ended();
  return { got: await dialogue.take(1_000, 1), closed };
}

async function callsOf(place: Place): Promise<Readonly<Record<string, number>>> {
  await using dialogue = await Dialogue.open(place);
  const [info = ""] = await dialogue.ask(["INFO", "commandstats"]);
  return Object.fromEntries([...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map((match) => [match[1] ?? "", Number(match[2])]));
}

// The servers are compared side by side, since each spends most of its time waiting for its turn.
describe("through the ambassador a plain server is seen", { concurrency: 3 }, () => {
  for (const { image, title } of serverKinds) {
    describe(title, { concurrency: false }, () => comparedWith(image));
    describe(`${title}, by a client that has not authenticated`, { concurrency: false }, () => comparedBeforeAuthentication(image));
  }
});

function comparedWith(image: ServerImage): void {
  let scene: PairScene;
  before(async () => {
    scene = await startPair(image);
  });
  after(async () => await scene[Symbol.asyncDispose]());

  for (const protocol of [2, 3] as const) {
    for (const pipelined of [false, true]) {
      test(`groups of commands get the same bytes in RESP${protocol}${pipelined ? ", pipelined" : ""}`, async () => {
        for (const [name, group] of Object.entries(commandGroups)) {
          const requests = requestsOf(group);
          const [expected, got] = await Promise.all([scene.plain, scene.through].map(async (place) => await answers(place, protocol, requests, pipelined, name)));
          assert.equal(expected?.length, requests.length);
          requests.forEach((request, index) => assert.equal(masked(got?.[index]), masked(expected?.[index]), `${name}, ${index}: ${request.join(" ")}`));
        }
      });
    }

    test(`conversations of several clients go the same way in RESP${protocol}`, async () => {
      for (const [name, conversation] of Object.entries(conversations)) {
        await Promise.all([emptied(scene.plain, name), emptied(scene.through, name)]);
        const [expected, got] = await Promise.all([
          transcript(scene.plain, conversation, protocol, scene.plain), transcript(scene.through, conversation, protocol, scene.primary),
        ]);
        expected.forEach((line, index) => assert.equal(got[index], line, name));
      }
    });
  }

  test("what breaks the protocol gets the same text, and the connection is closed", async () => {
    for (const { title: what, bytes } of closingEdges) {
      const [expected, got] = await Promise.all([scene.plain, scene.through].map(async (place) => await untilClosed(place, bytes)));
      assert.equal(expected?.closed, true, what);
      assert.deepEqual(got, expected, what);
    }
  });

  test("every byte where a bulk should begin gets the same text", async () => {
    const texts = async (place: Place): Promise<readonly unknown[]> => {
      const seen: unknown[] = [];
      for (let first = 0; first < 256; first += 32) {
        seen.push(...await Promise.all(Array.from({ length: 32 }, async (_, index) => {
          const byte = String.fromCharCode(first + index);
          // Redis looks for the end of the line up to a zero byte only, and so waits for more; Valkey does not.
          return byte === "$" || byte === "\u0000" ? byte : await untilClosed(place, `*1\r\n${byte}4\r\nPING\r\n`);
        })));
      }
      return seen;
    };
    const [expected, got] = await Promise.all([texts(scene.plain), texts(scene.through)]);
    assert.deepEqual(got, expected);
  });

  test("what is merely strange gets the same answers, and the connection is kept", async () => {
    for (const { title: what, bytes } of keepingEdges) {
      const [expected, got] = await Promise.all([scene.plain, scene.through].map(async (place) => {
        await emptied(place, what);
        await using dialogue = await Dialogue.open(place);
        const frames = await dialogue.askMarked(bytes);
        return { frames, after: await dialogue.ask(["PING"]) };
      }));
      assert.deepEqual(expected?.after, ["+PONG\r\n"], what);
      assert.deepEqual(got, expected, what);
    }
  });

  test("requests are put together that are cut at any byte", async () => {
    for (const { title: what, bytes } of cutSequences) {
      await using plain = await Dialogue.open(scene.plain);
      await using through = await Dialogue.open(scene.through);
      const expected = await plain.askMarked(bytes);
      for (let cut = 1; cut < bytes.length; cut += 1) {
        through.write(bytes.slice(0, cut));
        await turn();
        if (cut % 8 === 0) await sleep(1); // some pieces surely arrive apart
        assert.deepEqual(await through.askMarked(bytes.slice(cut)), expected, `${what}, cut at ${cut}`);
      }
      for (const byte of bytes) {
        through.write(byte);
        await turn();
      }
      assert.deepEqual(await through.askMarked(""), expected, `${what}, byte by byte`);
    }
  });

  test("a thousand mixed commands in one pipeline come back in order, byte for byte", async () => {
    const requests = Array.from({ length: 1000 }, (_, index): string[] => {
      const key = `key:${index % 37}`;
      return ([["SET", key, `v${index}`], ["GET", key], ["INCR", `n:${index % 5}`], ["MGET", key, "nope"], ["LPUSH", `l:${index % 3}`, `${index}`], ["LRANGE", `l:${index % 3}`, "0", "2"], ["GET", `n:${index % 5}`]] as const)[(index * 7919) % 7]?.slice() ?? [];
    });
    assert.deepEqual(await answers(scene.through, 2, requests, true), await answers(scene.plain, 2, requests, true));
  });

  test("values of eight megabytes pass both ways, amid a pipeline", async () => {
    const value = "0123456789abcdef".repeat(512 * 1024);
    const [set, length, got, next] = await answers(scene.through, 2, [["SET", "big", value], ["STRLEN", "big"], ["GET", "big"], ["PING"]], true);
    assert.deepEqual([set, length, next], ["+OK\r\n", `:${value.length}\r\n`, "+PONG\r\n"]);
    assert.ok(got === `$${value.length}\r\n${value}\r\n`);
  });

  test("reads go to the replicas in turn and nothing else does", async () => {
    const nodes = [scene.primary, ...scene.replicas];
    await using dialogue = await Dialogue.open(scene.through);
    await dialogue.ask(["FLUSHALL"], ["SET", "spread", "1"]);
    await scene.replicasAnswer("spread");
    for (const node of nodes) {
      await using direct = await Dialogue.open(node);
      await direct.ask(["CONFIG", "RESETSTAT"]);
    }
    for (let index = 0; index < 100; index += 1) await dialogue.ask(["GET", "spread"]);
    for (let index = 0; index < 20; index += 1) await dialogue.ask(["SET", `w${index}`, "1"], ["GET", `w${index}`], ["INCR", "n"]);
    await dialogue.ask(["MULTI"], ["GET", "spread"], ["EXEC"], ["SCAN", "0"], ["DBSIZE"]);
    const [primary, first, second] = await Promise.all(nodes.map(callsOf));
    assert.ok((first?.["get"] ?? 0) > 30 && (second?.["get"] ?? 0) > 30, `replicas got ${first?.["get"]} and ${second?.["get"]} of 100 reads`);
    assert.equal((primary?.["get"] ?? 0) + (first?.["get"] ?? 0) + (second?.["get"] ?? 0), 121);
    assert.deepEqual([primary?.["set"], primary?.["incr"], primary?.["exec"], primary?.["scan"]], [20, 20, 1, 1]);
    for (const replica of [first, second]) assert.deepEqual([replica?.["exec"], replica?.["scan"], replica?.["dbsize"]], [undefined, undefined, undefined]);
    assert.match(await scene.metrics(), /commands_total\{node="127.0.0.1:7002",class="read"\} [1-9]/);
  });
}

function comparedBeforeAuthentication(image: ServerImage): void {
  let scene: PairScene;
  before(async () => {
    scene = await startPair(image, { password: "open-sesame" });
  });
  after(async () => await scene[Symbol.asyncDispose]());

  test("is told the same, and is as little trusted with lengths", async () => {
    const plain: Record<string, unknown> = {}, through: Record<string, unknown> = {};
    const same = async (what: string, say: (place: Place) => Promise<unknown>): Promise<void> => {
      [plain[what], through[what]] = await Promise.all([say(scene.plain), say(scene.through)]);
    };
    for (const bytes of ["*11\r\n", "*2\r\n$4\r\nAUTH\r\n$16385\r\n", "*1\r\n$16385\r\n"]) await same(JSON.stringify(bytes), async (place) => await untilClosed(place, bytes));
    const refused = [["GET", "x"], ["SET", "x", "1"], ["PING"], ["SELECT", "1"], ["MULTI"], ["NOSUCH"], ["NOSUCH", "a\r\nb", "c".repeat(200), "d"], ["n".repeat(200), "x"], ["GET"], ["CONFIG", "NOPE"], ["CONFIG"], ["CLIENT", "SETNAME"], ["CLIENT", "SETNAME", "x"], ["SUBSCRIBE", "c"], ["HELLO", "3"], ["HELLO"], ["AUTH", "wrong"], ["AUTH", "default", "wrong"], ["AUTH"], ["HELLO", "3", "AUTH", "default", "wrong"], ["COMMAND"], ["EXEC"], ["RESET"], ["QUIT"]];
    for (const request of refused) {
      await same(request.join(" "), async (place) => {
        await using dialogue = await Dialogue.open(place);
        dialogue.write(requestBytes(request));
        return await dialogue.take(1);
      });
    }
    for (const admission of [["AUTH", "open-sesame"], ["AUTH", "default", "open-sesame"]]) {
      await same(admission.join(" "), async (place) => {
        await using dialogue = await Dialogue.open(place);
        const wide = ["MSET", ...Array.from({ length: 40 }, (_, index) => `k${index}`)];
        // One at a time: Redis 8 and Valkey 8 leave out the error of AUTH when other replies are still waiting to be sent.
        const replies: string[] = [];
        for (const request of [["GET", "x"], admission, ["SET", "x", "1"], ["GET", "x"], wide, ["ECHO", "y".repeat(20_000)], ["AUTH", "wrong"], ["GET", "x"], ["ACL", "WHOAMI"], ["RESET"], ["GET", "x"]]) replies.push(...await dialogue.ask(request));
        return replies;
      });
    }
    await same("HELLO with AUTH", async (place) => {
      await using dialogue = await Dialogue.open(place);
      return (await dialogue.ask(["HELLO", "3", "AUTH", "default", "open-sesame"], ["GET", "x"], ["HGETALL", "none"])).map(masked);
    });
    // Redis 7.0 words this one error a little differently.
    const ofOneVersion = (seen: unknown): string => JSON.stringify(seen, null, 1).replaceAll("the HELLO <proto> AUTH", "the HELLO AUTH");
    assert.equal(ofOneVersion(through), ofOneVersion(plain));
  });
}
