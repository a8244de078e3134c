import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import { formatAddress, type Membership } from "../../../sidecars/redis-ambassador/servers/membership.ts";
import { RequestScanner, scanned } from "../../../sidecars/redis-ambassador/protocol/request-scanner.ts";
import { SentinelSource } from "../../../sidecars/redis-ambassador/servers/source-sentinel.ts";
import { eventually } from "../../support/eventually.ts";

const silent: Log = { level: "silent", trace: () => undefined, debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, fatal: () => undefined, child: () => silent };

type Reply = string | number | null | readonly Reply[];
const encode = (reply: Reply): string => {
  if (reply === null) return "*-1\r\n";
  if (typeof reply === "number") return `:${reply}\r\n`;
  if (typeof reply === "string") return reply.startsWith("-") || reply.startsWith("+") ? `${reply}\r\n` : `$${Buffer.byteLength(reply)}\r\n${reply}\r\n`;
  return `*${reply.length}\r\n${reply.map(encode).join("")}`;
};

/** Says what it is told to say: a real sentinel cannot be made to believe what is no longer true. */
class FakeSentinel implements AsyncDisposable {
  epoch: number;
  primary: string;
  replicas: readonly string[];
  asked = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #subscribed = new Set<Socket>();

  constructor(epoch: number, primary: string, replicas: readonly string[]) {
    this.epoch = epoch;
    this.primary = primary;
    this.replicas = replicas;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      const scanner = new RequestScanner(() => 1_000_000);
      socket.on("data", (bytes) => {
        for (let at = 0; at < bytes.length && scanner.scan(bytes, at, bytes.length) === scanned.complete; at = scanner.next) {
          const words = Array.from({ length: scanner.argc }, (_, index) => bytes.toString("latin1", scanner.argStart[index], scanner.argEnd[index]));
          socket.write(this.#answer(words, socket));
        }
      });
    });
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get address(): { readonly host: string; readonly port: number } {
    const bound = this.#server.address();
    return { host: "127.0.0.1", port: typeof bound === "object" && bound !== null ? bound.port : 0 };
  }

