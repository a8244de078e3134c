import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, renameSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runAudit } from "../../../sidecars/log-shipper/commands/audit.ts";
import type { AuditReport, AuditRow } from "../../../sidecars/log-shipper/commands/audit-report.ts";
import { createLog } from "../../../kit/log.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { spawnShipper } from "./support/shipper-process.ts";
import { configOf, lines, startShipper, temporary, type RunningShipper } from "./support/shipper.ts";

type Audited = { readonly code: number; readonly report: AuditReport; readonly text: string };
type Stage = { readonly logs: string; readonly path: string; readonly receiver: RecordingReceiver; readonly file: string; readonly start: () => RunningShipper; readonly audit: () => Promise<Audited> };

function scenario(name: string, act: (stage: Stage) => Promise<void>, settings: { readonly pattern?: string; readonly written?: object; readonly tail?: object } = {}): void {
  test(name, { timeout: 150_000 }, async () => {
    using place = temporary();
    mkdirSync(place.logs);
    await using receiver = new RecordingReceiver();
    await receiver.listen();
    const { config, file } = configOf(place.root, {
      sources: [{ type: "tail", paths: [join(place.logs, settings.pattern ?? "app.log")], ...settings.tail }],
      sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`], ackTimeoutMs: 300, retryMaxMs: 50 }],
      state: { directory: place.state },
      chunk: { maxBytes: "1KiB" }, lines: { maxBytes: "1KiB" },
      ...settings.written,
    });
    const log = createLog({ role: "log-shipper", level: "error" });
    const audit = async (): Promise<Audited> => {
      let json = "";
      let text = "";
      const code = await runAudit({ config, log, argv: ["--json"], print: (each) => (json += each) });
      assert.equal(await runAudit({ config, log, argv: [], print: (each) => (text += each) }), code);
      return { code, report: JSON.parse(json) as AuditReport, text };
    };
    const started: RunningShipper[] = [];
    const start = (): RunningShipper => {
      const shipper = startShipper(config);
      started.push(shipper);
      return shipper;
    };
    try {
      await act({ logs: place.logs, path: join(place.logs, "app.log"), receiver, file, start, audit });
    } finally {
      await Promise.all(started.map((shipper) => shipper.giveUp())); // after a failure; the others have ended
    }
  });
}

const brief = (row: AuditRow | undefined): unknown => row && { state: row.state, bytes: row.bytes, acked: row.acked, pending: row.pending, ranges: row.ranges };

scenario("Before the first start every matching file is undelivered as a whole", async ({ path, audit }) => {
  assert.equal((await audit()).code, 0, "nothing was written");
  writeFileSync(path, "0123456789\n");
  const { code, report } = await audit();
  assert.equal(code, 75);
  assert.deepEqual(report.rows.map(brief), [{ state: "pending", bytes: 11, acked: 0, pending: 11, ranges: [{ from: 0, to: 11 }] }]);
});

scenario("Beside the shipper and after its end, what is delivered is proven and what is not is named by its bytes", async ({ path, receiver, start, audit }) => {
  const first = lines("a", 0, 100);
  writeFileSync(path, first);
  const shipper = start();
  await eventually(async () => (await audit()).code === 0);
  assert.deepEqual((await audit()).report.rows.map(brief), [{ state: "delivered", bytes: first.length, acked: first.length, pending: 0, ranges: [] }]);
  receiver.ack = () => false;
  const second = lines("a", 100, 5);
  appendFileSync(path, second);
  await eventually(() => receiver.all.length > 100);
  const beside = await audit();
  assert.equal(beside.code, 75);
  const expected = { state: "pending", bytes: first.length + second.length, acked: first.length, pending: second.length, ranges: [{ from: first.length, to: first.length + second.length }] };
  assert.deepEqual(beside.report.rows.map(brief), [expected]);
  assert.equal(await shipper.giveUp(), 75);
  const after = await audit();
  assert.deepEqual(after.report.rows.map(brief), [expected]);
  assert.match(after.text, new RegExp(`undelivered: ${path} bytes ${first.length} to ${first.length + second.length} \\(${second.length}\\)`));
  receiver.ack = () => true;
  const again = start();
  await eventually(() => receiver.all.length >= 110);
  assert.equal(await again.stop(), 0);
  assert.equal((await audit()).code, 0);
});

scenario("Acknowledged chunks beyond an unacknowledged one are not named", async ({ path, receiver, start, audit }) => {
  let [seen, refused] = [0, ""];
  receiver.ack = ({ chunk }) => {
    if (seen++ === 1) refused = chunk;
    return chunk !== refused;
  };
  writeFileSync(path, lines("a", 0, 100));
  const shipper = start();
  const { report } = await eventually(async () => {
    const now = await audit();
    const row = now.report.rows[0];
    return row !== undefined && row.acked > 2_000 && row.pending > 0 ? now : undefined;
  });
  const range = report.rows[0]?.ranges[0];
  assert.ok(range !== undefined && range.from > 0 && range.to - range.from <= 2_048, JSON.stringify(range));
  receiver.ack = () => true;
  assert.equal(await shipper.stop(), 0);
  assert.equal((await audit()).code, 0);
}, { written: { inFlight: { maxBytes: "64KiB" } } });

scenario("A rotated file is found under its new name, also one outside the patterns and of another form", async ({ logs, path, start, audit }) => {
  writeFileSync(path, lines("a", 0, 10));
  const shipper = start();
  await eventually(async () => (await audit()).code === 0);
  assert.equal(await shipper.stop(), 0);
  renameSync(path, join(logs, "saved"));
  appendFileSync(join(logs, "saved"), "late\n");
  const { code, report } = await audit();
  assert.equal(code, 75);
  assert.deepEqual(report.rows.map((row) => [row.at, row.pending]), [[join(logs, "saved"), 5]]);
});

scenario("A deleted file is delivered or lost, and a loss is remembered after the shipper has given it up", async ({ path, receiver, start, audit }) => {
  const text = lines("a", 0, 10);
  writeFileSync(path, text);
  const shipper = start();
  await eventually(async () => (await audit()).code === 0);
  receiver.ack = () => false;
  appendFileSync(path, text);
  await eventually(() => receiver.all.length >= 20);
  assert.equal(await shipper.giveUp(), 75);
  unlinkSync(path);
  const range = { from: text.length, to: text.length * 2 };
  const gone = await audit();
  assert.deepEqual([gone.code, ...gone.report.rows.map(brief)], [75, { state: "lost", bytes: range.to, acked: range.from, pending: text.length, ranges: [range] }]);
  receiver.ack = () => true;
  const again = start();
  await again.logLine("vanished before all of it was acknowledged");
  assert.equal(await again.stop(), 0);
  const after = await audit();
  assert.equal(after.code, 75, "what is lost stays missing");
  assert.deepEqual([after.report.losses, after.report.retired.lost, after.report.retired.acked, after.report.rows], [[{ path, ...range }], text.length, text.length, []]);
});

scenario("Bytes written and never read before a deletion between two runs are missing too", async ({ path, receiver, start, audit }) => {
  receiver.ack = () => false;
  const text = lines("a", 0, 3_000); // more than may be in flight
  writeFileSync(path, text);
  const shipper = start();
  await eventually(() => receiver.all.length > 0);
  assert.equal(await shipper.giveUp(), 75);
  unlinkSync(path);
  assert.deepEqual((await audit()).report.rows.map(brief), [{ state: "lost", bytes: text.length, acked: 0, pending: text.length, ranges: [{ from: 0, to: text.length }] }]);
  const again = start();
  await again.logLine("vanished before all of it was acknowledged");
  assert.equal(again.metric("lost_bytes_total"), text.length);
  assert.equal(await again.stop(), 0);
}, { written: { inFlight: { maxBytes: "64KiB" } } });

scenario("A file overwritten after the end is undelivered from its start, and its old content is delivered", async ({ path, start, audit }) => {
  writeFileSync(path, lines("a", 0, 100));
  const shipper = start();
  await eventually(async () => (await audit()).code === 0);
  assert.equal(await shipper.stop(), 0);
  truncateSync(path, 0);
  writeFileSync(path, "new\n");
  assert.deepEqual((await audit()).report.rows.map((row) => [row.state, row.pending]), [["delivered, gone", 0], ["pending", 4]]);
});

scenario("Filtered and skipped bytes have columns of their own", async ({ path, start, audit }) => {
  const old = lines("old", 0, 10);
  writeFileSync(path, old);
  const shipper = start();
  await shipper.logLine("Following a file");
  appendFileSync(path, `\0\0\0\0${lines("a", 0, 1)}`);
  const { report } = await eventually(async () => {
    const now = await audit();
    return now.code === 0 && (now.report.rows[0]?.acked ?? 0) > 0 ? now : undefined;
  });
  assert.deepEqual(report.rows.map(({ bytes, acked, filtered, skipped }) => ({ bytes, acked, filtered, skipped })), [{ bytes: old.length + 4 + lines("a", 0, 1).length, acked: lines("a", 0, 1).length, filtered: 4, skipped: old.length }]);
  assert.equal(await shipper.stop(), 0);
  const last = shipper.logged.at(-1)?.["files"];
  assert.deepEqual(Array.isArray(last) && last.map((each: { acked: number; filtered: number; skipped: number; pending: number }) => [each.acked, each.filtered, each.skipped, each.pending]), [[lines("a", 0, 1).length, 4, old.length, 0]], "the same at the end");
}, { tail: { start: "end" } });

scenario("As a command it prints a table, and --json one object", async ({ path, file }) => {
  writeFileSync(path, "one\n");
  const table = spawnShipper(file, [], { command: "audit" });
  assert.equal(await table.exited, 75, table.stderr());
  assert.match(table.stdout(), /^file +bytes +acked +filtered +dead-lettered +skipped +pending +state\n/);
  const json = spawnShipper(file, ["--json"], { command: "audit" });
  assert.equal(await json.exited, 75, json.stderr());
  assert.equal((JSON.parse(json.stdout()) as AuditReport).rows.length, 1);
});
