import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, closeSync, mkdirSync, openSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { connect } from "node:net";
import { findWriters } from "../../../sidecars/log-shipper/tail/writers.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { configOf, idsFrom, idsOf, lines, startShipper, temporary } from "./support/shipper.ts";

function place() {
  const made = temporary();
  mkdirSync(made.logs);
  return { made, path: join(made.logs, "app.log") };
}
const sinkTo = (receiver: RecordingReceiver) => ({ type: "forward", servers: [`127.0.0.1:${receiver.port}`], retryMaxMs: 50, ackTimeoutMs: 30_000 });

test("A second shipper on the same state directory ends with 78 and names the first; after the first's end it may start", { timeout: 150_000 }, async () => {
  const { made, path } = place();
  using _ = made;
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const { config } = configOf(made.root, { sources: [{ type: "tail", paths: [path] }], sinks: [sinkTo(receiver)], state: { directory: made.state } });
  const first = startShipper(config);
  await eventually(() => first.readiness.has("sinks"));
  const second = startShipper(config);
  await second.logLine(`process ${process.pid} on`);
  assert.equal(await second.stop(), 78);
  assert.equal(await first.stop(), 0);
  const third = startShipper(config);
  await eventually(() => third.readiness.has("sinks"));
  assert.equal(await third.stop(), 0);
});

test("A state directory that cannot be made keeps no line from going out, and is told", { timeout: 150_000 }, async () => {
  const { made, path } = place();
  using _ = made;
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  writeFileSync(path, lines("a", 0, 100));
  // In /proc each try to make a directory is answered by ENOENT, although the one above is there.
  const shipper = startShipper(configOf(made.root, { sources: [{ type: "tail", paths: [path] }], sinks: [sinkTo(receiver)], state: { directory: "/proc/podkit" } }).config);
  await shipper.logLine("Cannot guard the state directory");
  await eventually(() => receiver.all.length >= 100);
  assert.equal(await shipper.stop(), 0);
  assert.deepEqual(idsOf(receiver.all), idsFrom("a", 100));
  assert.ok(shipper.logged.some(({ level, err }) => level === "error" && JSON.stringify(err).includes("mkdir '/proc/podkit'")));
});

test("A changed configuration takes effect without loss: new sink, new source, the positions kept", { timeout: 150_000 }, async () => {
  const { made, path } = place();
  using _ = made;
  await using before = new RecordingReceiver();
  await before.listen();
  await using after = new RecordingReceiver();
  await after.listen();
  const config = (receiver: RecordingReceiver, paths: readonly string[]) => configOf(made.root, { sources: [{ type: "tail", paths }], sinks: [sinkTo(receiver)], state: { directory: made.state }, chunk: { maxBytes: "4KiB" }, lines: { maxBytes: "1KiB" }, inFlight: { maxBytes: "64KiB" } }).config;
  const other = join(made.logs, "other.log");
  writeFileSync(other, lines("o", 0, 10));
  const shipper = startShipper(config(before, [path]));
  let written = 0;
  const write = (): void => {
    appendFileSync(path, lines("a", written, 2_000));
    written += 2_000;
  };
  write();
  await eventually(() => before.all.length > 0);
  write();
  const changed = shipper.change(config(after, [path, other]));
  write();
  await changed;
  write();
  await eventually(() => after.all.length + before.all.length >= written + 10);
  assert.equal(await shipper.stop(), 0);
  const ids = idsOf([...before.unique, ...after.unique]);
  assert.deepEqual(ids.toSorted(), [...idsFrom("a", written), ...idsFrom("o", 10)].toSorted(), "each line once: the change waited for the acks");
  assert.ok(idsOf(after.all).includes("o 0"));
  assert.equal(shipper.metric("ledger_bytes", 'column="pending"'), 0);
});

