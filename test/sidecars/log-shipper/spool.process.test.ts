import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runAudit } from "../../../sidecars/log-shipper/commands/audit.ts";
import { createLog } from "../../../kit/log.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { configOf, idsFrom, idsOf, lines, startShipper, temporary, type RunningShipper } from "./support/shipper.ts";

type Stage = { readonly path: string; readonly state: string; readonly spool: string; readonly receiver: RecordingReceiver; readonly start: () => RunningShipper; readonly audit: () => Promise<number> };

function scenario(name: string, act: (stage: Stage) => Promise<void>, settings: { readonly spool?: object; readonly elsewhere?: true } = {}): void {
  test(name, { timeout: 150_000, skip: settings.elsewhere === true && !existsSync("/dev/shm") ? "needs another file system at /dev/shm" : false }, async () => {
    using place = temporary();
    mkdirSync(place.logs);
    await using receiver = new RecordingReceiver();
    await receiver.listen();
    const spool = settings.elsewhere === true ? mkdtempSync("/dev/shm/podkit-spool-") : join(place.logs, ".spool");
    const { config } = configOf(place.root, {
      sources: [{ type: "tail", paths: [join(place.logs, "**/*")] }],
      sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`], retryMaxMs: 50, ackTimeoutMs: 300 }],
      state: { directory: place.state },
      chunk: { maxBytes: "4KiB" }, lines: { maxBytes: "1KiB" }, inFlight: { maxBytes: "64KiB" },
      spool: { directory: spool, ...settings.spool },
    });
    const started: RunningShipper[] = [];
    const start = (): RunningShipper => {
      const shipper = startShipper(config);
      started.push(shipper);
      return shipper;
    };
    const audit = async (): Promise<number> => await runAudit({ config, log: createLog({ role: "log-shipper", level: "error" }), argv: [], print: () => undefined });
    try {
      await act({ path: join(place.logs, "app.log"), state: place.state, spool, receiver, start, audit });
    } finally {
      await Promise.all(started.map((shipper) => shipper.giveUp())); // after a failure; the others have ended
      if (settings.elsewhere === true) rmSync(spool, { recursive: true });
    }
  });
}

const held = (spool: string): readonly string[] => (existsSync(spool) ? readdirSync(spool).filter((name) => name.endsWith(".spooled")) : []);

async function expectExactly(stage: Stage, shipper: RunningShipper, expected: readonly string[]): Promise<void> {
  await eventually(() => new Set(idsOf(stage.receiver.unique)).size >= expected.length, { what: `${expected.length} lines` }).catch(() => undefined);
  const ids = idsOf(stage.receiver.unique);
  assert.deepEqual(ids.toSorted(), [...expected].toSorted());
  assert.equal(shipper.metric("lost_bytes_total"), 0);
}

scenario("Rotated, compressed and deleted while the shipper is dead: L 0, D 0, and the entry goes when it is delivered", async (stage) => {
  const { path, receiver } = stage;
  receiver.ack = () => false;
  writeFileSync(path, lines("a", 0, 3_000)); // more than may be in flight
  const first = stage.start();
  await eventually(() => receiver.all.length > 0);
  await eventually(() => statSync(path).nlink === 2, { what: "a second name and no second copy" });
  assert.equal(await first.giveUp(), 75);
  appendFileSync(path, lines("a", 3_000, 10)); // after our end
  unlinkSync(path);
  writeFileSync(path, lines("b", 0, 5));
  assert.equal(await stage.audit(), 75);
  receiver.ack = () => true;
  const again = stage.start();
  await expectExactly(stage, again, [...idsFrom("a", 3_010), ...idsFrom("b", 5)]);
  await eventually(() => held(stage.spool).length === 1, { what: "the delivered file to leave the spool" });
  assert.equal(await again.stop(), 0);
  assert.equal(await stage.audit(), 0);
});

scenario("A rotated file that still has a name is read once, and lets go of its second name when it is delivered", async (stage) => {
  const { path } = stage;
  writeFileSync(path, lines("a", 0, 50));
  const shipper = stage.start();
  await eventually(() => stage.receiver.all.length === 50);
  mkdirSync(join(path, "../old"));
  renameSync(path, join(path, "../old/app.log.1"));
  appendFileSync(join(path, "../old/app.log.1"), lines("a", 50, 10));
  await expectExactly(stage, shipper, idsFrom("a", 60));
  await eventually(() => held(stage.spool).length === 0);
  assert.equal(statSync(join(path, "../old/app.log.1")).nlink, 1);
  assert.equal(await shipper.stop(), 0);
});

scenario("With the saved positions lost too, what is in the spool is delivered from its start", async (stage) => {
  const { path, receiver, state } = stage;
  receiver.ack = () => false;
  writeFileSync(path, lines("a", 0, 20));
  const first = stage.start();
  await eventually(() => receiver.all.length >= 20);
  assert.equal(await first.giveUp(), 75);
  unlinkSync(path);
  rmSync(state, { recursive: true });
  receiver.ack = () => true;
  const again = stage.start();
  await expectExactly(stage, again, idsFrom("a", 20));
  assert.equal(await again.stop(), 0);
});

scenario("Beyond its bound the spool gives up its oldest file, says so and counts the loss", async (stage) => {
  const { path, receiver } = stage;
  receiver.ack = () => false;
  const shipper = stage.start();
  await eventually(() => shipper.readiness.has("sinks"));
  for (const name of ["a", "b", "c"]) {
    writeFileSync(path, lines(name, 0, 15_000)); // 0.9 MB
    await eventually(() => held(stage.spool).some((entry) => entry.includes(String(statSync(path).ino))));
    unlinkSync(path);
  }
  await shipper.logLine("The spool is full");
  await eventually(() => held(stage.spool).length === 1);
  assert.equal(await shipper.giveUp(), 75);
  receiver.ack = () => true;
  const again = stage.start();
  await again.logLine("vanished before all of it was acknowledged");
  await eventually(() => again.metric("lost_bytes_total") === lines("a", 0, 15_000).length + lines("b", 0, 15_000).length, { what: "the loss to be counted" });
  await eventually(() => new Set(idsOf(receiver.unique).filter((id) => id.startsWith("c"))).size === 15_000);
  assert.equal(await again.stop(), 0);
  assert.equal(await stage.audit(), 75, "what is lost stays missing");
}, { spool: { maxBytes: "1MiB" } });

scenario("In another file system a rotated file is copied once it is quiet, without what is delivered: L 0, D 0 after its deletion", async (stage) => {
  const { path, receiver } = stage;
  let acks = 100;
  receiver.ack = () => acks-- > 0;
  const shipper = stage.start();
  writeFileSync(path, lines("a", 0, 20_000));
  await eventually(() => acks < -5);
  renameSync(path, `${path}.1`);
  await eventually(() => held(stage.spool).length === 1, { what: "the copy" });
  const [entry = ""] = held(stage.spool);
  const copy = statSync(join(stage.spool, entry));
  assert.equal(copy.size, lines("a", 0, 20_000).length);
  assert.ok(copy.blocks * 512 < copy.size - 300_000, "what is delivered is a hole");
  assert.equal(await shipper.giveUp(), 75);
  unlinkSync(`${path}.1`);
  assert.equal(await stage.audit(), 75);
  acks = Infinity;
  const again = stage.start();
  await expectExactly(stage, again, idsFrom("a", 20_000));
  await eventually(() => held(stage.spool).length === 0);
  assert.equal(await again.stop(), 0);
}, { elsewhere: true });

for (const [what, damage] of [
  ["its inode given to the next file", () => undefined],
  ["the saved positions lost too", (state: string) => rmSync(state, { recursive: true })],
] as const) {
  scenario(`A copied file that is deleted while the shipper is dead, ${what}: L 0, D 0 beyond what was delivered`, async (stage) => {
    const { path, receiver } = stage;
    let acks = 40;
    receiver.ack = () => acks-- > 0;
    const shipper = stage.start();
    writeFileSync(path, lines("a", 0, 5_000));
    await eventually(() => acks < -5);
    renameSync(path, `${path}.1`);
    await eventually(() => held(stage.spool).length === 1, { what: "the copy" });
    assert.equal(await shipper.giveUp(), 75);
    unlinkSync(`${path}.1`);
    writeFileSync(path, lines("b", 0, 100));
    damage(stage.state);
    acks = Infinity;
    const again = stage.start();
    await expectExactly(stage, again, [...idsFrom("a", 5_000), ...idsFrom("b", 100)]);
    await eventually(() => held(stage.spool).length === 0, { what: "the delivered copy to leave the spool" });
    assert.equal(await again.stop(), 0);
  }, { elsewhere: true });
}

scenario("A file deleted while open, and undelivered at the end, is copied before the end", async (stage) => {
  const { path, receiver } = stage;
  receiver.ack = () => false;
  const shipper = stage.start();
  writeFileSync(path, lines("a", 0, 3_000));
  await eventually(() => receiver.all.length > 0);
  unlinkSync(path);
  assert.equal(await shipper.giveUp(), 75);
  receiver.ack = () => true;
  const again = stage.start();
  await expectExactly(stage, again, idsFrom("a", 3_000));
  assert.equal(await again.stop(), 0);
}, { elsewhere: true });
