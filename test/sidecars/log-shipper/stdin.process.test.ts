import assert from "node:assert/strict";
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { configOf, idsFrom, idsOf, lines, startShipper, temporary } from "./support/shipper.ts";

const main = new URL("../../../sidecars/log-shipper/main.ts", import.meta.url).pathname;
type Place = ReturnType<typeof temporary>;

function settings(place: Place, port: number, source: object = {}, more: object = {}): Readonly<Record<string, unknown>> {
  return { sources: [{ type: "stdin", ...source }], sinks: [{ type: "forward", servers: [`127.0.0.1:${port}`], retryMaxMs: 50, ackTimeoutMs: 10_000 }], state: { directory: place.state }, ...more };
}

/** The shipper as the reader of a pipe. */
function pipeTo(file: string): { readonly child: ChildProcessWithoutNullStreams; readonly exited: Promise<unknown>; readonly stderr: () => string } {
  const child = spawn(process.execPath, [main, "--admin-address", "127.0.0.1:0", "--config", file], { env: { PATH: process.env["PATH"] ?? "" } });
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += String(text)));
  child.stdin.on("error", () => undefined);
  return { child, exited: once(child, "close").then(([code, signal]: unknown[]) => code ?? signal), stderr: () => stderr };
}

test("At the end of standard input everything is delivered, an unterminated last line too, and the shipper ends with 0", { timeout: 150_000 }, async () => {
  using place = temporary();
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const { child, exited, stderr } = pipeTo(configOf(place.root, settings(place, receiver.port)).file);
  child.stdin.end(`${lines("a", 0, 20_000)}a 20000 no newline`);
  assert.equal(await exited, 0, stderr());
  assert.deepEqual(idsOf(receiver.all), idsFrom("a", 20_001));
  assert.match(stderr(), /Everything is delivered/);
});

test("SIGTERM while the application is alive: what it wrote is delivered", { timeout: 150_000 }, async () => {
  using place = temporary();
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const { child, exited, stderr } = pipeTo(configOf(place.root, settings(place, receiver.port, { multiline: { presets: ["java"], flushMs: "1h" } })).file);
  child.stdin.write(lines("a", 0, 100));
  await eventually(() => receiver.all.length === 100);
  child.stdin.write("java.lang.Error: x\n\tat a.B.c(B.java:1)\nunfinish");
  child.kill("SIGTERM");
  assert.equal(await exited, 0, stderr());
  assert.deepEqual(receiver.all.slice(100).map((record) => record["log"]), ["java.lang.Error: x\n\tat a.B.c(B.java:1)", "unfinish"]);
});

test("While the receiver is silent no more is read than fits, and at the end what is lost is named", { timeout: 150_000 }, async () => {
  using place = temporary();
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  receiver.ack = () => false;
  const small = { chunk: { maxBytes: "16KiB" }, lines: { maxBytes: "1KiB" }, inFlight: { maxBytes: "64KiB" }, shutdown: { graceMs: 4_000 } };
  const { child, exited, stderr } = pipeTo(configOf(place.root, settings(place, receiver.port, {}, small)).file);
  let written = 0;
  const writer = (async () => {
    while (child.stdin.writable) {
      if (!child.stdin.write(lines("a", written, 100))) await Promise.race([once(child.stdin, "drain").catch(() => undefined), exited]);
      written += 100;
    }
  })();
  await eventually(() => receiver.all.length > 500);
  // The application is held up: neither side's memory grows.
  let before = -1;
  await eventually(() => {
    const same = written === before;
    before = written;
    return same && child.stdin.writableNeedDrain;
  }, { intervalMs: 300 });
  assert.ok(written * 60 < 1_500_000, `${written} lines were taken in`);
  child.kill("SIGTERM");
  assert.equal(await exited, 75, stderr());
  await writer;
  const last = stderr().split("\n").find((line) => line.includes("cannot be read again"));
  const named = JSON.parse(last ?? "{}") as { undelivered: { from: number; to: number }[]; undeliveredBytes: number; readBytes: number };
  assert.equal(named.undelivered.length, 1);
  assert.deepEqual([named.undelivered[0]?.from, named.undelivered[0]?.to], [0, named.readBytes]);
  assert.doesNotMatch(stderr(), /Everything is delivered"|the shipper delivers it/);
});

test("A change of the configuration loses nothing of standard input, and repeats nothing", { timeout: 150_000 }, async () => {
  using place = temporary();
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  let open = false;
  receiver.ack = () => open;
  const input = new PassThrough();
  const small = { chunk: { maxBytes: "4KiB" }, lines: { maxBytes: "1KiB" }, inFlight: { maxBytes: "64KiB" } };
  const { config } = configOf(place.root, settings(place, receiver.port, {}, small));
  const shipper = startShipper(config, undefined, undefined, () => input);
  const text = lines("a", 0, 2_000);
  input.write(text.slice(0, 30_010));
  await eventually(() => receiver.all.length > 200);
  const changing = shipper.change(configOf(place.root, settings(place, receiver.port, {}, { ...small, inFlight: { maxBytes: "128KiB" } })).config);
  await changing;
  open = true;
  input.end(text.slice(30_010));
  await eventually(() => new Set(idsOf(receiver.all)).size === 2_000);
  assert.equal(receiver.unique.length, 2_000, "a receiver that knows chunk ids stores each line once");
  const bytes = new Map<string, string>();
  for (const each of receiver.received) {
    assert.equal(bytes.get(each.chunk) ?? each.bytes, each.bytes, "the same chunk id has the same bytes");
    bytes.set(each.chunk, each.bytes);
  }
  // It ends by itself: there is no other source.
  assert.equal(await shipper.stop(), 0);
  assert.equal(shipper.metric("ledger_bytes", 'column="read"'), text.length);
  assert.equal(shipper.metric("ledger_bytes", 'column="acked"'), text.length);
});

test("Beside files standard input is one source of several: its end is not theirs", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const written = settings(place, receiver.port);
  const { config } = configOf(place.root, { ...written, sources: [{ type: "stdin", tag: "in", encoding: "utf-16le", format: "json", time: { field: "t", format: "unix" } }, { type: "tail", paths: [join(place.logs, "*.log")] }] });
  const input = new PassThrough();
  const shipper = startShipper(config, undefined, undefined, () => input);
  for (const byte of Buffer.from('\ufeff{"n":1,"t":5}\n', "utf16le")) input.write(Buffer.of(byte));
  await eventually(() => receiver.all.length === 1);
  input.end();
  writeFileSync(join(place.logs, "app.log"), "later\n");
  await eventually(() => receiver.all.length === 2);
  assert.deepEqual(receiver.received.map(({ tag, records }) => [tag, records]), [["in", [{ n: 1, t: 5 }]], ["app", [{ log: "later" }]]]);
  assert.equal(await shipper.stop(), 0);
});