  tell(channel: string, message: string): void {
    for (const socket of this.#subscribed) socket.write(encode(["message", channel, message]));
  }

  get listened(): boolean {
    return this.#subscribed.size > 0;
  }

  #answer([command = "", sub = "", ...rest]: readonly string[], socket: Socket): string {
    const [host = "", port = ""] = this.primary.split(":");
    switch (`${command} ${command.toUpperCase() === "SENTINEL" ? sub : ""}`.trim().toUpperCase()) {
      case "SENTINEL GET-MASTER-ADDR-BY-NAME":
        this.asked += 1;
        return encode(rest[0] === "set" ? [host, port] : null);
      case "SENTINEL MASTERS":
        return encode([["name", "set"]]);
      case "SENTINEL MASTER":
        return encode(["name", "set", "ip", host, "port", port, "config-epoch", String(this.epoch)]);
      case "SENTINEL REPLICAS":
        return encode(this.replicas.map((each) => ["ip", each.split(":")[0] ?? "", "port", each.split(":")[1] ?? ""]));
      case "SENTINEL SENTINELS":
        return encode([]);
      case "SENTINEL MYID":
        return encode(`id of ${this.address.port}`);
      case "SUBSCRIBE":
        this.#subscribed.add(socket);
        return [sub, ...rest].map((channel, index) => encode(["subscribe", channel, index + 1])).join("");
      default:
        return "+OK\r\n";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close").catch(() => undefined);
  }
}

/** A source for these sentinels, and what it tells. */
function follow(sentinels: readonly FakeSentinel[], masterName = "set") {
  const ending = new AbortController();
  let membership: Membership = [], hints = 0;
  const source = new SentinelSource({
    settings: { masterName, credentials: undefined, tls: undefined, timeoutMs: 30_000 }, seeds: sentinels.map(({ address }) => address), addressMap: {},
    onHint: () => (hints += 1), clock: systemClock, random: () => 0.5, log: silent,
  });
  const running = source.run(ending.signal, (next) => (membership = next));
  return {
    source,
    get hints() { return hints; },
    get told() {
      const [shard] = membership;
      return shard === undefined ? "nothing" : `${shard.addresses.map(formatAddress).join(" ")}; named ${shard.named ?? "nobody"}; deposed ${shard.deposed?.join(" ") ?? ""}`.trim();
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await running;
    },
  };
}

const until = async (what: { readonly told: string }, expected: string): Promise<void> => {
  await eventually(() => what.told === expected || assert.fail(what.told), { what: expected });
};

test("a sentinel that was cut off at an older failover is not believed, not even when it is the last to answer", async () => {
  await using current = await new FakeSentinel(2, "new:1", ["old:1"]).listen();
  await using stale = await new FakeSentinel(1, "old:1", ["new:1", "far:1"]).listen();
  await using following = follow([stale, current]);
  await eventually(() => following.told.startsWith("new:1 old:1; named new:1"));
  await current[Symbol.asyncDispose]();
  const { asked } = stale;
  following.source.wake();
  await eventually(() => stale.asked > asked + 1);
  assert.match(following.told, /^new:1 old:1; named new:1/);
  assert.equal(following.source.problem(), undefined);
});

test("a replaced primary is deposed until it says that it is a replica, or is named again", async () => {
  await using sentinel = await new FakeSentinel(1, "a:1", ["b:1"]).listen();
  await using following = follow([sentinel]);
  await until(following, "a:1 b:1; named a:1; deposed");
  Object.assign(sentinel, { epoch: 2, primary: "b:1", replicas: ["a:1"] });
  following.source.wake();
  await until(following, "b:1 a:1; named b:1; deposed a:1");
  following.source.observe("a:1", "# Server\r\nrun_id:r\r\n# Replication\r\nrole:master\r\n");
  following.source.wake();
  await eventually(() => sentinel.asked > 3);
  assert.equal(following.told, "b:1 a:1; named b:1; deposed a:1");
  following.source.observe("a:1", "# Server\r\nrun_id:r\r\n# Replication\r\nrole:slave\r\nmaster_host:b\r\nmaster_port:1\r\n");
  await until(following, "b:1 a:1; named b:1; deposed");
  Object.assign(sentinel, { epoch: 3, primary: "a:1", replicas: ["b:1"] });
  following.source.wake();
  await until(following, "a:1 b:1; named a:1; deposed b:1");
  Object.assign(sentinel, { epoch: 4, primary: "b:1", replicas: ["a:1"] });
  following.source.wake();
  await until(following, "b:1 a:1; named b:1; deposed a:1");
});

test("what a sentinel publishes about its set makes it ask at once, about another set not", async () => {
  await using sentinel = await new FakeSentinel(1, "a:1", ["b:1"]).listen();
  await using following = follow([sentinel]);
  await until(following, "a:1 b:1; named a:1; deposed");
  await eventually(() => sentinel.listened);
  sentinel.tell("+switch-master", "another a 1 b 1");
  Object.assign(sentinel, { epoch: 2, primary: "b:1", replicas: ["a:1"] });
  sentinel.tell("+switch-master", "set a 1 b 1");
  await until(following, "b:1 a:1; named b:1; deposed a:1");
  assert.equal(following.hints, 1);
});

test("sentinels that were all set up anew are believed although their epochs begin again", async () => {
  await using one = await new FakeSentinel(7, "a:1", ["b:1"]).listen();
  await using two = await new FakeSentinel(7, "a:1", ["b:1"]).listen();
  await using following = follow([one, two]);
  await until(following, "a:1 b:1; named a:1; deposed");
  for (const each of [one, two]) Object.assign(each, { epoch: 0, primary: "c:1", replicas: ["d:1"] });
  following.source.wake();
  await until(following, "c:1 d:1; named c:1; deposed a:1");
});

test("without any sentinel the servers stay known, and it is told why nothing new is", async () => {
  await using sentinel = await new FakeSentinel(1, "a:1", ["b:1"]).listen();
  const { port } = sentinel.address;
  await using following = follow([sentinel]);
  await until(following, "a:1 b:1; named a:1; deposed");
  await sentinel[Symbol.asyncDispose]();
  following.source.wake();
  await eventually(() => following.source.problem()?.includes(`sentinel 127.0.0.1:${port}`) === true);
  assert.equal(following.told, "a:1 b:1; named a:1; deposed");
});

test("a name that no sentinel knows is told with the names that they know", async () => {
  await using sentinel = await new FakeSentinel(1, "a:1", []).listen();
  await using following = follow([sentinel], "other");
  await eventually(() => /watches no primary by the name "other" \(upstream\.sentinel\.masterName\); it knows "set"/.test(following.source.problem() ?? ""));
  assert.equal(following.told, "nothing");
});
