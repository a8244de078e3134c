import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { FluentServer } from "@fluent-org/logger";
import { createAuthority } from "../../../support/certificates.ts";
import { eventually } from "../../../support/eventually.ts";
import { startFaultProxy } from "../../../support/fault-proxy.ts";
import { listenOnOwnPort } from "../../../support/own-port.ts";
import { RecordingReceiver } from "../support/receiver.ts";
import { startSingleSink, type SingleSink } from "../support/single-sink.ts";
import { chunkOf } from "./chunks.ts";
import { sinkContract } from "./sink-contract.ts";

function startSinkTo(port: number, settings: { readonly [key: string]: unknown } = {}): SingleSink {
  return startSingleSink({ type: "fluent-logger", server: `127.0.0.1:${port}`, retryMaxMs: 20, ...settings });
}

type Stored = { readonly tag: string; readonly time: unknown; readonly record: Readonly<Record<string, unknown>> };

async function freeOwnPort(): Promise<number> {
  const holder = createServer();
  const port = await listenOnOwnPort(holder);
  await new Promise<void>((resolve) => void holder.close(() => resolve()));
  return port;
}

/** A foreign server that acknowledges. */
async function startServer(options: ConstructorParameters<typeof FluentServer>[0] = {}, given = 0): Promise<{ readonly server: FluentServer; readonly stored: Stored[]; readonly port: number }> {
  const port = given === 0 ? await freeOwnPort() : given;
  const server = new FluentServer({ ...options, listenOptions: { port, host: "127.0.0.1" } });
  const stored: Stored[] = [];
  server.on("entry", (tag: string, time: unknown, record: Record<string, unknown>) => void stored.push({ tag, time, record }));
  await server.listen();
  return { server, stored, port };
}

sinkContract({
  name: "fluent-logger",
  confirms: true,
  start: async () => {
    let current = await startServer();
    const { port, stored } = current;
    const { sink } = startSinkTo(port);
    const all: Stored[] = stored;
    return {
      sink,
      received: () => JSON.stringify([...all, ...(current.stored === all ? [] : current.stored)].map(({ record }) => record["log"] ?? "")),
      down: async () => await current.server.close(),
      up: async () => void (current = await startServer({}, port)),
      async [Symbol.asyncDispose]() {
        await sink.close();
        await current.server.close();
      },
    };
  },
});

for (const mode of ["Message", "PackedForward", "CompressedPackedForward"]) {
  test(`In mode ${mode} a server with shared key and user gets each record with its tag and time`, { timeout: 150_000 }, async () => {
    const { server, stored, port } = await startServer({ security: { serverHostname: "receiver", sharedKey: "the key", authorize: true, userDict: { shipper: "secret" } } });
    const { sink, events } = startSinkTo(port, { mode, sharedKey: "the key", username: "shipper", password: "secret" });
    assert.equal((await sink.deliver(chunkOf("a", [{ n: 1, text: "grün" }, { n: 2, big: 2 ** 40, deep: { list: [1, null, true] } }], { tag: "shop" }))).kind, "delivered");
    await eventually(() => stored.length === 2);
    assert.deepEqual(stored.map(({ tag, record }) => ({ tag, record })), [{ tag: "shop", record: { n: 1, text: "grün" } }, { tag: "shop", record: { n: 2, big: 2 ** 40, deep: { list: [1, null, true] } } }]);
    assert.match(JSON.stringify(stored[0]?.time), /1700000000/);
    assert.deepEqual(events, ["connected", "acked"]);
    await server.close();
  });
}

