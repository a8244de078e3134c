import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { createSender } from "./support/fluent-sender.ts";
import { configOf, startShipper, temporary, type RunningShipper } from "./support/shipper.ts";

type Stage = { readonly receiver: RecordingReceiver; readonly shipper: RunningShipper; readonly port: number };

function scenario(name: string, act: (stage: Stage) => Promise<void>, settings: { readonly source?: object; readonly metadata?: object } = {}): void {
  test(name, { timeout: 150_000 }, async () => {
    using place = temporary();
    mkdirSync(place.logs);
    const receiver = new RecordingReceiver();
    await receiver.listen();
    const { config } = configOf(place.root, {
      sources: [{ type: "forward", listen: "127.0.0.1:0", ...settings.source }],
      sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`], ackTimeoutMs: 500, retryMaxMs: 50 }],
      state: { directory: place.state },
      metadata: { directory: "/nonexistent", ...settings.metadata },
    });
    const shipper = startShipper(config);
    const { port } = await shipper.logLine("Listening for applications");
    await act({ receiver, shipper, port: Number(port) });
    assert.equal(await shipper.stop(), 0);
    await receiver.close();
  });
}

for (const eventMode of ["Message", "PackedForward", "CompressedPackedForward"] as const) {
  scenario(`fluent-logger in mode ${eventMode} is acknowledged, and its records arrive with the Pod's metadata`, async ({ receiver, port }) => {
    const sender = createSender(port, { eventMode, flushInterval: 10 });
    await Promise.all([1, 2, 3].map((n) => new Promise<void>((resolve, reject) => sender.emit("shop", { n, text: "grün" }, (error) => (error === undefined || error === null ? resolve() : reject(error))))));
    assert.deepEqual(receiver.all.map((record) => record["n"]).toSorted((a, b) => Number(a) - Number(b)), [1, 2, 3]);
    assert.deepEqual(receiver.all[0], { n: receiver.all[0]?.["n"], text: "grün", kubernetes: { pod_name: "shop-0" } });
    assert.equal(receiver.received[0]?.tag, "app.shop");
    sender.end();
  }, { metadata: { pod: "shop-0" } });
}

scenario("An application with the shared key gets in", async ({ receiver, port }) => {
  const sender = createSender(port, { security: { clientHostname: "app", sharedKey: "local key" } });
  await new Promise<void>((resolve, reject) => sender.emit("x", { n: 1 }, (error) => (error === undefined || error === null ? resolve() : reject(error))));
  assert.equal(receiver.all.length, 1);
  sender.end();
}, { source: { sharedKey: "local key" } });

scenario("The application's ack comes only after the sink's, and the chunk id is passed on", async ({ receiver, port, shipper }) => {
  let open = false;
  receiver.ack = () => open;
  const socket = connect(port, "127.0.0.1");
  let answered = "";
  socket.on("data", (data) => (answered += data.toString("latin1")));
  socket.write(encode(["app", [[1_700_000_000, { n: 1 }], [1_700_000_001, { n: 2 }]], { chunk: "from-the-app" }]));
  await eventually(() => receiver.received.length >= 1);
  assert.equal(receiver.received[0]?.chunk, "from-the-app");
  assert.deepEqual(receiver.received[0]?.records, [{ n: 1 }, { n: 2 }]);
  await eventually(() => receiver.received.length >= 2, { what: "the chunk again, after the ack deadline" });
  assert.equal(answered, "", "nothing was acknowledged so far");
  open = true;
  await eventually(() => answered.includes("from-the-app"));
  assert.equal(shipper.metric("ledger_bytes", 'column="pending"'), 0);
  socket.destroy();
});

scenario("Records without a chunk are shipped and counted as unacknowledged", async ({ receiver, port, shipper }) => {
  const socket = connect(port, "127.0.0.1");
  socket.end(encode(["app", 1_700_000_000, { n: 1 }]));
  await eventually(() => receiver.all.length === 1);
  assert.equal(shipper.metric("unacknowledged_source_records_total"), 1);
});

scenario("What is not a Forward message resets that connection and harms no other", async ({ receiver, port, shipper }) => {
  for (const wrong of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.from([0xc1]), Buffer.from(encode(["app", [[1, 2]]])), Buffer.from(encode({ a: 1 }))]) {
    const socket = connect(port, "127.0.0.1");
    const ended = new Promise<void>((resolve) => void socket.on("close", () => resolve()).on("error", () => undefined));
    socket.write(wrong);
    await ended;
  }
  await shipper.logLine("Refused an application's message");
  const socket = connect(port, "127.0.0.1");
  socket.write(encode(["app", 1_700_000_000, { n: 1 }, { chunk: "c" }]));
  await eventually(() => receiver.all.length === 1);
  socket.destroy();
});
