import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, truncateSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { bundleShipper, spawnShipper } from "./support/shipper-process.ts";
import { configOf, lines, temporary } from "./support/shipper.ts";

/**
 * Deaths by SIGKILL at random moments, hundreds of them, while applications write on. The seed is printed; PODKIT_TEST_SEED runs the
 * same choices again (not the same timing), PODKIT_TEST_KILLS changes how many deaths each lane has.
 */
const killsPerLane = Number(process.env["PODKIT_TEST_KILLS"] ?? 50);
const seed = Number(process.env["PODKIT_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const inFlightMax = 65_536;
const chunkMax = 4_096;
const writeEveryMs = 4;

let directory = "";
let program = "";
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "podkit-kills-"));
  program = await bundleShipper(directory);
});
after(() => rmSync(directory, { recursive: true, force: true }));

type Writing = { readonly logs: string; readonly random: (below: number) => number; readonly write: (path: string, count: number) => void };
type Lane = {
  readonly pattern: string;
  /** One step of the applications; called every few milliseconds, whether or not the shipper lives. */
  readonly step: (writing: Writing, count: number) => void;
  readonly settings?: (place: ReturnType<typeof temporary>) => object;
  readonly tail?: object;
  readonly receiver?: (receiver: RecordingReceiver, random: (below: number) => number) => void;
  /** Whether acks are only ever lost by a death, so that nothing but the window can come twice. */
  readonly exactAcks: boolean;
};

function rename(path: string, to: string): void {
  if (existsSync(path)) renameSync(path, to);
}

const lanes: Readonly<Record<string, Lane>> = {
  "a file that grows and is rotated by name": {
    pattern: "app.log",
    exactAcks: true,
    step: ({ logs, write, random }, count) => {
      const path = join(logs, "app.log");
      write(path, 10);
      if (random(60) === 0) rename(path, `${path}.${count}`);
    },
  },
  "files of several applications, acks lost now and then, one line in parts": {
    pattern: "*.log",
    exactAcks: false,
    receiver: (receiver, random) => (receiver.ack = () => random(12) > 0),
    step: ({ logs, write, random }) => write(join(logs, `app${random(5)}.log`), 8),
  },
  "files that are deleted right after their rotation, and a spool": {
    pattern: "app.log",
    exactAcks: true,
    settings: ({ logs }) => ({ spool: { directory: join(logs, ".spool") } }),
    step: ({ logs, write, random }) => {
      const path = join(logs, "app.log");
      write(path, 10);
      if (random(60) !== 0 || !spooled(join(logs, ".spool"), path)) return;
      renameSync(path, `${path}.1`);
      unlinkSync(`${path}.1`);
    },
  },
  "a file that is copied and truncated": {
    pattern: "app.log",
    exactAcks: true,
    step: ({ logs, write, random }, count) => {
      const path = join(logs, "app.log");
      write(path, 10);
      if (random(80) !== 0) return;
      copyFileSync(path, `${path}.${count}`);
      truncateSync(path, 0);
    },
  },
};

/** A file that no look of the shipper has met is not kept. */
function spooled(directory: string, path: string): boolean {
  const { ino } = statSync(path);
  return existsSync(directory) && readdirSync(directory).some((name) => name.split("-")[1] === String(ino));
}

suite(`Killed at random moments (seed ${seed})`, { concurrency: true }, () => {
  for (const [index, [what, lane]] of Object.entries(lanes).entries()) {
    test(`${killsPerLane} times with ${what}: every line arrives, once by chunk id`, { timeout: 120_000 + killsPerLane * 4_000 }, async (context) => {
      context.diagnostic(`seed ${seed}`);
      await runLane(lane, generator(seed + index));
    });
  }
});

