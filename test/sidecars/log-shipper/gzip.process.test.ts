import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { runAudit } from "../../../sidecars/log-shipper/commands/audit.ts";
import { encodeRecord } from "../../../sidecars/log-shipper/state/checkpoint-log.ts";
import { createLog } from "../../../kit/log.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { configOf, idsFrom, idsOf, lines, startShipper, temporary, type RunningShipper } from "./support/shipper.ts";

type Stage = { readonly logs: string; readonly path: string; readonly state: string; readonly receiver: RecordingReceiver; readonly start: () => RunningShipper; readonly audit: () => Promise<number> };

function scenario(name: string, act: (stage: Stage) => Promise<void>, settings: { readonly pattern?: string; readonly tail?: object } = {}): void {
  test(name, { timeout: 150_000 }, async () => {
    using place = temporary();
    mkdirSync(place.logs);
    await using receiver = new RecordingReceiver();
    await receiver.listen();
    const { config } = configOf(place.root, {
      sources: [{ type: "tail", paths: [join(place.logs, settings.pattern ?? "app.log")], ...settings.tail }],
      sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`], retryMaxMs: 50, ackTimeoutMs: 300 }],
      state: { directory: place.state },
      chunk: { maxBytes: "4KiB" }, lines: { maxBytes: "1KiB" }, inFlight: { maxBytes: "64KiB" },
    });
    const audit = async (): Promise<number> => await runAudit({ config, log: createLog({ role: "log-shipper", level: "error" }), argv: [], print: () => undefined });
    await act({ logs: place.logs, path: join(place.logs, "app.log"), state: place.state, receiver, start: () => startShipper(config), audit });
    assert.deepEqual(existsSync(place.state) ? readdirSync(place.state).filter((file) => file.includes("gunzip")) : [], [], "nothing unpacked is left");
  });
}

/** As gzip(1) and logrotate do it: the compressed file has the time of the original, which goes when it is whole. */
function compress(path: string, to: string, options: { readonly keep?: true } = {}): void {
  const { mtime } = statSync(path);
  writeFileSync(to, gzipSync(readFileSync(path)));
  utimesSync(to, mtime, mtime);
  if (options.keep !== true) unlinkSync(path);
}

async function expectExactly({ receiver }: Stage, shipper: RunningShipper, expected: readonly string[]): Promise<void> {
  await eventually(() => new Set(idsOf(receiver.unique)).size >= expected.length, { what: `${expected.length} lines` }).catch(() => undefined);
  assert.equal(await shipper.stop(), 0, JSON.stringify(shipper.logged.at(-1)));
  assert.deepEqual(idsOf(receiver.unique).toSorted(), [...expected].toSorted());
  assert.equal(shipper.metric("lost_bytes_total"), 0, shipper.logged.map((line) => JSON.stringify(line)).join("\n"));
}

const unpackedBy = (shipper: RunningShipper): number => shipper.logged.filter((line) => String(line["msg"]).startsWith("Reading a compressed")).length;

scenario("Rotated, compressed and deleted while the shipper is dead and had read a part: L 0, D 0, and nothing comes again at the next start", async (stage) => {
  const { path, receiver } = stage;
  let acks = 5;
  receiver.ack = () => acks-- > 0;
  writeFileSync(path, lines("a", 0, 3_000));
  const first = stage.start();
  await eventually(() => acks < -5);
  assert.equal(await first.giveUp(), 75);
  appendFileSync(path, lines("a", 3_000, 10));
  compress(path, `${path}.1.gz`);
  writeFileSync(path, lines("b", 0, 5));
  acks = Infinity;
  const expected = [...idsFrom("a", 3_010), ...idsFrom("b", 5)];
  const second = stage.start();
  await expectExactly(stage, second, expected);
  assert.equal(unpackedBy(second), 1);
  assert.equal(await stage.audit(), 0);
  const third = stage.start();
  appendFileSync(path, lines("b", 5, 5));
  await expectExactly(stage, third, [...idsFrom("a", 3_010), ...idsFrom("b", 10)]);
  assert.equal(unpackedBy(third), 0);
});

scenario("Written, rotated and compressed while the shipper is dead: L 0, D 0", async (stage) => {
  const { path } = stage;
  const first = stage.start();
  writeFileSync(path, lines("a", 0, 10));
  await eventually(() => stage.receiver.all.length === 10);
  assert.equal(await first.stop(), 0);
  compress(path, `${path}.2.gz`);
  writeFileSync(path, lines("b", 0, 2_000));
  compress(path, `${path}.1.gz`);
  writeFileSync(path, lines("c", 0, 10));
  await expectExactly(stage, stage.start(), [...idsFrom("a", 10), ...idsFrom("b", 2_000), ...idsFrom("c", 10)]);
  const again = stage.start();
  appendFileSync(path, lines("c", 10, 1));
  await expectExactly(stage, again, [...idsFrom("a", 10), ...idsFrom("b", 2_000), ...idsFrom("c", 11)]);
  assert.equal(unpackedBy(again), 0);
});

scenario("A file that was read to its end is not read again when it is compressed, with the plain one beside it or gone, and not even unpacked", async (stage) => {
  const { path, logs } = stage;
  const shipper = stage.start();
  const banner = `${"=".repeat(300)}\n`; // all begin alike
  let expected: readonly string[] = [];
  for (const name of ["a", "b", "c"]) {
    writeFileSync(path, `${banner}${lines(name, 0, 100)}`);
    expected = [...expected, banner.trimEnd(), ...idsFrom(name, 100)];
    await eventually(() => stage.receiver.all.length === expected.length);
    compress(path, join(logs, `app.log-${name}.gz`), name === "b" ? { keep: true } : {});
    await eventually(() => !existsSync(path) || name === "b");
    if (name === "b") unlinkSync(path);
  }
  await eventually(() => shipper.metric("rotations_total") >= 2);
  assert.equal(await shipper.stop(), 0);
  // As after a day: nothing is left of the plain files' own records.
  const positions = join(stage.state, "positions.log");
  const gone = readFileSync(positions, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line.slice(9)) as { readonly kind: string; readonly number: number; readonly ino?: string });
  const there = new Set(readdirSync(logs).map((each) => String(statSync(join(logs, each), { bigint: true }).ino)));
  const forgotten = gone.filter((record) => record.kind === "file" && !there.has(record.ino ?? "")).map(({ number }) => encodeRecord({ kind: "drop", number }));
  assert.ok(forgotten.length > 0);
  appendFileSync(positions, forgotten.join(""));
  const again = stage.start();
  writeFileSync(path, lines("d", 0, 1));
  await eventually(() => stage.receiver.all.length === expected.length + 1);
  assert.equal(await again.stop(), 0);
  assert.deepEqual(idsOf(stage.receiver.all).toSorted(), [...expected, "d 0"].toSorted());
  assert.equal(unpackedBy(shipper) + unpackedBy(again), 0);
});

scenario("Copied, truncated and the copy compressed at once, as logrotate does it: L 0, D 0, whether or not it was read before", async (stage) => {
  const { path } = stage;
  let open = true;
  stage.receiver.ack = () => open;
  const shipper = stage.start();
  let expected: readonly string[] = [];
  const cycle = async (name: string, count: number): Promise<void> => {
    writeFileSync(path, lines(name, 0, count), { flag: "a" });
    expected = [...expected, ...idsFrom(name, count)];
    await eventually(() => (open ? new Set(idsOf(stage.receiver.unique)).size === expected.length : shipper.metric("lag_bytes") >= lines(name, 0, count).length));
    const copy = `${path}-${name}`;
    writeFileSync(copy, readFileSync(path));
    writeFileSync(path, "");
    compress(copy, `${copy}.gz`);
    // Of what is truncated away before a byte of it is read nothing is seen but the compressed copy.
    if (open) await eventually(() => shipper.metric("truncations_total") === expected.length / count, { what: "the truncation to be seen" });
  };
  await cycle("20260101", 2_000);
  await cycle("20260102", 2_000);
  open = false;
  await cycle("20260103", 2_000);
  open = true;
  await expectExactly(stage, shipper, expected);
});

scenario("Files that match are read, however old, each once, beside the plain one they were made of", async (stage) => {
  const { path, logs } = stage;
  const old = new Date(1_600_000_000_000);
  for (const name of ["a", "b"]) {
    writeFileSync(join(logs, name), lines(name, 0, 500));
    utimesSync(join(logs, name), old, old);
    compress(join(logs, name), join(logs, `app.log.${name}.gz`));
  }
  writeFileSync(path, lines("c", 0, 500));
  compress(path, join(logs, "app.log.c.gz"), { keep: true });
  writeFileSync(join(logs, "app.log.text.gz"), "not compressed\n");
  const first = stage.start();
  await expectExactly(stage, first, ["a", "b", "c"].flatMap((name) => idsFrom(name, 500)));
  assert.equal(unpackedBy(first), 2);
  const again = stage.start();
  appendFileSync(path, lines("c", 500, 1));
  await eventually(() => stage.receiver.all.length === 1_501);
  assert.equal(await again.stop(), 0);
  assert.equal(stage.receiver.all.length, 1_501);
}, { pattern: "app.log*" });

scenario("Rotated forms from before the first start are left alone", async (stage) => {
  const { path } = stage;
  const old = new Date(1_600_000_000_000);
  writeFileSync(path, lines("old", 0, 10));
  utimesSync(path, old, old);
  compress(path, `${path}.1.gz`);
  writeFileSync(path, lines("a", 0, 10));
  await expectExactly(stage, stage.start(), idsFrom("a", 10));
});

scenario("With gzip.read off nothing compressed is read, also if it matches", async (stage) => {
  writeFileSync(stage.path, lines("a", 0, 10));
  compress(stage.path, `${stage.path}.1.gz`);
  writeFileSync(stage.path, lines("b", 0, 10));
  await expectExactly(stage, stage.start(), idsFrom("b", 10));
}, { pattern: "app.log*", tail: { gzip: { read: false } } });

scenario("One that is written slowly is read once it is whole; a damaged one is reported and holds nobody up", async (stage) => {
  const { path, logs } = stage;
  const shipper = stage.start();
  const packed = gzipSync(lines("slow", 0, 1_000));
  writeFileSync(join(logs, "slow.log.gz"), packed.subarray(0, 500));
  const bad = gzipSync(lines("bad", 0, 1_000));
  bad.fill(0xff, 200, 300);
  writeFileSync(join(logs, "bad.log.gz"), bad);
  await shipper.logLine("Cannot unpack a compressed log file");
  appendFileSync(join(logs, "slow.log.gz"), packed.subarray(500));
  writeFileSync(path, lines("a", 0, 10));
  await eventually(() => new Set(idsOf(stage.receiver.unique)).size >= 1_010);
  await expectExactly(stage, shipper, [...idsFrom("slow", 1_000), ...idsFrom("a", 10)]);
}, { pattern: "*.log*" });

scenario("Killed while it reads a compressed file, it goes on there: L 0, D 0", async (stage) => {
  let acks = 10;
  stage.receiver.ack = () => acks-- > 0;
  writeFileSync(join(stage.logs, "x"), lines("a", 0, 3_000));
  compress(join(stage.logs, "x"), join(stage.logs, "batch.gz"));
  const first = stage.start();
  await eventually(() => acks < -5);
  assert.equal(await first.giveUp(), 75);
  assert.equal(await stage.audit(), 75);
  acks = Infinity;
  await expectExactly(stage, stage.start(), idsFrom("a", 3_000));
  assert.equal(await stage.audit(), 0);
}, { pattern: "*.gz" });

scenario("What was there at the first start with start: end is passed over for good", async (stage) => {
  writeFileSync(join(stage.logs, "x"), lines("a", 0, 100));
  compress(join(stage.logs, "x"), join(stage.logs, "app.log.1.gz"));
  writeFileSync(stage.path, lines("b", 0, 100));
  const first = stage.start();
  await first.logLine("Following a file");
  assert.equal(await first.stop(), 0);
  assert.equal(await stage.audit(), 0);
  const again = stage.start();
  appendFileSync(stage.path, lines("c", 0, 5));
  await expectExactly(stage, again, idsFrom("c", 5));
}, { pattern: "app.log*", tail: { start: "end" } });

scenario("With deleteAfterMs a file goes after its acknowledgement and not before, its unterminated last line with it; an empty file stays", async (stage) => {
  const { path, logs, receiver } = stage;
  receiver.ack = () => false;
  writeFileSync(path, `${lines("a", 0, 10)}a 10`);
  writeFileSync(join(logs, "empty.log"), "");
  writeFileSync(join(logs, "x"), lines("b", 0, 10));
  compress(join(logs, "x"), join(logs, "batch.log.gz"));
  const shipper = stage.start();
  await eventually(() => new Set(idsOf(receiver.all)).size === 21 && receiver.received.length > 6, { what: "every line to be sent more than once" });
  assert.deepEqual(readdirSync(logs).toSorted(), ["app.log", "batch.log.gz", "empty.log"]);
  receiver.ack = () => true;
  await eventually(() => readdirSync(logs).length === 1);
  assert.deepEqual(readdirSync(logs), ["empty.log"]);
  assert.equal(shipper.metric("files_deleted_total"), 2);
  writeFileSync(path, lines("c", 0, 5)); // perhaps on the same inode
  await expectExactly(stage, shipper, [...idsFrom("a", 11), ...idsFrom("b", 10), ...idsFrom("c", 5)]);
  rmSync(path, { force: true });
}, { pattern: "*.log*", tail: { deleteAfterMs: 300 } });
