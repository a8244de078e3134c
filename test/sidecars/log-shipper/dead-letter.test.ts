import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createLog } from "../../../kit/log.ts";
import { systemClock } from "../../../kit/clock.ts";
import { recordId } from "../../../sidecars/log-shipper/delivery/chunk.ts";
import { DeadLetterFile } from "../../../sidecars/log-shipper/delivery/dead-letter.ts";
import { eventually } from "../../support/eventually.ts";
import { createTinyDisk, noTinyDisk } from "../../support/tiny-disk.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";
import { chunkOf, chunkOfEntries, lineRecords, readLetters } from "./sinks/http/support.ts";
import { temporary } from "./support/shipper.ts";

const log = createLog({ role: "log-shipper", level: "silent", stream: { write: () => undefined } });
const never = new AbortController().signal;
const burial = (from: number, indexes: readonly number[] = [0]) => ({ sink: "s", chunk: chunkOf(lineRecords("a", 10), { from }), letters: indexes.map((index) => ({ index, status: 400, reason: "no" })) });

function fileOf(path: string, maxBytes = 1_000_000, clock = systemClock): DeadLetterFile & AsyncDisposable {
  const file = new DeadLetterFile({ path, maxBytes, clock, log });
  return Object.assign(file, { [Symbol.asyncDispose]: async () => await file.close() });
}

test("A letter says why, where from and what", async () => {
  using place = temporary();
  const path = join(place.root, "new", "letters.ndjson");
  await using file = fileOf(path);
  const chunk = chunkOf(lineRecords("a", 3, { big: 12 }), { from: 700, tag: "t" });
  assert.equal(await file.write({ sink: "loki", chunk, letters: [{ index: 1, status: 400, reason: 'too "old"' }] }, never), "written");
  assert.deepEqual(readLetters(path), [{ reason: 'too "old"', status: 400, sink: "loki", tag: "t", id: recordId(chunk.origin, 1), content: "pod\n1", path: "/var/log/app.log", offset: 800, bytes: 100, time: "2026-01-01T12:00:00.000000001Z", record: { log: "line #a-1# says hello", big: 12 } }]);
});

test("A letter whose text is not UTF-8 has the bytes beside what can be shown", async () => {
  using place = temporary();
  const path = join(place.root, "letters.ndjson");
  await using file = fileOf(path);
  const entry = Buffer.from("92d700695662c00000000581a16102".replace("a16102", "a161a2ff62"), "hex");
  await file.write({ sink: "s", chunk: chunkOfEntries([entry]), letters: [{ index: 0, status: 400, reason: "" }] }, never);
  const [letter] = readLetters(path);
  assert.deepEqual([letter?.["record"], letter?.["msgpack"]], [{ a: "\ufffdb" }, entry.toString("base64")]);
});

test("Many writers at once leave whole lines", async () => {
  using place = temporary();
  const path = join(place.root, "letters.ndjson");
  await using file = fileOf(path);
  await Promise.all(Array.from({ length: 100 }, (_, index) => file.write(burial(index * 1_000, [0, 5, 9]), never)));
  assert.equal(new Set(readLetters(path).map((letter) => letter["offset"])).size, 300);
});

test("At its largest size nothing is written and all wait, until the file is moved away", { timeout: 150_000 }, async () => {
  using place = temporary();
  const path = join(place.root, "letters.ndjson");
  const clock = createVirtualClock();
  await using file = fileOf(path, 300, clock);
  assert.equal(await file.write(burial(0), never), "written");
  let settled = false;
  const second = file.write(burial(1_000), never).finally(() => (settled = true));
  await eventually(() => file.problem());
  assert.match(file.problem() ?? "", /is full \(\d+ of 300 bytes\); move it away or raise deadLetter\.maxBytes/);
  await clock.advance(10_000);
  assert.equal(settled, false);
  assert.equal(readLetters(path).length, 1);
  renameSync(path, `${path}.1`);
  await eventually(async () => { await clock.advance(1_000); return settled; });
  assert.equal(await second, "written");
  assert.equal(file.problem(), undefined);
  assert.deepEqual([readLetters(`${path}.1`), readLetters(path)].map((letters) => letters.map((letter) => letter["offset"])), [[0], [1_000]]);
});

