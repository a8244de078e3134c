import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../../kit/clock.ts";
import { clientTls } from "../../../../sidecars/log-shipper/tls/tls.ts";
import { createAuthority } from "../../../support/certificates.ts";
import { eventually } from "../../../support/eventually.ts";
import { RecordingReceiver } from "../support/receiver.ts";
import { startSingleSink, type SingleSink } from "../support/single-sink.ts";
import { chunkOf } from "./chunks.ts";

async function receivers(count: number): Promise<{ readonly list: readonly RecordingReceiver[] } & AsyncDisposable> {
  const list = Array.from({ length: count }, () => new RecordingReceiver());
  for (const each of list) await each.listen();
  return {
    list,
    async [Symbol.asyncDispose]() {
      for (const each of list) await each.close();
    },
  };
}

const at = (receiver: RecordingReceiver | undefined): string => `127.0.0.1:${receiver?.port ?? 0}`;
const start = (servers: readonly (RecordingReceiver | undefined)[], settings: { readonly [key: string]: unknown } = {}): SingleSink => startSingleSink({ type: "forward", servers: servers.map(at), retryMaxMs: 20, ackTimeoutMs: 400, ...settings });

let chunks = 0;
async function deliver({ sink }: SingleSink, count: number): Promise<void> {
  for (let n = 0; n < count; n++) assert.equal((await sink.deliver(chunkOf(`c${chunks}`, [{ n: chunks++ }]))).kind, "delivered");
}

const counts = (list: readonly RecordingReceiver[]): readonly number[] => list.map(({ received }) => received.length);

test("Failover uses the first server, the second while that is away, and the first again when it is back", { timeout: 150_000 }, async () => {
  await using both = await receivers(2);
  const [first, second] = both.list;
  const under = start([first, second], { failbackMs: 50 });
  await deliver(under, 3);
  assert.deepEqual(counts(both.list), [3, 0]);
  const port = first?.port;
  await first?.close();
  await deliver(under, 3);
  assert.deepEqual(counts(both.list), [3, 3]);
  await first?.listen(port);
  await eventually(() => under.events.filter((event) => event === "connected").length >= 3 && under.events.at(-1) === "disconnected", { what: "back to the first" });
  await deliver(under, 3);
  assert.deepEqual(counts(both.list), [6, 3]);
});

test("With failbackMs 0 it stays where it is", { timeout: 150_000 }, async () => {
  await using both = await receivers(2);
  const [first, second] = both.list;
  const port = first?.port;
  await first?.close();
  const under = start([{ port } as RecordingReceiver, second], { failbackMs: 0 });
  await deliver(under, 1);
  await first?.listen(port);
  await deliver(under, 20);
  assert.deepEqual(counts(both.list), [0, 21]);
});

test("Round-robin shares by weight, and the others take over from one that goes away", { timeout: 150_000 }, async () => {
  await using three = await receivers(3);
  const under = start(three.list, { balance: "round-robin", weights: [3, 2, 1] });
  await eventually(() => under.events.filter((event) => event === "connected").length === 3);
  await deliver(under, 60);
  assert.deepEqual(counts(three.list), [30, 20, 10]);
  await three.list[0]?.close();
  await eventually(() => under.events.includes("disconnected"));
  await deliver(under, 30);
  assert.deepEqual(counts(three.list), [30, 40, 20]);
});

test("What was on its way to a server that dies goes to another one, each record once by chunk id", { timeout: 150_000 }, async () => {
  await using both = await receivers(2);
  const [mute, good] = both.list;
  if (mute === undefined || good === undefined) assert.fail();
  mute.ack = () => false;
  const under = start([mute, good], { balance: "round-robin", ackTimeoutMs: 10_000 });
  await eventually(() => under.events.filter((event) => event === "connected").length === 2);
  const deliveries = Array.from({ length: 40 }, (_, n) => under.sink.deliver(chunkOf(`dying-${n}`, [{ n }])));
  await eventually(() => mute.received.length > 0 && mute.received.length + good.received.length === 40);
  const unacknowledged = mute.received.length;
  await mute.close();
  assert.ok((await Promise.all(deliveries)).every(({ kind }) => kind === "delivered"));
  assert.deepEqual(good.all.map(({ n }) => Number(n)).toSorted((left, right) => left - right), [...Array(40).keys()]);
  assert.equal(under.events.filter((event) => event === "resent").length, unacknowledged, "those, and no other, were sent again");
});

test("A standby server serves while no other can be reached, and no longer", { timeout: 150_000 }, async () => {
  await using both = await receivers(2);
  const [server, standby] = both.list;
  const under = start([server], { balance: "round-robin", standby: [at(standby)] });
  await deliver(under, 2);
  const port = server?.port;
  await server?.close();
  await deliver(under, 3);
  assert.deepEqual(counts(both.list), [2, 3]);
  await server?.listen(port);
  await eventually(() => under.events.filter((event) => event === "disconnected").length >= 2, { what: "the standby is left" });
  await deliver(under, 4);
  assert.deepEqual(counts(both.list), [6, 3]);
});

for (const [name, settings, fault] of [
  ["weights of another number", { weights: [1, 2] }, /weights/],
  ["weights without round-robin", { weights: [1] }, /round-robin/],
  ["a user without a key", { username: "me" }, /sharedKey/],
  ["a certificate without its key", { tls: { enabled: true, cert: "/tls/cert.pem" } }, /a certificate and its key go together/],
  ["an unknown compression", { compress: "lz4" }, /compress/],
  ["no server", { servers: [] }, /servers/],
] as const) {
  test(`A configuration with ${name} is refused`, () => {
    assert.throws(() => startSingleSink({ type: "forward", servers: ["127.0.0.1:1"], ...settings }), fault);
  });
}

test("TLS needs no file: the well-known authorities count, or one that is written out", () => {
  const none = { ca: undefined, cert: undefined, key: undefined, serverName: undefined, insecureSkipVerify: false };
  assert.equal(clientTls(none, "tls", systemClock).current().options.ca, undefined);
  const { certificate } = createAuthority("ours");
  assert.equal(clientTls({ ...none, ca: certificate }, "tls", systemClock).current().options.ca, certificate);
  assert.throws(() => clientTls({ ...none, ca: "/nowhere.pem" }, "tls", systemClock).current(), /tls\.ca.*nowhere\.pem.*ENOENT/);
});