test("A change while the old sink is dead sends to the new one what the old one never confirmed", { timeout: 150_000 }, async () => {
  const { made, path } = place();
  using _ = made;
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const config = (sink: object) => configOf(made.root, { sources: [{ type: "tail", paths: [path] }], sinks: [sink], state: { directory: made.state } }).config;
  writeFileSync(path, lines("a", 0, 100));
  const shipper = startShipper(config({ type: "forward", servers: ["127.0.0.1:1"] }));
  await eventually(() => shipper.metric("ledger_bytes", 'column="pending"') > 0);
  await shipper.change(config(sinkTo(receiver)));
  await eventually(() => receiver.all.length === 100);
  assert.equal(await shipper.stop(), 0);
  assert.deepEqual(idsOf(receiver.all), idsFrom("a", 100));
  assert.equal(shipper.metric("ledger_bytes", 'column="read"'), lines("a", 0, 100).length, "bytes taken in twice count once");
});

test("A change that cannot be made is refused and the old configuration goes on", { timeout: 150_000 }, async () => {
  const { made, path } = place();
  using _ = made;
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const taken = createServer();
  taken.listen(0, "127.0.0.1");
  await once(taken, "listening");
  const address = taken.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const written = { sources: [{ type: "tail", paths: [path] }, { type: "forward", listen: "127.0.0.1:0" }], sinks: [sinkTo(receiver)], state: { directory: made.state } };
  const shipper = startShipper(configOf(made.root, written).config);
  await eventually(() => shipper.readiness.has("sinks"));
  await assert.rejects(shipper.change(configOf(made.root, { ...written, state: { directory: join(made.root, "elsewhere") } }).config), /state\.directory cannot change/);
  await assert.rejects(shipper.change(configOf(made.root, { ...written, sources: [{ type: "forward", listen: `127.0.0.1:${port}` }] }).config), /EADDRINUSE/);
  writeFileSync(path, lines("a", 0, 3));
  const listening = shipper.logged.findLast((line) => line["msg"] === "Listening for applications");
  const socket = connect(Number(listening?.["port"]), "127.0.0.1");
  socket.write(encode(["app", 1, { log: "a 3" }, { chunk: "c" }]));
  await eventually(() => receiver.all.length === 4);
  socket.destroy();
  assert.equal(await shipper.stop(), 0);
  taken.close();
});

test("Labels that change while the shipper runs are in the records that come after", { timeout: 150_000 }, async () => {
  const { made, path } = place();
  using _ = made;
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const podinfo = join(made.root, "podinfo");
  mkdirSync(podinfo);
  writeFileSync(join(podinfo, "labels"), 'version="1"\n');
  const shipper = startShipper(configOf(made.root, { sources: [{ type: "tail", paths: [path] }], sinks: [sinkTo(receiver)], state: { directory: made.state }, metadata: { directory: podinfo, refreshMs: 20 } }).config);
  writeFileSync(path, "one\n");
  await eventually(() => receiver.all.length === 1);
  writeFileSync(join(podinfo, "labels"), 'version="2"\n');
  let count = 1;
  await eventually(() => {
    appendFileSync(path, `line ${count++}\n`);
    return JSON.stringify(receiver.all.at(-1)) === JSON.stringify({ log: receiver.all.at(-1)?.["log"], kubernetes: { labels: { version: "2" } } });
  });
  assert.equal(await shipper.stop(), 0);
  assert.deepEqual(receiver.all[0], { log: "one", kubernetes: { labels: { version: "1" } } });
});

test("A process with a file open for writing is seen; one that only reads is not", { timeout: 150_000 }, async () => {
  const { made, path } = place();
  using _ = made;
  writeFileSync(path, "one\n");
  const { dev, ino } = statSync(path, { bigint: true });
  const seen = (): string => findWriters(new Set([`${dev}:${ino}`]), { processesMax: 100_000 });
  const hold = async (flags: "r" | "a", expected: boolean): Promise<void> => {
    const fd = openSync(path, flags);
    const holder = spawn("sleep", ["60"], { stdio: ["ignore", fd, "ignore"] });
    closeSync(fd);
    await once(holder, "spawn");
    assert.equal(seen() === "some", expected, flags);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    assert.notEqual(seen(), "some");
  };
  await hold("r", false);
  await hold("a", true);
  assert.equal(findWriters(new Set(), { processesMax: 0 }), "unknown");
});

