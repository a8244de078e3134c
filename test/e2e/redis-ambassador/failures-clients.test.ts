import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, describe, test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { startAmbassadorProcess, startFaultScene, type AmbassadorProcess } from "./fault-scene.ts";
import { Recorder, seed } from "./recorder.ts";
import { patient } from "./support.ts";
import { openWire } from "./wire.ts";

const mebibyte = 1024 * 1024;
/** What a client may be held up by another one: this, or a part of how long the other one took, so that a slow machine is allowed its time. */
const stallMs = 1_000, stallShare = 0.25;

/** A connection that sends what it is told and reads only when it is told. */
async function dial(ambassador: AmbassadorProcess): Promise<Socket> {
  const socket = connect({ host: ambassador.host, port: ambassador.port });
  socket.on("error", () => undefined); // being closed is one of the things that may rightly happen to it
  await once(socket, "connect");
  socket.pause();
  return socket;
}

/** Resolves when so many bytes have come. */
async function receive(socket: Socket, bytes: number): Promise<void> {
  let left = bytes;
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    assert.ok(piece instanceof Uint8Array);
    left -= piece.length;
    if (left <= 0) return assert.equal(left, 0);
  }
  assert.fail(`The connection ended ${left} bytes before the end of the reply`);
}

describe("when a client misbehaves or moves much", () => {
  const started = new AsyncDisposableStack();
  let ambassador: AmbassadorProcess;
  before(async () => {
    const scene = started.use(await startFaultScene({ replicas: 1 }));
    // No proxies in between: what is measured here is the ambassador.
    ambassador = started.use(await startAmbassadorProcess(scene.nodes.map(({ place }) => `${place.host}:${place.port}`), patient));
    await eventually(async () => (await ambassador.metric("replica_eligible")) === 1);
    await seed(ambassador);
    await using wire = await openWire(ambassador);
    await wire.one("SET", "megabyte", "x".repeat(mebibyte));
  });
  after(async () => await started.disposeAsync());

  /** Well-behaved clients work while `misbehave` does its thing; none of them may notice. Gives the growth of memory in bytes. */
  async function others(t: TestContext, misbehave: (recorder: Recorder) => Promise<void>): Promise<number> {
    const recorder = new Recorder(ambassador, { readers: 4, readbacks: 2, writers: 2, pipelines: 1, blocking: 1 });
    await eventually(() => recorder.count("write") > 100);
    const before = ambassador.memoryBytes;
    let most = before;
    const sampling = setInterval(() => (most = Math.max(most, ambassador.memoryBytes)), 20), begunMs = recorder.nowMs;
    let tookMs = 0;
    try {
      await misbehave(recorder);
      const atMs = recorder.nowMs;
      tookMs = atMs - begunMs;
      await eventually(() => recorder.writesSince(atMs) > 100);
    } catch (error) {
      t.diagnostic((await recorder.stop()).timeline);
      throw error;
    } finally {
      clearInterval(sampling);
    }
    const recording = await recorder.stop(), longestMs = Math.max(stallMs, stallShare * tookMs);
    t.diagnostic(`memory grew by ${Math.round((most - before) / mebibyte)} MiB from ${Math.round(before / mebibyte)} MiB`);
    recording.check(t, { readsLost: 0, readbacksLost: 0, stale: 0, writesLost: 0, closed: 0, longestReadMs: longestMs, longestReadbackMs: longestMs, longestWriteMs: longestMs });
    return most - before;
  }

  test("clients that never read hold up nobody, and take no more memory than limits.allClientsOutputBytes", async (t) => {
    const silent = await Promise.all(Array.from({ length: 3 }, async () => await dial(ambassador)));
    const grownBytes = await others(t, async (recorder) => {
      // No more, because a server that makes so many replies at once answers nobody else meanwhile.
      recorder.note("three clients ask for 50 MiB each and read nothing");
      for (const socket of silent) socket.write("*2\r\n$3\r\nGET\r\n$8\r\nmegabyte\r\n".repeat(50));
      const atMs = recorder.nowMs;
      await eventually(() => recorder.nowMs - atMs > 1500 && recorder.readsSince(atMs) > 300);
    });
    assert.ok(grownBytes < 128 * mebibyte, `${grownBytes} bytes`);
    for (const socket of silent) socket.destroy();
  });

  test("a client that reads slowly gets all of a long pipeline", async (t) => {
    const slow = await dial(ambassador);
    await others(t, async (recorder) => {
      recorder.note("a client asks for 50 MiB and reads slowly");
      slow.write("*2\r\n$3\r\nGET\r\n$8\r\nmegabyte\r\n".repeat(50));
      const reply = Buffer.byteLength(`$${mebibyte}\r\n\r\n`) + mebibyte;
      let received = 0;
      for await (const piece of slow) {
        assert.ok(piece instanceof Uint8Array);
        received += piece.length;
        if (received === 50 * reply) break;
        if (received % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
      assert.equal(received, 50 * reply);
      recorder.note("it has it");
    });
  });

  test("clients that stop amid a request hold up nobody, and may go on later", async (t) => {
    const halves = await Promise.all(Array.from({ length: 30 }, async () => await dial(ambassador)));
    const begun = await Promise.all(Array.from({ length: 5 }, async () => await dial(ambassador)));
    const grownBytes = await others(t, async (recorder) => {
      recorder.note("30 clients stop amid a small request, 5 amid one of 10 MiB");
      for (const socket of halves) socket.write("*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$10\r\nabc");
      for (const [index, socket] of begun.entries()) socket.write(`*3\r\n$3\r\nSET\r\n$6\r\nbegun${index}\r\n$${10 * mebibyte}\r\n${"y".repeat(mebibyte)}`);
      const atMs = recorder.nowMs;
      await eventually(() => recorder.readsSince(atMs) > 500);
      recorder.note("they go on");
      for (const socket of halves) socket.write("defghij\r\n");
      for (const socket of begun) socket.write(`${"y".repeat(9 * mebibyte)}\r\n`);
      await Promise.all([...halves, ...begun].map(async (socket) => await receive(socket, 5)));
    });
    assert.ok(grownBytes < 96 * mebibyte, `${grownBytes} bytes`);
    await using wire = await openWire(ambassador);
    assert.equal(await wire.one("GET", "half"), "$10\r\nabcdefghij\r\n");
    assert.equal(await wire.one("STRLEN", "begun4"), `:${10 * mebibyte}\r\n`);
    for (const socket of [...halves, ...begun]) socket.destroy();
  });

  test("a value of 96 MiB is written and read while others do small things", async (t) => {
    // What has been passed on waits for the garbage collector: some 70 MiB at most. A value that were held would come on top of that.
    const size = 96 * mebibyte, socket = await dial(ambassador);
    const grownBytes = await others(t, async (recorder) => {
      for (let round = 0; round < 2; round += 1) {
        recorder.note("SET of 96 MiB");
        socket.write(`*3\r\n$3\r\nSET\r\n$4\r\nhuge\r\n$${size}\r\n`);
        socket.write(Buffer.alloc(size, 97 + round));
        socket.write("\r\n");
        await receive(socket, 5);
        // Whom the machine keeps from reading until more than limits.allClientsOutputBytes waits is ended, as it should be, and asks again.
        await eventually(async () => {
          recorder.note("GET of it");
          const reader = await dial(ambassador), ended = await ambassador.metric("slow_clients_closed_total");
          reader.write("*2\r\n$3\r\nGET\r\n$4\r\nhuge\r\n");
          try {
            await receive(reader, Buffer.byteLength(`$${size}\r\n\r\n`) + size);
            return true;
          } catch (error) {
            assert.ok(await ambassador.metric("slow_clients_closed_total") > ended, String(error));
            return false;
          } finally {
            reader.destroy();
          }
        }, { timeoutMs: 120_000, what: "the whole value" });
        recorder.note("there");
      }
    });
    assert.ok(grownBytes < 1.5 * size, `${grownBytes} bytes`);
    socket.destroy();
  });
});