test("By TLS too, and not to a server that cannot prove its name", { timeout: 150_000 }, async () => {
  const authority = createAuthority("ours"), { certificate, key } = authority.issue("localhost", ["localhost"]);
  const { server, stored, port } = await startServer({ tlsOptions: { cert: certificate, key } });
  const { sink } = startSinkTo(port, { server: `localhost:${port}`, tls: { enabled: true, ca: authority.certificate } });
  assert.equal((await sink.deliver(chunkOf("a", [{ n: 1 }]))).kind, "delivered");
  await eventually(() => stored.length === 1);
  const other = startSinkTo(port, { server: `localhost:${port}`, tls: { enabled: true, ca: createAuthority("another").certificate } });
  void other.sink.deliver(chunkOf("b", [{ n: 2 }]));
  await eventually(() => /certificate/.test(other.sink.problem() ?? ""));
  assert.equal(stored.length, 1);
  await other.sink.close();
  await sink.close();
  await server.close();
});

test("A server that half-closes makes fluent-logger spin for ever: its thread is ended, ours goes on, and so do the chunks", { timeout: 150_000 }, async () => {
  let connections = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    if (connections++ > 0) return void socket.on("data", () => undefined).on("end", () => socket.end());
    // A FIN while most is still to be written; then the rest is taken.
    socket.once("data", () => {
      socket.pause().end();
      socket.once("finish", () => void setTimeout(() => socket.resume(), 100));
    });
    socket.on("data", () => undefined);
    open.add(socket);
  });
  const open = new Set<Socket>();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const { sink, logged } = startSinkTo(address !== null && typeof address === "object" ? address.port : 0, { ack: false, heartbeatMs: 500 });
  const big = chunkOf("big", Array.from({ length: 80 }, (_, n) => ({ n, filler: "x".repeat(100_000) })));
  assert.equal((await sink.deliver(big)).kind, "delivered", "by its word");
  // In a thread that spins nothing would ever be asked again.
  await eventually(() => logged.some(({ reason }) => /no sign of life/.test(String(reason))), { what: "the thread is found spinning" });
  assert.equal((await sink.deliver(chunkOf("after", [{ n: 1 }]))).kind, "delivered");
  assert.ok(connections >= 2, "the chunk after it went over another connection");
  await sink.close();
  for (const socket of open) socket.destroy();
  await new Promise<void>((resolve) => void server.close(() => resolve()));
});

test("An acknowledgement in two segments kills the thread, not us, and the chunk is sent again", { timeout: 150_000 }, async () => {
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const proxy = await startFaultProxy({ upstream: { host: "127.0.0.1", port: receiver.port }, rules: [{ connection: 0, direction: "down", at: 0, action: { kind: "split", bytes: 10 } }, { connection: 0, direction: "down", at: 0, action: { kind: "delay", delayMs: 30 } }] });
  const { sink, events, logged } = startSinkTo(proxy.port);
  assert.equal((await sink.deliver(chunkOf("a", [{ n: 1 }]))).kind, "delivered");
  assert.ok(logged.some(({ reason }) => /has thrown: BUFFER_SHORTAGE/.test(String(reason))), JSON.stringify(logged));
  assert.deepEqual(events.filter((event) => event === "resent"), ["resent"]);
  assert.deepEqual(receiver.all, [{ n: 1 }, { n: 1 }], "twice, under two ids: that is what best effort means here");
  await sink.close();
  await proxy.close();
});

test("Acknowledgements that never come cost a time-out and a new thread", { timeout: 150_000 }, async () => {
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  receiver.ack = () => receiver.received.length > 1;
  const { sink } = startSinkTo(receiver.port, { timeoutMs: 1_000 });
  assert.equal((await sink.deliver(chunkOf("a", [{ n: 1 }]))).kind, "delivered");
  assert.ok(receiver.received.length >= 2);
  await sink.close();
});

test("What waits in front of it is bounded", { timeout: 150_000 }, async () => {
  const { sink } = startSinkTo(1, { queueBytes: 65_536 });
  const chunk = chunkOf("a", Array.from({ length: 40 }, () => ({ filler: "x".repeat(1_000) })));
  const deliveries = Array.from({ length: 10 }, () => sink.deliver(chunk));
  await eventually(() => /ECONNREFUSED/.test(sink.problem() ?? ""));
  await sink.close();
  assert.deepEqual(new Set((await Promise.all(deliveries)).map(({ kind }) => kind)), new Set(["stopped"]));
});
