import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { eventually } from "./eventually.ts";
import { createVirtualClock } from "./virtual-clock.ts";
import { startFaultProxy, type FaultProxy, type FaultProxyOptions, type FaultRule } from "./fault-proxy.ts";

/** An upstream that keeps what it reads per connection, answers with `answer` at once, and ends its side when the client does. */
async function upstream(t: TestContext, answer = ""): Promise<{ port: number; connections: { socket: Socket; pieces: Buffer[]; ended: boolean; error: Error | undefined }[] }> {
  const connections: { socket: Socket; pieces: Buffer[]; ended: boolean; error: Error | undefined }[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const seen: (typeof connections)[number] = { socket, pieces: [], ended: false, error: undefined };
    connections.push(seen);
    socket.on("data", (chunk: Buffer) => seen.pieces.push(chunk));
    socket.on("end", () => { seen.ended = true; socket.end(); });
    socket.on("error", (error) => { seen.error = error; });
    if (answer !== "") socket.write(answer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.close(); for (const { socket } of connections) socket.destroy(); });
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return { port: address.port, connections };
}

async function proxyTo(t: TestContext, port: number, rules: readonly FaultRule[], more: Partial<FaultProxyOptions> = {}): Promise<FaultProxy> {
  const proxy = await startFaultProxy({ upstream: { host: "127.0.0.1", port }, rules, seed: 7, ...more });
  t.after(async () => await proxy.close());
  return proxy;
}

const text = (pieces: readonly Buffer[]): string => Buffer.concat(pieces).toString();

