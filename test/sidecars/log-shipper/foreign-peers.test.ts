import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FluentServer } from "@fluent-org/logger";
import { createAuthority } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { createSender } from "./support/fluent-sender.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { configOf, startShipper, temporary } from "./support/shipper.ts";
import { chunkOf } from "./sinks/chunks.ts";
import { startSingleSink } from "./support/single-sink.ts";

// Programs of others on both sides: the server of @fluent-org/logger behind our Forward sink, fluent-logger in front of our source.

type Security = NonNullable<NonNullable<ConstructorParameters<typeof FluentServer>[0]>["security"]>;
type Access = { readonly name: string; readonly server: Security | undefined; readonly client: { readonly sharedKey?: string; readonly username?: string; readonly password?: string } };
const sharedKey = "the shared key";
const ways: readonly Access[] = [
  { name: "open to all", server: undefined, client: {} },
  { name: "with a shared key", server: { serverHostname: "receiver", sharedKey, authorize: false, userDict: {} }, client: { sharedKey } },
  { name: "with a shared key and users", server: { serverHostname: "receiver", sharedKey, authorize: true, userDict: { shipper: "secret" } }, client: { sharedKey, username: "shipper", password: "secret" } },
];

const odd = { text: 'grün "x" \\ \n 🎉', long: "y".repeat(70_000), n: -5, big: 2 ** 40, float: 0.1, yes: true, nothing: null, deep: { list: [1, [2, { three: 3 }]] } };

for (const { name, server: security, client } of ways) {
  for (const compress of ["none", "gzip"]) {
    for (const tls of [false, true]) {
      test(`A foreign server ${name} gets each record once, ${compress === "none" ? "uncompressed" : compress}${tls ? ", by TLS" : ""}`, { timeout: 150_000 }, async () => {
        const authority = createAuthority("ours"), { certificate, key } = authority.issue("localhost", ["localhost"]);
        const server = new FluentServer({ listenOptions: { port: 0, host: "127.0.0.1" }, ...(security === undefined ? {} : { security }), ...(tls ? { tlsOptions: { cert: certificate, key } } : {}) });
        const entries: { readonly tag: unknown; readonly record: Readonly<Record<string, unknown>> }[] = [];
        server.on("entry", (tag: string, _time: unknown, record: Record<string, unknown>) => void entries.push({ tag, record }));
        await server.listen();
        const { sink, events } = startSingleSink({ type: "forward", servers: [`localhost:${server.port ?? 0}`], compress, ...client, ...(tls ? { tls: { enabled: true, ca: authority.certificate } } : {}) });
        const chunks = Array.from({ length: 20 }, (_, chunk) => chunkOf(`c${chunk}`, Array.from({ length: 30 }, (_each, n) => ({ id: `${chunk}-${n}`, ...(n === 0 && chunk === 0 ? odd : {}) })), { tag: "shop.web" }));
        assert.ok((await Promise.all(chunks.map((chunk) => sink.deliver(chunk)))).every(({ kind }) => kind === "delivered"));
        await eventually(() => entries.length >= 600);
        assert.deepEqual(entries.map(({ record }) => String(record["id"])).toSorted(), Array.from({ length: 600 }, (_, n) => `${Math.floor(n / 30)}-${n % 30}`).toSorted());
        assert.ok(entries.every(({ tag }) => tag === "shop.web"));
        assert.deepEqual(entries.find(({ record }) => record["id"] === "0-0")?.record, { id: "0-0", ...odd });
        assert.equal(events.filter((event) => event === "acked").length, 20);
        assert.ok(!events.includes("resent"));
        await sink.close();
        await server.close();
      });
    }
  }
}

for (const [name, client] of [["no key", {}], ["another key", { sharedKey: "wrong" }], ["another user", { sharedKey, username: "nobody", password: "secret" }], ["another password", { sharedKey, username: "shipper", password: "guessed" }]] as const) {
  test(`With ${name} a foreign server gets nothing, and we say why`, { timeout: 150_000 }, async () => {
    const server = new FluentServer({ security: { serverHostname: "receiver", sharedKey, authorize: true, userDict: { shipper: "secret" } }, listenOptions: { port: 0, host: "127.0.0.1" } });
    let entries = 0;
    server.on("entry", () => void entries++);
    await server.listen();
    const { sink } = startSingleSink({ type: "forward", servers: [`127.0.0.1:${server.port ?? 0}`], retryMaxMs: 20, ackTimeoutMs: 300, ...client });
    const delivery = sink.deliver(chunkOf("c", [{ n: 1 }]));
    await eventually(() => /shared key|sharedKey|handshake|digest|username|password|closed the connection/i.test(sink.problem() ?? ""), { what: "a reason" });
    await sink.close();
    assert.deepEqual(await delivery, { kind: "stopped" });
    assert.equal(entries, 0);
    await server.close();
  });
}

