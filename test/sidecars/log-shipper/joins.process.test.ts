import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { bundleShipper, spawnShipper } from "./support/shipper-process.ts";
import { configOf, startShipper, temporary, type RunningShipper } from "./support/shipper.ts";

type Stage = { readonly path: string; readonly receiver: RecordingReceiver; readonly shipper: RunningShipper; readonly arrived: (count: number) => Promise<void>; /** The first shipper has looked at so many bytes of its file, delivered or held back. */ readonly seen: (bytes: number) => Promise<void>; /** Ends the shipper and starts it again. */ readonly restart: () => Promise<RunningShipper> };

/** One file; afterwards the shipper must end with exit code 0, and every byte must be accounted for. */
function scenario(name: string, tail: object, act: (stage: Stage) => Promise<void>, written: object = {}): void {
  test(name, { timeout: 150_000 }, async () => {
    using place = temporary();
    mkdirSync(place.logs);
    await using receiver = new RecordingReceiver();
    await receiver.listen();
    const { config } = configOf(place.root, { sources: [{ type: "tail", paths: [join(place.logs, "app.log")], ...tail }], sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`] }], state: { directory: place.state }, ...written });
    const first = startShipper(config);
    let shipper = first;
    const seen = async (bytes: number): Promise<void> => {
      const looked = (): number => first.metric("lag_bytes") + first.metric("ledger_bytes", 'column="acked"') + first.metric("ledger_bytes", 'column="filtered"');
      await eventually(() => looked() === bytes, { intervalMs: 2, what: `a look at ${bytes} bytes` });
    };
    const arrived = async (count: number): Promise<void> => {
      await eventually(() => receiver.all.length >= count).catch((error: unknown) => {
        throw new Error(`Only ${receiver.all.length} of ${count} records arrived: ${JSON.stringify(receiver.all)}`, { cause: error });
      });
    };
    const restart = async (): Promise<RunningShipper> => {
      assert.equal(await shipper.stop(), 0);
      shipper = startShipper(config);
      return shipper;
    };
    try {
      await act({ path: join(place.logs, "app.log"), receiver, shipper, arrived, seen, restart });
    } finally {
      const code = await shipper.stop();
      assert.equal(code, 0, JSON.stringify(shipper.logged.at(-1)));
      assert.equal(shipper.metric("ledger_bytes", 'column="pending"'), 0);
      assert.equal(shipper.metric("ledger_bytes", 'column="read"'), shipper.metric("ledger_bytes", 'column="acked"') + shipper.metric("ledger_bytes", 'column="filtered"'));
    }
  });
}

const logsOf = (receiver: RecordingReceiver): readonly unknown[] => receiver.all.map((record) => record["log"]);
const stamp = (ms: number): string => new Date(1_769_860_800_000 + ms).toISOString();
const cri = (stream: string, tag: string, text: string, ms = 0): string => `${stamp(ms)} ${stream} ${tag} ${text}\n`;

scenario("A container's line in parts is one record, however late its end comes", { container: "auto" }, async ({ path, receiver, arrived, seen }) => {
  const before = cri("stdout", "F", "first") + cri("stdout", "P", "second ");
  appendFileSync(path, before);
  await arrived(1);
  appendFileSync(path, cri("stdout", "P", "comes in ").slice(0, 20));
  await seen(before.length + 20);
  appendFileSync(path, cri("stdout", "P", "comes in ").slice(20) + cri("stdout", "F", "parts"));
  await arrived(2);
  assert.deepEqual(receiver.all, [{ log: "first", stream: "stdout" }, { log: "second comes in parts", stream: "stdout" }]);
});

scenario("A stack trace is one record, shipped when it was quiet for flushMs; what follows later is another", { multiline: { presets: ["java"], flushMs: 150 } }, async ({ path, receiver, arrived }) => {
  appendFileSync(path, "plain\njava.io.IOException: no\n\tat a.B.c(B.java:1)\n");
  await arrived(2);
  appendFileSync(path, "\tat a.B.d(B.java:2)\n");
  await arrived(3);
  assert.deepEqual(logsOf(receiver), ["plain", "java.io.IOException: no\n\tat a.B.c(B.java:1)", "\tat a.B.d(B.java:2)"]);
});

scenario("What is held back is shipped at the end, with the unterminated last line", { multiline: { start: "^\\d", flushMs: "1h" } }, async ({ path, receiver, arrived, restart }) => {
  appendFileSync(path, "1 a\n b\n2 a\n b\n");
  await arrived(1);
  appendFileSync(path, " c");
  await restart();
  assert.deepEqual(logsOf(receiver), ["1 a\n b", "2 a\n b\n c"]);
});

scenario("What is held back in a rotated file is shipped when nobody writes into it any more", { multiline: { start: "^\\d", flushMs: "1h" } }, async ({ path, receiver, arrived, seen }) => {
  appendFileSync(path, "1 a\n b\n");
  await seen(7);
  renameSync(path, `${path}.1`);
  writeFileSync(path, "2 a\n3 a\n");
  await arrived(2);
  assert.deepEqual(logsOf(receiver).map(String).toSorted(), ["1 a\n b", "2 a"]);
});

scenario("UTF-16 is known by its byte order mark, also when it comes byte by byte", {}, async ({ path, receiver, arrived, seen, restart }) => {
  for (const [index, byte] of Buffer.from("\ufeffgrün\r\n😀", "utf16le").entries()) {
    appendFileSync(path, Buffer.of(byte));
    await seen(index + 1);
  }
  await arrived(1);
  appendFileSync(path, Buffer.from(" b\n", "utf16le"));
  await arrived(2);
  await restart();
  appendFileSync(path, Buffer.from("\u0a0a\n", "utf16le"));
  await arrived(3);
  assert.deepEqual(logsOf(receiver), ["grün", "😀 b", "\u0a0a"]);
});

scenario("A file of one byte that may begin a byte order mark is shipped at the end", {}, async ({ path, receiver, seen, restart }) => {
  writeFileSync(path, Buffer.of(0xef));
  await seen(1);
  await restart();
  assert.equal(receiver.all.length, 1);
});

scenario("Records that cannot fit between two of another stream are divided rather than held for ever", { container: "cri", multiline: { start: "^x" } }, async ({ path, receiver }) => {
  // Each record begins within one of the other stream: there is no place where a range could end.
  let text = cri("stdout", "F", "x 0");
  for (let index = 1; index < 1_000; index++) text += cri("stderr", "F", `x ${index}`) + cri("stdout", "F", ` ${index}`) + cri("stdout", "F", `x ${index}`) + cri("stderr", "F", ` ${index}`);
  writeFileSync(path, text);
  const lines = (): readonly string[] => receiver.all.flatMap((record) => String(record["log"]).split("\n"));
  await eventually(() => lines().length >= 3_997 - 100);
  assert.ok(logsOf(receiver).filter((log) => log === "x 5\n 5" || log === "x 5\n 6").length === 2, "few records are divided");
}, { chunk: { maxBytes: "4KiB" }, lines: { maxBytes: "1KiB" } });

for (const tooLong of ["split", "cut", "drop"] as const) {
  scenario(`Lines that are too long, binary, with NUL holes, not UTF-8, with CRLF: the file goes on (${tooLong})`, {}, async ({ path, receiver, shipper, arrived }) => {
    const long = "long ".repeat(1_000);
    const bytes = Buffer.concat([Buffer.from(`first\r\n${long}\n`), Buffer.from([0, 0, 0, 0]), Buffer.from("after a hole\n"), Buffer.from([0xff, 0xfe, 0x80, 0x0a]), Buffer.from("last\n")]);
    for (let at = 0; at < bytes.length; at += 997) appendFileSync(path, bytes.subarray(at, at + 997));
    const pieces = { split: 5, cut: 1, drop: 0 }[tooLong];
    await arrived(4 + pieces);
    const logs = logsOf(receiver);
    assert.deepEqual([logs[0], logs[1 + pieces], logs[3 + pieces]], ["first", "after a hole", "last"]);
    assert.equal(logs.slice(1, 1 + pieces).join(""), tooLong === "split" ? long : long.slice(0, 1_024 * pieces));
    const flags = receiver.all.filter((record) => record["log_partial"] === true || record["log_cut"] === true).length;
    assert.equal(flags, { split: 4, cut: 1, drop: 0 }[tooLong]);
    await eventually(() => shipper.metric("ledger_bytes", 'column="pending"') === 0);
    assert.equal(shipper.metric("lines_too_long_total"), tooLong === "drop" ? 1 : 0);
    assert.equal(shipper.metric("ledger_bytes", 'column="filtered"'), 4 + { split: 0, cut: long.length + 1 - 1_024, drop: long.length + 1 }[tooLong]);
  }, { lines: { maxBytes: "1KiB", tooLong } });
}

const kills = Number(process.env["PODKIT_TEST_KILLS"] ?? 25);

test(`Killed ${kills} times amid divided lines and stack traces of two streams: every record is whole, none is lost, none stored twice`, { timeout: 300_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const program = await bundleShipper(place.root);
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const path = join(place.logs, "app.log");
  const { file } = configOf(place.root, {
    sources: [{ type: "tail", paths: [path], container: "cri", multiline: { presets: ["java", "node"], flushMs: "10m" } }],
    sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`], retryMaxMs: 50, ackTimeoutMs: 150 }],
    state: { directory: place.state },
    chunk: { maxBytes: 4_096, flushMs: 20 }, lines: { maxBytes: 1_024 }, inFlight: { maxBytes: 65_536 },
  });
  receiver.ack = () => Math.random() > 0.1;
  const expected = new Set<string>();
  let clock = 0;
  /** A trace and a plain line on each stream, lines in parts, the two streams' lines mixed. */
  const step = (): void => {
    const queues = ["stdout", "stderr"].map((stream) => {
      const trace = [`java.lang.Error: ${expected.size}`, "\tat a.B.c(B.java:1)", "\tat a.B.d(B.java:2)"];
      const end = `end ${expected.size}`;
      expected.add(`${stream} ${trace.join("\n")}`).add(`${stream} ${end}`);
      return [...trace, end].flatMap((line) => {
        const at = 1 + Math.floor(Math.random() * (line.length - 1));
        return Math.random() < 0.5 ? [{ stream, tag: "F", text: line }] : [{ stream, tag: "P", text: line.slice(0, at) }, { stream, tag: "F", text: line.slice(at) }];
      });
    });
    let text = "";
    for (let from = queues; from.length > 0; from = from.filter((queue) => queue.length > 0)) {
      const part = from[Math.floor(Math.random() * from.length)]?.shift();
      if (part !== undefined) text += cri(part.stream, part.tag, part.text, clock++);
    }
    const cut = Math.floor(Math.random() * text.length);
    appendFileSync(path, text.slice(0, cut));
    appendFileSync(path, text.slice(cut));
  };
  let shipper = spawnShipper(file, [], { program });
  await eventually(() => existsSync(join(place.state, "positions.log")));
  const writer = setInterval(step, 3);
  try {
    for (let life = 0; life < kills; life++) {
      const before = receiver.received.length;
      if (life % 3 > 0) await eventually(() => receiver.received.length > before, { intervalMs: 2 }).catch((error: unknown) => assert.fail(`${String(error)}\n${shipper.stderr()}`));
      await sleep(Math.random() * 100);
      shipper.kill("SIGKILL");
      assert.equal(await shipper.exited, "SIGKILL", shipper.stderr());
      shipper = spawnShipper(file, [], { program });
    }
    clearInterval(writer);
    receiver.ack = () => true;
    // All but the last record of each stream, which is held back.
    await eventually(() => receiver.unique.length >= expected.size - 2).catch(() => undefined);
    shipper.kill("SIGTERM");
    assert.equal(await shipper.exited, 0, shipper.stderr());
    const stored = receiver.unique.map((record) => `${String(record["stream"])} ${String(record["log"])}`);
    const odd = stored.filter((each) => !expected.has(each));
    assert.deepEqual(odd.slice(0, 3), [], `${odd.length} records are not whole`);
    assert.equal(new Set(stored).size, expected.size, "none is lost");
    assert.equal(stored.length, expected.size, "none is stored twice");
    const bytes = new Map<string, string>();
    for (const each of receiver.received) {
      assert.equal(bytes.get(each.chunk) ?? each.bytes, each.bytes, "the same chunk id has the same bytes");
      bytes.set(each.chunk, each.bytes);
    }
    assert.ok(receiver.received.length > bytes.size, "some chunks must have been sent twice, or the deaths proved nothing");
  } finally {
    clearInterval(writer);
    shipper.kill("SIGKILL");
    await shipper.exited;
  }
});
