import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { spawnShipper } from "./support/shipper-process.ts";
import { configOf, idsFrom, idsOf, lines, temporary } from "./support/shipper.ts";

/** Deaths are placed by what the receiver has seen, so that they fall between sends, acks and checkpoint writes. */
const killsByDefault = 3;
const kills = Number(process.env["PODKIT_TEST_KILLS"] ?? killsByDefault);

test(`Killed ${kills} times while the file grows and rotates, every line arrives, and once by chunk id`, { timeout: 120_000 + kills * 30_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const { file } = configOf(place.root, {
    sources: [{ type: "tail", paths: [`${place.logs}/app.log`] }],
    sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`], retryMaxMs: 50, ackTimeoutMs: 150 }],
    state: { directory: place.state },
    chunk: { maxBytes: "4KiB" }, lines: { maxBytes: "1KiB" }, inFlight: { maxBytes: "64KiB" },
  });
  const path = join(place.logs, "app.log");
  let written = 0;
  let random = 42;
  const next = (below: number): number => (random = (random * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  for (let round = 0; round < kills; round++) {
    const shipper = spawnShipper(file);
    const killAt = receiver.received.length + 1 + next(15);
    let acks = next(8);
    receiver.ack = () => acks-- > 0 || next(3) > 0; // some acks never come: the next life sends again
    appendFileSync(path, lines("a", written, 1_500));
    written += 1_500;
    if (round % 3 === 1) {
      if (existsSync(`${path}.1`)) renameSync(`${path}.1`, `${path}.${round + 2}`);
      renameSync(path, `${path}.1`);
      writeFileSync(path, "");
    }
    await eventually(() => receiver.received.length >= killAt, { timeoutMs: 30_000, intervalMs: 2, what: "the chunk at which to kill" });
    shipper.kill("SIGKILL");
    assert.equal(await shipper.exited, "SIGKILL");
  }
  receiver.ack = () => true;
  const last = spawnShipper(file);
  await eventually(() => new Set(idsOf(receiver.unique)).size === written, { timeoutMs: 60_000, what: "all lines" }).catch(() => undefined);
  last.kill("SIGTERM");
  assert.equal(await last.exited, 0, last.stderr());
  const ids = idsOf(receiver.unique);
  assert.deepEqual(idsFrom("a", written).filter((id) => !new Set(ids).has(id)), [], "no line is lost");
  assert.equal(ids.length, written, "a receiver that knows chunk ids stores every line once");
  assert.ok(receiver.all.length > written, "some chunks must have been sent twice, or the deaths proved nothing");
});

test("SIGTERM with the receiver down ends with 75 before the grace is over and names the ranges", { timeout: 30_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const { file } = configOf(place.root, { sources: [{ type: "tail", paths: [`${place.logs}/app.log`] }], sinks: [{ type: "forward", servers: ["127.0.0.1:1"] }], state: { directory: place.state } });
  const text = lines("a", 0, 10);
  writeFileSync(join(place.logs, "app.log"), text);
  const shipper = spawnShipper(file, ["--shutdown-grace-ms", "3s"]);
  await eventually(() => shipper.stderr().includes("Lost the log receiver"));
  shipper.kill("SIGTERM");
  assert.equal(await shipper.exited, 75, shipper.stderr());
  assert.ok(shipper.stderr().includes(`"undelivered":[{"path":"${join(place.logs, "app.log")}","from":0,"to":${text.length}}]`), shipper.stderr());
});

test("A configuration with faults ends with 78 and names each with its place", { timeout: 30_000 }, async () => {
  using place = temporary();
  const file = join(place.root, "config.yaml");
  writeFileSync(file, 'sources:\n  - type: tail\n    path: ["/logs/*.log"]\nsinks:\n  - type: forwrd\n');
  const shipper = spawnShipper(file);
  assert.equal(await shipper.exited, 78);
  assert.match(shipper.stderr(), /config\.yaml:3:\d+.*did you mean "paths"/);
  assert.match(shipper.stderr(), /config\.yaml:5:\d+.*did you mean "forward"/);
});
