import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { systemClock, type Clock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import { AwakeTime } from "../../../sidecars/log-shipper/sinks/awake-time.ts";
import { Checkpoint } from "../../../sidecars/log-shipper/state/checkpoint.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { configOf, idsFrom, idsOf, lines, startShipper, temporary, type RunningShipper } from "./support/shipper.ts";

/**
 * Faults on the side of the files, each with its promise counted line by line: L = lines lost, D = lines that a receiver that knows
 * chunk ids stores twice.
 */
type Stage = {
  readonly logs: string;
  readonly path: string;
  readonly state: string;
  readonly receiver: RecordingReceiver;
  readonly start: (options?: { readonly muted?: boolean; readonly clock?: Clock }) => RunningShipper;
};

const smallWindow = { chunk: { maxBytes: "4KiB" }, lines: { maxBytes: "1KiB" }, inFlight: { maxBytes: "64KiB" } };
const muted = () => ({ add: () => undefined, remove: () => undefined, mode: "native" as const, close: () => Promise.resolve() });

function fault(name: string, act: (stage: Stage) => Promise<void>, settings: { readonly pattern?: string; readonly written?: object; readonly tail?: object; readonly sink?: object } = {}): void {
  test(name, { timeout: 150_000 }, async () => {
    using place = temporary();
    mkdirSync(place.logs);
    await using receiver = new RecordingReceiver();
    await receiver.listen();
    const { config } = configOf(place.root, {
      sources: [{ type: "tail", paths: [join(place.logs, settings.pattern ?? "app.log")], ...settings.tail }],
      sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`], retryMaxMs: 50, ...settings.sink }],
      state: { directory: place.state },
      ...settings.written,
    });
    const started: RunningShipper[] = [];
    const start = (options: { readonly muted?: boolean; readonly clock?: Clock } = {}): RunningShipper => {
      const shipper = startShipper(config, options.muted === true ? muted : undefined, options.clock);
      started.push(shipper);
      return shipper;
    };
    try {
      await act({ logs: place.logs, path: join(place.logs, "app.log"), state: place.state, receiver, start });
    } finally {
      await Promise.all(started.map((shipper) => shipper.giveUp())); // after a failure; the others have ended
    }
  });
}

/** Waits for that many stored lines, ends the shipper, and compares. */
async function expectExactly(stage: Stage, shipper: RunningShipper, expected: readonly string[]): Promise<void> {
  await eventually(() => new Set(idsOf(stage.receiver.unique)).size >= expected.length, { what: `${expected.length} lines` }).catch(() => undefined);
  assert.equal(await shipper.stop(), 0, JSON.stringify(shipper.logged.at(-1)));
  const ids = idsOf(stage.receiver.unique);
  const stored = new Set(ids);
  const missing = expected.filter((id) => !stored.has(id));
  assert.deepEqual(missing.slice(0, 5), [], `L = ${missing.length} of ${expected.length}`);
  assert.equal(ids.length - expected.length, 0, `D = ${ids.length - expected.length}`);
}

function rotate(path: string, keep: number): void {
  for (let index = keep; index > 0; index--) {
    const from = index === 1 ? path : `${path}.${index - 1}`;
    if (existsSync(from)) renameSync(from, `${path}.${index}`);
  }
}

async function pause(ms: number): Promise<void> {
  const due = performance.now() + ms;
  await eventually(() => performance.now() >= due, { intervalMs: 2 });
}

fault("A hundred rotations 20 ms apart, twenty files kept, rotated names outside the pattern: L 0, D 0", async (stage) => {
  const shipper = stage.start();
  await eventually(() => shipper.readiness.has("sinks"));
  for (let round = 0; round < 100; round++) {
    appendFileSync(stage.path, lines(`r${round}`, 0, 20));
    await pause(20);
    // A file that is rotated twenty times before anybody has looked is gone.
    await eventually(() => round < 15 || idsOf(stage.receiver.all).includes(`r${round - 15} 19`), { intervalMs: 2, what: "the shipper to be less than twenty files behind" });
    rotate(stage.path, 20);
  }
  await expectExactly(stage, shipper, Array.from({ length: 100 }, (_, round) => idsFrom(`r${round}`, 20)).flat());
});

fault("Rotated, compressed and deleted while the receiver is slow, but open here: L 0, D 0", async (stage) => {
  let open = false;
  stage.receiver.ack = () => open;
  const shipper = stage.start();
  writeFileSync(stage.path, lines("a", 0, 5_000)); // more than may be in flight
  await eventually(() => stage.receiver.all.length > 0);
  renameSync(stage.path, `${stage.path}.1`);
  writeFileSync(stage.path, lines("b", 0, 10));
  writeFileSync(`${stage.path}.1.gz`, gzipSync(readFileSync(`${stage.path}.1`)));
  unlinkSync(`${stage.path}.1`);
  await eventually(() => shipper.metric("rotations_total") === 1);
  open = true;
  await expectExactly(stage, shipper, [...idsFrom("a", 5_000), ...idsFrom("b", 10)]);
}, { written: smallWindow, sink: { ackTimeoutMs: 300 } });

fault("Copied and truncated with lines written in between that were not read: exactly those are lost, and counted", async (stage) => {
  let open = false;
  stage.receiver.ack = () => open;
  const shipper = stage.start();
  writeFileSync(stage.path, lines("a", 0, 5_000));
  await eventually(() => stage.receiver.all.length > 0);
  copyFileSync(stage.path, `${stage.path}.1`);
  const gap = lines("gap", 0, 37);
  appendFileSync(stage.path, gap);
  await eventually(() => shipper.metric("lag_bytes") >= lines("a", 0, 5_000).length + gap.length, { what: "the growth to be seen" });
  truncateSync(stage.path, 0);
  appendFileSync(stage.path, lines("b", 0, 10));
  await eventually(() => shipper.metric("truncations_total") === 1);
  open = true;
  await expectExactly(stage, shipper, [...idsFrom("a", 5_000), ...idsFrom("b", 10)]);
  assert.equal(shipper.metric("lost_bytes_total"), gap.length);
}, { written: smallWindow, sink: { ackTimeoutMs: 300 } });

fault("Copied and truncated after more was read than was copied: L 0, D 0, also after a restart", async (stage) => {
  const first = stage.start();
  writeFileSync(stage.path, lines("a", 0, 100));
  copyFileSync(stage.path, `${stage.path}.1`);
  appendFileSync(stage.path, lines("a", 100, 10));
  await eventually(() => stage.receiver.all.length === 110);
  truncateSync(stage.path, 0);
  appendFileSync(stage.path, lines("b", 0, 5));
  await eventually(() => stage.receiver.all.length >= 115);
  assert.equal(await first.stop(), 0);
  assert.equal(first.metric("lost_bytes_total"), 0);
  const again = stage.start();
  appendFileSync(stage.path, lines("b", 5, 5));
  await expectExactly(stage, again, [...idsFrom("a", 110), ...idsFrom("b", 10)]);
});

fault("Copied and truncated twice while the shipper is dead: L 0, D 0", async (stage) => {
  const first = stage.start();
  writeFileSync(stage.path, lines("a", 0, 100));
  await eventually(() => stage.receiver.all.length === 100);
  assert.equal(await first.stop(), 0);
  const copyAndTruncate = (): void => {
    if (existsSync(`${stage.path}.1`)) renameSync(`${stage.path}.1`, `${stage.path}.2`);
    copyFileSync(stage.path, `${stage.path}.1`);
    truncateSync(stage.path, 0);
  };
  appendFileSync(stage.path, lines("a", 100, 10));
  copyAndTruncate();
  appendFileSync(stage.path, lines("b", 0, 300));
  copyAndTruncate();
  appendFileSync(stage.path, lines("c", 0, 10));
  await expectExactly(stage, stage.start(), [...idsFrom("a", 110), ...idsFrom("b", 300), ...idsFrom("c", 10)]);
});

fault("Copied and truncated while dead, and a start in between that is killed before its first look: L 0, D 0", async (stage) => {
  const first = stage.start();
  writeFileSync(stage.path, lines("a", 0, 100));
  await eventually(() => stage.receiver.all.length === 100);
  assert.equal(await first.stop(), 0);
  appendFileSync(stage.path, lines("b", 0, 300));
  for (const name of ["one", "two"]) {
    copyFileSync(stage.path, `${stage.path}.${name}1`);
    truncateSync(stage.path, 0);
    appendFileSync(stage.path, lines(name, 0, 300));
  }
  await pause(2_200); // longer than the times of a look are uncertain
  await Checkpoint.open({ directory: stage.state, clock: systemClock, log: createLog({ role: "log-shipper", level: "error" }), onWrite: () => undefined });
  await expectExactly(stage, stage.start(), [...idsFrom("a", 100), ...idsFrom("b", 300), ...idsFrom("one", 300), ...idsFrom("two", 300)]);
});

fault("Truncated and written anew between two looks, smaller, as large and larger: L 0 of the new content, D 0, nothing counted lost", async (stage) => {
  const shipper = stage.start({ muted: true });
  let expected: readonly string[] = [];
  for (const [name, count] of [["first", 100], ["lower", 50], ["equal", 50], ["upper", 200]] as const) {
    writeFileSync(stage.path, lines(name, 0, count));
    expected = [...expected, ...idsFrom(name, count)];
    await eventually(() => stage.receiver.all.length >= expected.length);
  }
  await expectExactly(stage, shipper, expected);
  assert.equal(shipper.metric("lost_bytes_total"), 0);
});

fault("An inode reused while the shipper is stopped, by a larger and by a smaller file: L 0, D 0", async (stage) => {
  let expected: readonly string[] = [];
  let reused = 0;
  let inode = 0n;
  for (const [name, count] of [["a", 50], ["b", 200], ["c", 20]] as const) {
    if (existsSync(stage.path)) unlinkSync(stage.path);
    writeFileSync(stage.path, lines(name, 0, count));
    const now = statSync(stage.path, { bigint: true }).ino;
    if (now === inode) reused++;
    inode = now;
    expected = [...expected, ...idsFrom(name, count)];
    await expectExactly(stage, stage.start(), expected);
  }
  assert.ok(reused >= 0); // ext4 gives the same inode again, other file systems may not
});

fault("Files with equal first lines, and equal altogether, are files of their own: L 0, D 0", async (stage) => {
  const banner = `${"=".repeat(300)}\n`;
  for (const name of ["a", "b", "c"]) writeFileSync(join(stage.logs, `${name}.log`), `${banner}${lines(name, 0, 10)}`);
  for (const name of ["x", "y"]) writeFileSync(join(stage.logs, `${name}.log`), "same 0\n");
  const shipper = stage.start();
  await eventually(() => stage.receiver.all.length >= 35);
  assert.equal(await shipper.stop(), 0);
  const ids = idsOf(stage.receiver.all).filter((id) => !id.startsWith("="));
  assert.deepEqual(ids.toSorted(), [...["a", "b", "c"].flatMap((name) => idsFrom(name, 10)), "same 0", "same 0"].toSorted());
}, { pattern: "*.log" });

fault("A file of one byte is shipped at once when its line ends, and the empty file is no trouble", async (stage) => {
  const shipper = stage.start();
  writeFileSync(join(stage.logs, "empty.log"), "");
  writeFileSync(join(stage.logs, "tiny.log"), "x");
  await shipper.logLine("Following a file");
  appendFileSync(join(stage.logs, "tiny.log"), "\n");
  await eventually(() => stage.receiver.all.length === 1);
  assert.equal(await shipper.stop(), 0);
  assert.deepEqual(stage.receiver.all, [{ log: "x" }]);
}, { pattern: "*.log" });

fault("A ..data switch, as volumes of ConfigMaps make it: L 0, D 0 of both generations", async (stage) => {
  const generation = (name: string): void => {
    mkdirSync(join(stage.logs, `..${name}`));
    writeFileSync(join(stage.logs, `..${name}/app.log`), lines(name, 0, 20));
    symlinkSync(`..${name}`, join(stage.logs, "..data.new"));
    renameSync(join(stage.logs, "..data.new"), join(stage.logs, "..data"));
  };
  generation("one");
  symlinkSync("..data/app.log", stage.path);
  const shipper = stage.start();
  await eventually(() => stage.receiver.all.length === 20);
  generation("two");
  appendFileSync(join(stage.logs, "..one/app.log"), lines("one", 20, 5));
  await expectExactly(stage, shipper, [...idsFrom("one", 25), ...idsFrom("two", 20)]);
});

for (const [what, damage] of [
  ["torn in the middle of a record", (path: string) => truncateSync(path, Math.floor(statSync(path).size * 0.8))],
  ["with a flipped bit", (path: string) => flipBit(path, 0.5)],
  ["with a flipped bit in its last record", (path: string) => flipBit(path, 0.98)],
  ["emptied", (path: string) => truncateSync(path, 0)],
  ["replaced by rubbish", (path: string) => writeFileSync(path, Buffer.alloc(5_000, 0xa5))],
] as const) {
  fault(`The saved positions ${what}: it starts, L 0, and what comes twice is bounded by what the damage hides`, async (stage) => {
    const first = stage.start();
    for (let round = 0; round < 10; round++) {
      appendFileSync(stage.path, lines("a", round * 20, 20));
      await eventually(() => first.metric("ledger_bytes", 'column="acked"') === lines("a", 0, (round + 1) * 20).length);
    }
    const copied = readFileSync(join(stage.state, "positions.log")); // as a death leaves it, not compacted
    assert.equal(await first.stop(), 0);
    writeFileSync(join(stage.state, "positions.log"), copied);
    damage(join(stage.state, "positions.log"));
    appendFileSync(stage.path, lines("a", 200, 20));
    const again = stage.start();
    await eventually(() => new Set(idsOf(stage.receiver.all)).size === 220);
    assert.equal(await again.stop(), 0);
    assert.ok(stage.receiver.all.length <= 220 + 200, "at most everything that was there before comes again");
    assert.deepEqual([...new Set(idsOf(stage.receiver.all))].toSorted(), idsFrom("a", 220).toSorted());
  });
}

function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path);
  const index = Math.floor(bytes.length * at);
  bytes[index] = (bytes[index] ?? 0) ^ 4;
  writeFileSync(path, bytes);
}

fault("Without any wake-up, new files, growth, rotation and truncation are found by looking alone, each at one of the next looks", async (stage) => {
  const shipper = stage.start({ muted: true });
  let expected: readonly string[] = [];
  const soon = async (what: string, ids: readonly string[], change: () => void): Promise<void> => {
    await pause(1_200); // the file is cold: only the next look can tell
    expected = [...expected, ...ids];
    // This process looks and waits: what it stood still is no time of the looks.
    const time = new AwakeTime(systemClock);
    const since = time.nowMs();
    change();
    while (stage.receiver.all.length < expected.length) {
      await time.sleep(5, AbortSignal.timeout(60_000));
      assert.ok(time.nowMs() - since < 5_000, what);
    }
  };
  await soon("a new file", idsFrom("a", 5), () => writeFileSync(stage.path, lines("a", 0, 5)));
  await soon("growth", idsFrom("b", 5), () => appendFileSync(stage.path, lines("b", 0, 5)));
  await soon("a rotation", idsFrom("c", 5), () => {
    renameSync(stage.path, `${stage.path}.1`);
    writeFileSync(stage.path, lines("c", 0, 5));
  });
  await soon("a truncation", idsFrom("d", 3), () => writeFileSync(stage.path, lines("d", 0, 3)));
  await expectExactly(stage, shipper, expected);
});

fault("How far behind a file is, in bytes and in seconds, is told until it is acknowledged", async (stage) => {
  let open = true;
  stage.receiver.ack = () => open;
  const shipper = stage.start();
  appendFileSync(stage.path, lines("a", 0, 10));
  await eventually(() => shipper.metric("ledger_bytes", 'column="acked"') === lines("a", 0, 10).length);
  assert.equal(shipper.metric("lag_bytes"), 0);
  assert.equal(shipper.metric("lag_seconds"), 0);
  open = false;
  const since = performance.now();
  appendFileSync(stage.path, lines("a", 10, 10));
  await eventually(() => shipper.metric("lag_bytes", `file="${stage.path}"`) === lines("a", 10, 10).length);
  await eventually(() => shipper.metric("lag_seconds", `file="${stage.path}"`) > 0.3);
  assert.ok(shipper.metric("lag_seconds") <= (performance.now() - since) / 1_000);
  open = true;
  await eventually(() => shipper.metric("lag_bytes") === 0 && shipper.metric("lag_seconds") === 0);
  await expectExactly(stage, shipper, idsFrom("a", 20));
}, { sink: { ackTimeoutMs: 200 } });

fault("The wall clock jumps a day back and forth: no delivery, retry or deadline notices", async (stage) => {
  let offsetMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + offsetMs };
  let swallowed = 0;
  stage.receiver.ack = () => swallowed++ % 5 !== 3;
  const shipper = stage.start({ clock });
  for (let round = 0; round < 8; round++) {
    offsetMs = (round % 2 === 0 ? 1 : -1) * 86_400_000;
    appendFileSync(stage.path, lines("a", round * 50, 50));
    if (round === 4) renameSync(stage.path, `${stage.path}.1`);
    await eventually(() => shipper.metric("ledger_bytes", 'column="pending"') === 0 && new Set(idsOf(stage.receiver.unique)).size === (round + 1) * 50, { intervalMs: 5 });
  }
  await expectExactly(stage, shipper, idsFrom("a", 400));
}, { sink: { ackTimeoutMs: 200 } });