async function dial(t: TestContext, proxy: FaultProxy): Promise<Socket> {
  const socket = connect({ port: proxy.port, host: proxy.host, allowHalfOpen: true });
  socket.on("error", () => undefined); // the proxy's close() at the end resets what still stands
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

test("without rules every byte passes both ways, and the end too", async (t) => {
  const server = await upstream(t, "hello");
  const proxy = await proxyTo(t, server.port, []);
  const client = await dial(t, proxy);
  client.end("ping");
  assert.equal((await buffer(client)).toString(), "hello");
  assert.equal(text(server.connections[0]?.pieces ?? []), "ping");
  await eventually(() => proxy.trace.filter((entry) => entry.what === "ended").length === 2);
});

test("a reset at byte 3 lets exactly 3 bytes through and is seen as a reset on both sides", async (t) => {
  const server = await upstream(t);
  const proxy = await proxyTo(t, server.port, [{ at: 3, action: { kind: "reset" } }]);
  const client = await dial(t, proxy);
  const failed = once(client, "error");
  client.write("abcdef");
  assert.match(String(await failed), /ECONNRESET|EPIPE/);
  await eventually(() => server.connections[0]?.error !== undefined || server.connections[0]?.socket.destroyed === true);
  assert.equal(text(server.connections[0]?.pieces ?? []), "abc");
  assert.deepEqual(proxy.trace.map(({ direction, offset, what }) => `${direction} ${offset} ${what}`), ["both 0 accepted", "up 3 reset"]);
});

test("a refused connection is reset and never reaches the upstream; the next one passes", async (t) => {
  const server = await upstream(t, "hi");
  const proxy = await proxyTo(t, server.port, [{ connection: 0, action: { kind: "refuse" } }]);
  const first = connect({ port: proxy.port, host: proxy.host });
  await once(first, "error");
  const second = await dial(t, proxy);
  second.end();
  assert.equal((await buffer(second)).toString(), "hi");
  assert.equal(server.connections.length, 1);
  assert.equal(proxy.accepted, 2);
});

test("silence accepts and neither answers nor connects", async (t) => {
  const server = await upstream(t, "hi");
  const proxy = await proxyTo(t, server.port, [{ action: { kind: "silence" } }]);
  const client = await dial(t, proxy);
  client.write("anyone?");
  await eventually(() => proxy.trace.some((entry) => entry.what === "silence"));
  assert.equal(server.connections.length, 0);
  assert.equal(client.readableLength, 0);
});

test("a half close ends what the client hears and lets it go on speaking", async (t) => {
  const server = await upstream(t, "0123456789");
  const proxy = await proxyTo(t, server.port, [{ direction: "down", at: 4, action: { kind: "halfClose" } }]);
  const client = await dial(t, proxy);
  assert.equal((await buffer(client)).toString(), "0123");
  client.write("still here");
  await eventually(() => text(server.connections[0]?.pieces ?? []) === "still here");
});

test("a reader that stalls makes the writer wait until it is released", async (t) => {
  const server = await upstream(t);
  const proxy = await proxyTo(t, server.port, [{ at: 0, action: { kind: "stallReading" } }]);
  const client = await dial(t, proxy);
  const big = Buffer.alloc(8 * 1024 * 1024, "x");
  let drained = false;
  client.write(big, () => { drained = true; });
  await eventually(() => proxy.trace.some((entry) => entry.what === "stallReading"));
  assert.equal(drained, false, "the system's buffers are smaller than what was written");
  assert.equal(text(server.connections[0]?.pieces ?? []), "");
  proxy.release();
  await eventually(() => drained);
  await eventually(() => text(server.connections[0]?.pieces ?? []).length === big.length);
});

test("swallowed bytes are read and lost", async (t) => {
  const server = await upstream(t);
  const proxy = await proxyTo(t, server.port, [{ at: 2, action: { kind: "swallow" } }]);
  const client = await dial(t, proxy);
  const big = Buffer.alloc(8 * 1024 * 1024, "x");
  await new Promise<void>((resolve, reject) => client.write(big, (error) => (error ? reject(error) : resolve())));
  await eventually(() => text(server.connections[0]?.pieces ?? []) === "xx");
});

test("split writes arrive whole, and with the same seed in the same pieces", async (t) => {
  const sizes = async (): Promise<number[]> => {
    const server = await upstream(t);
    const clock = createVirtualClock();
    const proxy = await proxyTo(t, server.port, [{ action: { kind: "split", bytes: 5, random: true } }, { action: { kind: "delay", delayMs: 10 } }], { clock });
    const client = await dial(t, proxy);
    client.end("the quick brown fox jumps over the lazy dog");
    const seen: number[] = [];
    let before = 0;
    // Each piece waits for the clock, so what has arrived between two advances is one piece.
    while (before < 43) {
      await eventually(() => clock.sleepers > 0);
      await clock.advance(10);
      const now = await eventually(() => { const length = text(server.connections[0]?.pieces ?? []).length; return length > before ? length : undefined; });
      seen.push(now - before);
      before = now;
    }
    return seen;
  };
  const first = await sizes();
  assert.ok(first.length > 8 && first.every((size) => size >= 1 && size <= 5), `pieces of ${first.join(",")}`);
  assert.deepEqual(await sizes(), first);
});

test("a delay holds bytes back until the clock has moved", async (t) => {
  const server = await upstream(t);
  const clock = createVirtualClock();
  const proxy = await proxyTo(t, server.port, [{ at: 1, action: { kind: "delay", delayMs: 1_000 } }], { clock });
  const client = await dial(t, proxy);
  client.write("ab");
  await eventually(() => clock.sleepers > 0);
  assert.equal(text(server.connections[0]?.pieces ?? []), "a");
  await clock.advance(999);
  assert.equal(clock.sleepers, 1);
  await clock.advance(1);
  await eventually(() => text(server.connections[0]?.pieces ?? []) === "ab");
});

test("while it does not listen connections are refused by the system, and afterwards accepted on the same port", async (t) => {
  const server = await upstream(t, "hi");
  const proxy = await proxyTo(t, server.port, []);
  await proxy.stopListening();
  const refused = connect({ port: proxy.port, host: proxy.host });
  assert.match(String(await once(refused, "error")), /ECONNREFUSED/);
  await proxy.listenAgain();
  const client = await dial(t, proxy);
  client.end();
  assert.equal((await buffer(client)).toString(), "hi");
});

test("while the weather is silent nothing passes, not even an end, and all of it passes afterwards", async (t) => {
  const server = await upstream(t);
  const proxy = await proxyTo(t, server.port, []);
  const client = await dial(t, proxy);
  client.write("before ");
  await eventually(() => text(server.connections[0]?.pieces ?? []) === "before ");
  proxy.setWeather({ silent: "both" });
  client.end("meanwhile");
  const late = await dial(t, proxy);
  late.end("late");
  await eventually(() => proxy.accepted === 2);
  assert.equal(server.connections.length, 1);
  assert.deepEqual([text(server.connections[0]?.pieces ?? []), server.connections[0]?.ended], ["before ", false]);
  proxy.setWeather({});
  await eventually(() => server.connections.length === 2 && server.connections.every(({ ended }) => ended));
  assert.deepEqual(server.connections.map(({ pieces }) => text(pieces)), ["before meanwhile", "late"]);
});

test("a delay of the weather holds for connections that stand", async (t) => {
  const clock = createVirtualClock();
  const server = await upstream(t);
  const proxy = await proxyTo(t, server.port, [], { clock });
  const client = await dial(t, proxy);
  client.write("a");
  await eventually(() => text(server.connections[0]?.pieces ?? []) === "a");
  proxy.setWeather({ delayMs: 40 });
  client.write("b");
  await eventually(() => clock.sleepers === 1);
  await clock.advance(39);
  assert.equal(text(server.connections[0]?.pieces ?? []), "a");
  await clock.advance(1);
  await eventually(() => text(server.connections[0]?.pieces ?? []) === "ab");
});

/** What a process of its own does: the proxy ends a side and resets both in the same moment, then everything is closed. */
const resetAmidEnd = `
  import { once } from "node:events";
  import { connect, createServer } from "node:net";
  import { startFaultProxy } from ${JSON.stringify(new URL("fault-proxy.ts", import.meta.url).href)};
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => undefined).resume());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const rules = [{ at: 3, action: { kind: "halfClose" } }, { at: 3, action: { kind: "reset" } }];
  const proxy = await startFaultProxy({ upstream: { host: "127.0.0.1", port: server.address().port }, rules });
  const client = connect(proxy.port, proxy.host, () => client.write("abc"));
  const [error] = await once(client, "error");
  await proxy.close();
  server.close();
  console.log(error.code);
`;

test("a process in which a connection was reset amid its end can end by itself", async (t) => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", resetAmidEnd], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const printed = buffer(child.stdout), deadline = setTimeout(() => child.kill("SIGKILL"), 60_000);
  await once(child, "exit");
  clearTimeout(deadline);
  assert.deepEqual([(await printed).toString(), child.exitCode, child.signalCode], ["ECONNRESET\n", 0, null]);
});