test("Of a server's certificate that nobody vouches for, or for another name, nothing is sent", { timeout: 150_000 }, async () => {
  const authority = createAuthority("ours"), { certificate, key } = authority.issue("elsewhere", ["elsewhere"]);
  const server = new FluentServer({ tlsOptions: { cert: certificate, key }, listenOptions: { port: 0, host: "127.0.0.1" } });
  let entries = 0;
  server.on("entry", () => void entries++);
  await server.listen();
  for (const [tls, fault] of [[{ ca: authority.certificate }, /altnames/], [{}, /certificate/], [{ ca: createAuthority("another").certificate, serverName: "elsewhere" }, /certificate/]] as const) {
    const { sink } = startSingleSink({ type: "forward", servers: [`localhost:${server.port ?? 0}`], retryMaxMs: 20, tls: { enabled: true, ...tls } });
    const delivery = sink.deliver(chunkOf("c", [{ n: 1 }]));
    await eventually(() => fault.test(sink.problem() ?? ""), { what: String(fault) });
    await sink.close();
    assert.deepEqual(await delivery, { kind: "stopped" });
  }
  assert.equal(entries, 0);
  const { sink } = startSingleSink({ type: "forward", servers: [`localhost:${server.port ?? 0}`], tls: { enabled: true, ca: authority.certificate, serverName: "elsewhere" } });
  assert.equal((await sink.deliver(chunkOf("c", [{ n: 1 }]))).kind, "delivered");
  await sink.close();
  await server.close();
});

for (const eventMode of ["Message", "PackedForward", "CompressedPackedForward"] as const) {
  for (const { name, client } of ways) {
    for (const way of ["tcp", "tls", "unix"] as const) {
      // Over a path the package knows no handshake (its own omission).
      if (way === "unix" && client.sharedKey !== undefined) continue;
      test(`fluent-logger in mode ${eventMode} over ${way} to our source ${name}: every record is acknowledged and arrives once`, { timeout: 150_000 }, async () => {
        using place = temporary();
        mkdirSync(place.logs);
        const authority = createAuthority("ours"), { certificate, key } = authority.issue("localhost", ["localhost"]);
        writeFileSync(join(place.root, "key.pem"), key, { mode: 0o600 });
        await using receiver = new RecordingReceiver();
        await receiver.listen();
        const socket = join(place.root, "forward.sock");
        const { config } = configOf(place.root, {
          sources: [{
            type: "forward", listen: "127.0.0.1:0", enrich: false, ...(client.sharedKey === undefined ? {} : { sharedKey }), ...(client.username === undefined ? {} : { users: [{ username: "shipper", password: "secret" }] }),
            ...(way === "tls" ? { tls: { cert: certificate, key: join(place.root, "key.pem") } } : {}), ...(way === "unix" ? { socket } : {}),
          }],
          sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`] }],
          state: { directory: place.state },
        });
        const shipper = startShipper(config);
        const { port } = await shipper.logLine("Listening for applications");
        const security = client.sharedKey === undefined ? {} : { security: { clientHostname: "the-app", ...client, sharedKey } };
        const target = way === "tls" ? { host: "localhost", tls: true, tlsOptions: { ca: authority.certificate } } : way === "unix" ? { path: socket } : {};
        const sender = createSender(Number(port), { eventMode, flushInterval: 10, ...security, ...target });
        const emit = async (n: number): Promise<void> => await new Promise((resolve, reject) => sender.emit("shop", { id: n, ...(n === 0 ? odd : {}) }, (error) => (error === undefined || error === null ? resolve() : reject(error))));
        // Its acks go astray when several are under way (a fault of the package), so one batch after the other.
        if (eventMode === "Message") for (let n = 0; n < 20; n++) await emit(n);
        else for (let batch = 0; batch < 4; batch++) await Promise.all(Array.from({ length: 5 }, async (_, n) => await emit(batch * 5 + n)));
        assert.deepEqual(receiver.all.map(({ id }) => Number(id)).toSorted((left, right) => left - right), [...Array(20).keys()]);
        assert.deepEqual(receiver.all.find(({ id }) => id === 0), { id: 0, ...odd });
        sender.end();
        assert.equal(await shipper.stop(), 0);
      });
    }
  }
}
