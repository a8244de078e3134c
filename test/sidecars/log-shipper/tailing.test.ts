import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { configOf, idsFrom, idsOf, lines, startShipper, temporary, type RunningShipper } from "./support/shipper.ts";

type Stage = { readonly logs: string; readonly path: string; readonly receiver: RecordingReceiver; readonly shipper: RunningShipper; readonly arrived: (count: number) => Promise<void> };

/** One file pattern, one receiver, one shipper; afterwards it must end with exit code 0 and a balanced ledger. */
function scenario(name: string, act: (stage: Stage) => Promise<void>, settings: { readonly pattern?: string; readonly tail?: object; readonly written?: object; readonly before?: (logs: string) => void; readonly sink?: object; readonly muted?: true } = {}): void {
  test(name, { timeout: 150_000 }, async () => {
    using place = temporary();
    mkdirSync(place.logs);
    settings.before?.(place.logs);
    const receiver = new RecordingReceiver();
    await receiver.listen();
    const { config } = configOf(place.root, {
      sources: [{ type: "tail", paths: [join(place.logs, settings.pattern ?? "app.log")], ...settings.tail }],
      sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`], ...settings.sink }],
      state: { directory: place.state },
      ...settings.written,
    });
    const shipper = startShipper(config, settings.muted === true ? () => ({ add: () => undefined, remove: () => undefined, mode: "native", close: () => Promise.resolve() }) : undefined);
    try {
      const arrived = async (count: number): Promise<void> => {
        await eventually(() => receiver.all.length >= count, { what: `${count} records` }).catch((error: unknown) => {
          throw new Error(`Only ${receiver.all.length} of ${count} records arrived`, { cause: error });
        });
      };
      await act({ logs: place.logs, path: join(place.logs, "app.log"), receiver, shipper, arrived });
    } finally {
      const code = await shipper.stop();
      await receiver.close();
      assert.equal(code, 0, `exit code: ${JSON.stringify(shipper.logged.at(-1))}`);
      assert.equal(shipper.metric("ledger_bytes", 'column="pending"'), 0);
      assert.equal(shipper.metric("ledger_bytes", 'column="read"'), shipper.metric("ledger_bytes", 'column="acked"') + shipper.metric("ledger_bytes", 'column="filtered"'));
    }
  });
}

scenario("Lines appended to a file arrive in order, each once", async ({ path, receiver, arrived }) => {
  for (let batch = 0; batch < 20; batch++) {
    appendFileSync(path, lines("a", batch * 50, 50));
    await arrived((batch + 1) * 50);
  }
  assert.deepEqual(idsOf(receiver.all), idsFrom("a", 1000));
});

scenario("A file that was there before is read from its beginning", async ({ receiver, arrived }) => {
  await arrived(10);
  assert.deepEqual(idsOf(receiver.all), idsFrom("a", 10));
}, { before: (logs) => writeFileSync(join(logs, "app.log"), lines("a", 0, 10)) });

scenario("With start: end only what comes later is shipped", async ({ path, receiver, shipper, arrived }) => {
  await shipper.logLine("Following a file");
  appendFileSync(path, lines("new", 0, 10));
  await arrived(10);
  assert.deepEqual(idsOf(receiver.all), idsFrom("new", 10));
}, { tail: { start: "end" }, before: (logs) => writeFileSync(join(logs, "app.log"), lines("old", 0, 10)) });

scenario("A line written in two parts is one record", async ({ path, receiver, arrived }) => {
  appendFileSync(path, "first\nsecond is wri");
  await arrived(1);
  appendFileSync(path, "tten in two parts\n");
  await arrived(2);
  assert.deepEqual(receiver.all, [{ log: "first" }, { log: "second is written in two parts" }]);
});

scenario("A rotation by rename loses and repeats nothing, also what is appended to the rotated file", async ({ path, receiver, arrived }) => {
  appendFileSync(path, lines("a", 0, 100));
  await arrived(100);
  appendFileSync(path, lines("a", 100, 10));
  renameSync(path, `${path}.1`);
  appendFileSync(path, lines("b", 0, 10));
  appendFileSync(`${path}.1`, lines("a", 110, 10));
  await arrived(130);
  assert.deepEqual(idsOf(receiver.all).toSorted(), [...idsFrom("a", 120), ...idsFrom("b", 10)].toSorted());
});

scenario("The unterminated last line of a rotated file is shipped after the wait", async ({ path, receiver, arrived }) => {
  appendFileSync(path, "one\ntwo without end");
  await arrived(1);
  renameSync(path, `${path}.1`);
  appendFileSync(path, "three\n");
  await arrived(3);
  assert.deepEqual(idsOf(receiver.all).toSorted(), ["one", "three", "two without"]);
});

scenario("Thirty rotations 20 ms apart, twenty files kept, rotated names outside the pattern: every line arrives once", async ({ path, receiver, shipper, arrived }) => {
  await eventually(() => shipper.readiness.has("sinks")); // what is rotated away before the very first start is not followed
  for (let round = 0; round < 30; round++) {
    appendFileSync(path, lines(`r${round}`, 0, 50));
    const due = performance.now() + 20;
    await eventually(() => performance.now() >= due, { intervalMs: 2 });
    // A file that is rotated twenty times before anybody has looked is gone.
    await eventually(() => round < 15 || idsOf(receiver.all).includes(`r${round - 15} 49`), { intervalMs: 2, what: "the shipper to be less than twenty files behind" });
    for (let index = 20; index > 0; index--) {
      const from = index === 1 ? path : `${path}.${index - 1}`;
      if (existsSync(from)) renameSync(from, `${path}.${index}`);
    }
  }
  appendFileSync(path, lines("end", 0, 2));
  await arrived(30 * 50 + 2);
  const ids = idsOf(receiver.all);
  assert.equal(new Set(ids).size, 30 * 50 + 2);
  assert.equal(ids.length, 30 * 50 + 2);
  assert.ok(shipper.metric("rotations_total") > 0);
});

scenario("A copytruncate loses nothing that the copy holds, even when the receiver was slow", async ({ path, receiver, shipper, arrived }) => {
  let open = false;
  receiver.ack = () => open;
  appendFileSync(path, lines("a", 0, 8_000)); // more than may be in flight
  await eventually(() => receiver.all.length > 0);
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
  appendFileSync(path, lines("b", 0, 50));
  open = true;
  // What came before was not acknowledged and comes again after the ack deadline.
  await eventually(() => new Set(idsOf(receiver.unique)).size === 8_050, { what: "all lines" }).catch(() => assert.equal(new Set(idsOf(receiver.unique)).size, 8_050));
  assert.equal(receiver.unique.length, 8_050, "a receiver that knows chunk ids stores each line once");
  assert.equal(shipper.metric("truncations_total"), 1);
  assert.equal(shipper.metric("lost_bytes_total"), 0);
  await arrived(8_050);
}, { written: { inFlight: { maxBytes: "64KiB" }, chunk: { maxBytes: "16KiB" }, lines: { maxBytes: "8KiB" } }, sink: { ackTimeoutMs: 500 } });

scenario("A file truncated and written anew, smaller, as large, or larger, is read from its start", async ({ path, receiver, arrived, shipper }) => {
  let total = 0;
  let truncations = 0;
  for (const [name, count] of [["first", 100], ["lower", 50], ["equal", 50], ["upper", 200]] as const) {
    writeFileSync(path, lines(name, 0, count)); // truncates in place
    total += count;
    await arrived(total);
    if (name !== "first") truncations++;
  }
  assert.equal(receiver.all.length, total);
  assert.equal(shipper.metric("truncations_total"), truncations);
  assert.deepEqual(idsOf(receiver.all), [...idsFrom("first", 100), ...idsFrom("lower", 50), ...idsFrom("equal", 50), ...idsFrom("upper", 200)]);
});

scenario("A file deleted and created again in one go is a new file", async ({ path, receiver, arrived }) => {
  for (let round = 0; round < 5; round++) {
    writeFileSync(path, lines(`r${round}`, 0, 20));
    await arrived((round + 1) * 20);
    unlinkSync(path);
  }
  writeFileSync(path, lines("r5", 0, 20)); // the inode is likely reused
  await arrived(120);
  assert.equal(new Set(idsOf(receiver.all)).size, 120);
  assert.equal(receiver.all.length, 120);
});

scenario("A symbolic link switched to another file is followed to both ends", async ({ logs, path, receiver, arrived }) => {
  writeFileSync(join(logs, "one"), lines("one", 0, 10));
  symlinkSync(join(logs, "one"), path);
  await arrived(10);
  writeFileSync(join(logs, "two"), lines("two", 0, 10));
  symlinkSync(join(logs, "two"), `${path}.new`);
  renameSync(`${path}.new`, path);
  appendFileSync(join(logs, "one"), lines("one", 10, 5));
  await arrived(25);
  assert.deepEqual(idsOf(receiver.all).toSorted(), [...idsFrom("one", 15), ...idsFrom("two", 10)].toSorted());
});

scenario("A directory removed and created again is noticed, and new ones below a ** pattern", async ({ logs, receiver, arrived }) => {
  mkdirSync(join(logs, "deep/er"), { recursive: true });
  writeFileSync(join(logs, "deep/er/x.log"), lines("x", 0, 10));
  await arrived(10);
  rmSync(join(logs, "deep"), { recursive: true });
  mkdirSync(join(logs, "deep/er"), { recursive: true });
  writeFileSync(join(logs, "deep/er/x.log"), lines("y", 0, 10));
  await arrived(20);
  assert.deepEqual(idsOf(receiver.all), [...idsFrom("x", 10), ...idsFrom("y", 10)]);
}, { pattern: "**/*.log" });

scenario("Excluded files are left alone", async ({ logs, receiver, arrived }) => {
  writeFileSync(join(logs, "debug.log"), lines("debug", 0, 10));
  writeFileSync(join(logs, "app.log"), lines("app", 0, 10));
  await arrived(10);
  assert.deepEqual(idsOf(receiver.all), idsFrom("app", 10));
}, { pattern: "*.log", before: () => undefined, tail: { exclude: ["/**/debug.log"] } });

scenario("JSON lines become records; a line that is not JSON is shipped raw and counted", async ({ path, receiver, shipper, arrived }) => {
  appendFileSync(path, '{"level":"info","n":1,"big":12345678901234567890,"nested":{"a":[1,2.5,null]}}\nnot json\n');
  await arrived(2);
  assert.deepEqual(JSON.parse(JSON.stringify(receiver.all, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value))), [{ level: "info", n: 1, big: 12345678901234567000, nested: { a: [1, 2.5, null] }, path: path }, { log: "not json", path: path }]);
  assert.equal(shipper.metric("lines_unparsed_total"), 1);
}, { tail: { format: "json", pathField: "path" } });

scenario("Many small files are all read, however short", async ({ logs, receiver, arrived }) => {
  for (let index = 0; index < 100; index++) writeFileSync(join(logs, `f${index}.log`), `f ${index}\n`);
  await arrived(100);
  assert.deepEqual(idsOf(receiver.all).toSorted(), idsFrom("f", 100).toSorted());
}, { pattern: "*.log" });

scenario("With the kernel's notifications muted the scan alone finds everything", async ({ path, receiver, arrived }) => {
  appendFileSync(path, lines("a", 0, 10));
  await arrived(10);
  renameSync(path, `${path}.1`);
  appendFileSync(path, lines("b", 0, 10));
  await arrived(20);
  assert.deepEqual(idsOf(receiver.all), [...idsFrom("a", 10), ...idsFrom("b", 10)]);
}, { muted: true });