async function runLane(lane: Lane, random: (below: number) => number): Promise<void> {
  using place = temporary();
  mkdirSync(place.logs);
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const { file } = configOf(place.root, {
    sources: [{ type: "tail", paths: [join(place.logs, lane.pattern)], ...lane.tail }],
    sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`], retryMaxMs: 50, ackTimeoutMs: lane.exactAcks ? 10_000 : 150 }],
    state: { directory: place.state },
    chunk: { maxBytes: chunkMax, flushMs: 20 }, lines: { maxBytes: 1_024 }, inFlight: { maxBytes: inFlightMax },
    ...lane.settings?.(place),
  });
  let written = 0;
  let steps = 0;
  const write = (path: string, count: number): void => {
    const text = lines("a", written, count);
    const cut = random(text.length);
    appendFileSync(path, text.slice(0, cut));
    appendFileSync(path, text.slice(cut));
    written += count;
  };
  let shipper = spawnShipper(file, [], { program });
  // What was rotated out of the pattern before the very first start is not followed.
  await eventually(() => existsSync(join(place.state, "positions.log")));
  const writer = setInterval(() => lane.step({ logs: place.logs, random, write }, ++steps), writeEveryMs);
  try {
    lane.receiver?.(receiver, random);
    for (let life = 0; life < killsPerLane; life++) {
      const before = receiver.received.length;
      // One in three dies at any moment, its start included; the others after their first chunk.
      // An ack that a death comes before is lost for certain in some lives, and by chance in others.
      const isUnheard = lane.exactAcks && life % 10 === 5;
      if (isUnheard) receiver.ack = () => false;
      if (isUnheard || random(3) > 0) await eventually(() => receiver.received.length > before, { intervalMs: 2, what: "a chunk" }).catch((error: unknown) => assert.fail(`${String(error)}\n${shipper.stderr()}`));
      if (!isUnheard) await sleep(random(120));
      shipper.kill("SIGKILL");
      assert.equal(await shipper.exited, "SIGKILL", shipper.stderr());
      if (isUnheard) receiver.ack = () => true;
      shipper = spawnShipper(file, [], { program });
    }
    clearInterval(writer);
    receiver.ack = () => true;
    await eventually(() => idCounts(receiver).size === written, { what: "all lines" }).catch(() => undefined);
    shipper.kill("SIGTERM");
    const code = await shipper.exited;
    const counts = idCounts(receiver);
    const missing = Array.from({ length: written }, (_, id) => id).filter((id) => !counts.has(id));
    assert.deepEqual(missing.slice(0, 10), [], `${missing.length} of ${written} lines are lost\n${shipper.stderr()}`);
    const repeated = [...counts].filter(([, count]) => count > 1).map(([id]) => id);
    assert.deepEqual(repeated.slice(0, 10), [], `a receiver that knows chunk ids stores ${repeated.length} lines more than once`);
    assert.equal(counts.size, written);
    assert.equal(code, 0, shipper.stderr());
    if (lane.exactAcks) assertWithinWindow(receiver, killsPerLane);
  } finally {
    clearInterval(writer);
    shipper.kill("SIGKILL");
    await shipper.exited;
  }
}

/** What comes again after all deaths together is at most what may have been in flight at each. */
function assertWithinWindow(receiver: RecordingReceiver, deaths: number): void {
  const seen = new Set<string>();
  let bytes = 0;
  for (const each of receiver.received) {
    if (seen.has(each.chunk)) bytes += Buffer.from(each.bytes, "base64").length;
    seen.add(each.chunk);
  }
  assert.ok(bytes > 0, "some chunks must have been sent twice, or the deaths proved nothing");
  assert.ok(bytes <= deaths * (inFlightMax + 2 * chunkMax), `${bytes} bytes came again after ${deaths} deaths`);
}

/** How often each line was stored by a receiver that stores each chunk id once. */
function idCounts(receiver: RecordingReceiver): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const record of receiver.unique) {
    const [prefix, id] = String(record["log"]).split(" ");
    assert.equal(prefix, "a", `a torn line: ${String(record["log"])}`);
    counts.set(Number(id), (counts.get(Number(id)) ?? 0) + 1);
  }
  return counts;
}

function generator(start: number): (below: number) => number {
  let state = start >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