test("In a shared process namespace the drain waits for the writer, however long it is quiet", { timeout: 150_000 }, async (context) => {
  const { made, path } = place();
  using _ = made;
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  writeFileSync(path, "one\n");
  const { file } = configOf(made.root, { sources: [{ type: "tail", paths: [path] }], sinks: [sinkTo(receiver)], state: { directory: made.state }, drain: { quietMs: 50, watchWriters: true } });
  const main = new URL("../../../sidecars/log-shipper/main.ts", import.meta.url).pathname;
  // The writer holds the log open, and writes its last words when it is told to.
  const script = `(exec 3>>"$1"; while [ ! -e "$1.go" ]; do sleep 0.05; done; echo last >&3) & "$2" "$3" --admin-address 127.0.0.1:0 --config "$4" & shipper=$!; while [ ! -e "$1.end" ]; do sleep 0.05; done; kill $shipper; wait $shipper; exit $?`;
  const child = spawn("unshare", ["--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh", path, process.execPath, main, file], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => (said += String(text)));
  const exited = once(child, "exit").then(([code]: (number | null)[]) => code ?? -1);
  const outcome = await Promise.race([exited, eventually(() => receiver.all.length === 1).then(() => "shipping" as const)]);
  if (outcome !== "shipping") {
    context.skip(`NOT TESTED: cannot make a process namespace (${said.trim()})`);
    return;
  }
  writeFileSync(`${path}.end`, "");
  await eventually(() => said.includes("Asked to end"));
  const quietSince = performance.now();
  await eventually(() => performance.now() - quietSince > 10 * 50); // ten times what is quiet enough without a writer
  assert.equal(child.exitCode, null, said);
  writeFileSync(`${path}.go`, "");
  assert.equal(await exited, 0, said);
  assert.deepEqual(receiver.all, [{ log: "one" }, { log: "last" }]);
});

test("In a shared process namespace, when no process is left that has the volume, the end comes at once whatever quietMs is", { timeout: 150_000 }, async (context) => {
  const { made, path } = place();
  using _ = made;
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const quietMs = 60_000;
  const { file } = configOf(made.root, { sources: [{ type: "tail", paths: [path] }], sinks: [sinkTo(receiver)], state: { directory: made.state }, drain: { quietMs, watchWriters: true } });
  const main = new URL("../../../sidecars/log-shipper/main.ts", import.meta.url).pathname;
  // Process 1 has other mounts than the shipper, whose logs are in a file system of its own, as an emptyDir in memory is. The
  // application has written its last words and is gone.
  const inside = `mount -t tmpfs podkit-test "$1" && printf 'one\\nlast' > "$2" && exec "$3" "$4" --admin-address 127.0.0.1:0 --config "$5"`;
  const script = `unshare --mount sh -c '${inside.replaceAll("'", "'\\''")}' sh "$@" & shipper=$!; while [ ! -e "$6" ]; do sleep 0.02; done; kill $shipper; wait $shipper`;
  const end = join(made.root, "end");
  const child = spawn("unshare", ["--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh", made.logs, path, process.execPath, main, file, end], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => (said += String(text)));
  const exited = once(child, "exit").then(([code]: (number | null)[]) => code ?? -1);
  const outcome = await Promise.race([exited, eventually(() => receiver.all.length === 1).then(() => "shipping" as const)]);
  if (outcome !== "shipping") {
    context.skip(`NOT TESTED: cannot make namespaces (${said.trim()})`);
    return;
  }
  writeFileSync(end, "");
  assert.equal(await exited, 0, said);
  const timeOf = (words: string): number => Date.parse(String((JSON.parse(said.split("\n").find((line) => line.includes(words)) ?? "{}") as { readonly time?: string }).time));
  const tookMs = timeOf('"Ended"') - timeOf("Asked to end");
  assert.ok(tookMs < quietMs / 2, `the end took ${tookMs} ms\n${said}`);
  assert.deepEqual(receiver.all, [{ log: "one" }, { log: "last" }]);
});
