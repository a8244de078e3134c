import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { startScene, type Scene, type StartedAmbassador } from "./support.ts";
import { openWire, type Place, type Wire } from "./wire.ts";

/** The fields of each line of CLIENT LIST. */
const linesOf = (reply: string): Readonly<Record<string, string>>[] =>
  reply.split("\n").filter((line) => line.includes("addr=")).map((line) => Object.fromEntries(line.replace(/^txt:/, "").trim().split(" ").map((field): [string, string] => [field.slice(0, field.indexOf("=")), field.slice(field.indexOf("=") + 1)])));

describe("CLIENT commands are about the clients of the ambassador", () => {
  let scene: Scene, ambassador: StartedAmbassador, plain: Place;
  before(async () => {
    scene = await startScene();
    ambassador = await scene.ambassador();
    plain = await scene.plain();
  });
  after(async () => await scene[Symbol.asyncDispose]());

  const named = async (name: string): Promise<Wire> => {
    const wire = await openWire(ambassador);
    await wire.one("CLIENT", "SETNAME", name);
    return wire;
  };
  /** Waits until the ambassador has noticed that the clients of other tests have left. */
  const only = async (wire: Wire, count: number): Promise<void> => void await eventually(async () => linesOf(await wire.one("CLIENT", "LIST")).length === count, { what: `${count} clients` });
  const idOf = async (wire: Wire): Promise<string> => (await wire.one("CLIENT", "ID")).slice(1).trim();

  test("CLIENT LIST has one line for each, with the fields that this server has", async () => {
    await using first = await named("first");
    await using second = await named("second");
    await second.one("SELECT", "3");
    await second.one("MULTI");
    const [mine, other] = [await idOf(first), (await second.one("CLIENT", "ID"))];
    assert.equal(other, "+QUEUED\r\n");
    const lines = linesOf(await first.one("CLIENT", "LIST"));
    const own = lines.find((line) => line["name"] === "first"), others = lines.find((line) => line["name"] === "second");
    assert.deepEqual([own?.["id"], own?.["db"], others?.["db"], others?.["flags"], own?.["flags"]], [mine, "0", "3", "x", "N"]);
    await using straight = await openWire(plain);
    assert.deepEqual(Object.keys(own ?? {}), Object.keys(linesOf(await straight.one("CLIENT", "LIST"))[0] ?? {}));
    assert.deepEqual(linesOf(await first.one("CLIENT", "LIST", "ID", mine)).map((line) => line["name"]), ["first"]);
    assert.deepEqual(linesOf(await first.one("CLIENT", "INFO")).map((line) => [line["id"], line["name"]]), [[mine, "first"]]);
    await first.one("HELLO", "3");
    assert.match(await first.one("CLIENT", "LIST"), /^=\d+\r\ntxt:id=/);
  });

  test("subscribers are of type pubsub", async () => {
    await using subscriber = await named("listener");
    await using wire = await openWire(ambassador);
    await subscriber.one("SUBSCRIBE", "ch");
    await only(wire, 2);
    assert.deepEqual(linesOf(await wire.one("CLIENT", "LIST", "TYPE", "pubsub")).map((line) => [line["name"], line["flags"]]), [["listener", "P"]]);
  });

  test("CLIENT KILL by id, address and type ends clients, and counts them", async () => {
    await using killer = await openWire(ambassador);
    await using byId = await openWire(ambassador);
    await using byAddress = await named("by-address");
    await using byType = await openWire(ambassador);
    await only(killer, 4);
    assert.equal(await killer.one("CLIENT", "KILL", "ID", await idOf(byId)), ":1\r\n");
    await byId.ended();
    const address = linesOf(await killer.one("CLIENT", "LIST")).find((line) => line["name"] === "by-address")?.["addr"] ?? "";
    assert.equal(await killer.one("CLIENT", "KILL", address), "+OK\r\n");
    await byAddress.ended();
    await byType.one("SUBSCRIBE", "ch");
    assert.equal(await killer.one("CLIENT", "KILL", "TYPE", "pubsub"), ":1\r\n");
    await byType.ended();
    await only(killer, 1);
    assert.equal(await killer.one("CLIENT", "KILL", "ID", "12345"), ":0\r\n");
    assert.equal(await killer.one("CLIENT", "KILL", "1.2.3.4:5"), "-ERR No such client\r\n");
    assert.equal(await killer.one("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"), ":1\r\n");
    await killer.ended();
  });

  for (const words of [["CLIENT", "KILL"], ["CLIENT", "KILL", "ID"], ["CLIENT", "KILL", "ID", "x"], ["CLIENT", "KILL", "TYPE", "nonsense"], ["CLIENT", "KILL", "USER", "nobody-here"], ["CLIENT", "KILL", "ID", "0"], ["CLIENT", "KILL", "BOGUS", "1"], ["CLIENT", "KILL", "SKIPME", "perhaps"],
    ["CLIENT", "LIST", "TYPE", "nonsense"], ["CLIENT", "LIST", "ID", "x"], ["CLIENT", "LIST", "BOGUS"], ["CLIENT", "INFO", "x"], ["CLIENT", "PAUSE", "x"], ["CLIENT", "PAUSE"], ["CLIENT", "UNBLOCK", "x"], ["CLIENT", "REPLY", "MAYBE"]]) {
    test(`${words.join(" ")} is refused in the server's words`, async () => {
      await using wire = await openWire(ambassador);
      await using straight = await openWire(plain);
      assert.equal(await wire.one(...words), await straight.one(...words));
      assert.equal(await wire.one("PING"), "+PONG\r\n");
    });
  }

  test("CLIENT PAUSE stops reads too, for its time, and costs no client its connection", async () => {
    await using pauser = await openWire(ambassador);
    await using reader = await openWire(ambassador);
    await reader.one("SET", "k", "v");
    // The pause begins after this moment and ends by the server's clock, so that whoever has waited for its end has waited for so long.
    const begunMs = performance.now();
    assert.equal(await pauser.one("CLIENT", "PAUSE", "700", "ALL"), "+OK\r\n");
    assert.equal(await reader.one("GET", "k"), "$1\r\nv\r\n");
    assert.ok(performance.now() - begunMs > 600, "the read waited for the pause to end");
    assert.equal(await pauser.one("CLIENT", "PAUSE", "60000", "WRITE"), "+OK\r\n");
    assert.equal(await reader.one("GET", "k"), "$1\r\nv\r\n");
    assert.equal(await pauser.one("CLIENT", "UNPAUSE"), "+OK\r\n");
    assert.equal(await reader.one("SET", "k", "w"), "+OK\r\n");
  });

  test("INFO has a section on the ambassador, in both protocols", async () => {
    await using wire = await openWire(ambassador);
    await eventually(async () => (await wire.one("INFO")).includes("state=read"), { what: "replicas in INFO" });
    for (const words of [["INFO"], ["INFO", "everything"], ["INFO", "ambassador"], ["info", "server", "AMBASSADOR"]]) {
      const reply = await wire.one(...words);
      assert.match(reply, /# Ambassador\r\nambassador_version:\d+\.\d+\.\d+\r\nmode:standalone\r\nconsistency:pod\r\n/, words.join(" "));
      assert.equal(reply.length, Number(/^\$(\d+)/.exec(reply)?.[1]) + reply.indexOf("\r\n") + 4);
    }
    assert.doesNotMatch(await wire.one("INFO", "server"), /# Ambassador/);
    assert.match(await wire.one("INFO", "ambassador"), /^\$\d+\r\n# Ambassador/);
    await wire.one("HELLO", "3");
    assert.match(await wire.one("INFO", "ambassador"), /^=\d+\r\ntxt:# Ambassador/);
    assert.match(await wire.one("INFO"), /# Server\r\n/);
  });

  test("a longer bulk limit is followed at once", async () => {
    await using wire = await openWire(ambassador);
    assert.equal(await wire.one("CONFIG", "SET", "proto-max-bulk-len", "1048576"), "+OK\r\n");
    wire.write("*2\r\n$4\r\nECHO\r\n$2000000\r\n");
    assert.deepEqual(await wire.replies(1), ["-ERR Protocol error: invalid bulk length\r\n"]);
    await using other = await openWire(ambassador);
    assert.equal(await other.one("CONFIG", "SET", "proto-max-bulk-len", "536870912"), "+OK\r\n");
    const value = "x".repeat(2_000_000);
    assert.equal(await other.one("ECHO", value), `$2000000\r\n${value}\r\n`);
  });
});