test("What waits is given up when its sink stops, and the others go on", async () => {
  using place = temporary();
  const path = join(place.root, "letters.ndjson");
  const clock = createVirtualClock();
  await using file = fileOf(path, 300, clock);
  await file.write(burial(0), never);
  const stop = new AbortController();
  const first = file.write(burial(1_000), stop.signal);
  const second = file.write(burial(2_000), never);
  await eventually(() => file.problem());
  stop.abort(new Error("stop"));
  assert.equal(await first, "stopped");
  renameSync(path, `${path}.1`);
  let settled = false;
  void second.finally(() => (settled = true));
  await eventually(async () => { await clock.advance(1_000); return settled; });
  assert.equal(await second, "written");
  assert.deepEqual(readLetters(path).map((letter) => letter["offset"]), [2_000]);
});

test("Closed, it gives up what waits and takes nothing more", async () => {
  using place = temporary();
  const file = fileOf(join(place.root, "letters.ndjson"), 10, createVirtualClock());
  await file.write(burial(0), never);
  const waiting = file.write(burial(1_000), never);
  await file.close();
  assert.equal(await waiting, "stopped");
  assert.equal(await file.write(burial(2_000), never), "stopped");
});

test("A line that a crash cut off spoils no other", async () => {
  using place = temporary();
  const path = join(place.root, "letters.ndjson");
  writeFileSync(path, '{"reason":"whole"}\n{"reason":"cut o');
  await using file = fileOf(path);
  await file.write(burial(0), never);
  const lines = readFileSync(path, "utf8").split("\n");
  assert.deepEqual([lines[0], lines[1]], ['{"reason":"whole"}', '{"reason":"cut o']);
  assert.equal((JSON.parse(lines[2] ?? "") as Record<string, unknown>)["offset"], 0);
});

test("What somebody else appends or takes away is respected", async () => {
  using place = temporary();
  const path = join(place.root, "letters.ndjson");
  await using file = fileOf(path);
  await file.write(burial(0), never);
  appendFileSync(path, '{"note":"looked at"}\n');
  await file.write(burial(1_000), never);
  assert.deepEqual(readLetters(path).map((letter) => letter["offset"] ?? letter["note"]), [0, "looked at", 1_000]);
  writeFileSync(path, "");
  await file.write(burial(2_000), never);
  assert.deepEqual(readLetters(path).map((letter) => letter["offset"]), [2_000]);
});

test("A directory that is not there and cannot be made is a reason, and mended later", { timeout: 150_000 }, async () => {
  using place = temporary();
  const directory = join(place.root, "taken");
  writeFileSync(directory, "a file");
  const clock = createVirtualClock();
  await using file = fileOf(join(directory, "letters.ndjson"), 1_000_000, clock);
  let settled = false;
  const writing = file.write(burial(0), never).finally(() => (settled = true));
  await eventually(() => file.problem());
  assert.match(file.problem() ?? "", /cannot write the dead-letter file .*(ENOTDIR|EEXIST)/);
  renameSync(directory, `${directory}.away`);
  mkdirSync(directory);
  await eventually(async () => { await clock.advance(1_000); return settled; });
  assert.equal(await writing, "written");
  assert.ok(existsSync(join(directory, "letters.ndjson")));
});

test("On a full disk it waits, takes half-written lines back, and goes on when there is room", { skip: noTinyDisk, timeout: 150_000 }, async () => {
  await using disk = await createTinyDisk(262_144);
  const path = join(disk.path, "letters.ndjson");
  const clock = createVirtualClock();
  await using file = fileOf(path, 10_000_000, clock);
  await file.write(burial(0), never);
  await disk.fill();
  let settled = false;
  const writing = file.write(burial(1_000, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), never).finally(() => (settled = true));
  const more = Promise.all(Array.from({ length: 30 }, (_, index) => file.write(burial(10_000 + index * 1_000, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), never)));
  await eventually(async () => { await clock.advance(1_000); return file.problem(); });
  assert.match(file.problem() ?? "", /ENOSPC/);
  assert.ok(readFileSync(path, "utf8").endsWith("\n"), "no half line stands there");
  await disk.free();
  await eventually(async () => { await clock.advance(1_000); return settled; });
  assert.equal(await writing, "written");
  assert.deepEqual(new Set(await more), new Set(["written"]));
  assert.equal(readLetters(path).length, 311, "each line whole, and once");
});
