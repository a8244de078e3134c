import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { crc32 } from "node:zlib";
import { createLog } from "../../../kit/log.ts";
import { Ledger } from "../../../sidecars/format-adapter/state/ledger.ts";
import { decodeLedger, encodeEntry, encodeHeader, type LedgerEntry } from "../../../sidecars/format-adapter/state/ledger-log.ts";
import { lockState } from "../../../sidecars/format-adapter/state/state-lock.ts";

const root = await mkdtemp(join(tmpdir(), "podkit-ledger-"));
after(async () => await rm(root, { recursive: true }));
const log = createLog({ role: "test", level: "silent" });

const entry = (path: string, rows: number): LedgerEntry => ({ path, adapter: "a", stat: "1.2", content: "c", mapping: "m", mappingHash: "h", outcome: "adapted", output: `/o${path}`, rows });

test("a ledger cut at every byte or damaged at any keeps every whole line before and after", () => {
  const lines = [encodeHeader(), ...[entry("/a", 1), entry("/b\n\u2028", 2), entry("/a", 3)].map((each) => encodeEntry(each))];
  const text = lines.join("");
  for (let cut = 0; cut <= text.length; cut++) {
    const { entries, damagedLines } = decodeLedger(text.slice(0, cut));
    const whole = lines.filter((_, index) => lines.slice(0, index + 1).join("").length - 1 <= cut).length - 1;
    assert.equal(entries.size, Math.max(0, Math.min(whole, 2)), `cut at ${cut}`);
    assert.ok(damagedLines <= 1);
  }
  for (let place = 0; place < text.length; place++) {
    const damaged = `${text.slice(0, place)}${text[place] === "x" ? "y" : "x"}${text.slice(place + 1)}`;
    const { entries } = decodeLedger(damaged);
    const inHeader = place < encodeHeader().length;
    for (const each of entries.values()) assert.deepEqual(each, { ...(each.path === "/a" ? entry("/a", each.rows === 1 ? 1 : 3) : entry("/b\n\u2028", 2)), content: inHeader ? "" : "c" });
    assert.ok(entries.size >= 1);
  }
});

test("the latest line counts, and a vanished input is forgotten", () => {
  const { entries } = decodeLedger([encodeHeader(), ...[entry("/a", 1), entry("/b", 1)].map((each) => encodeEntry(each))].join("") + encodeEntry({ path: "/a", adapter: "a", gone: true }) + encodeEntry(entry("/b", 9)));
  assert.deepEqual([...entries.values()], [entry("/b", 9)]);
});

test("a ledger whose contents were hashed in another way keeps its entries, and no hash that could be taken for one of ours", () => {
  const { entries, damagedLines } = decodeLedger(encodeEntry(entry("/a", 1)));
  assert.deepEqual([...entries.values()], [{ ...entry("/a", 1), content: "" }]);
  assert.equal(damagedLines, 0);
});

test("a ledger of another version is begun anew: its lines may mean something else", async () => {
  const directory = join(root, "newer");
  mkdirSync(directory);
  const json = JSON.stringify({ ledger: 3, hash: "another" });
  writeFileSync(join(directory, "ledger.log"), `${crc32(json).toString(16).padStart(8, "0")} ${json}\n${encodeEntry(entry("/a", 1))}`);
  const ledger = await Ledger.open(directory, ["a"], log);
  assert.deepEqual(ledger.entriesOf("a"), []);
  await ledger.put(entry("/b", 2));
  await ledger.close();
  const again = await Ledger.open(directory, ["a"], log);
  assert.deepEqual(again.entriesOf("a"), [entry("/b", 2)]);
  await again.close();
});

test("entries put at once are written together and all of them are found again", async () => {
  const directory = join(root, "together");
  const ledger = await Ledger.open(directory, ["a"], log);
  await Promise.all(Array.from({ length: 2_000 }, async (_, index) => await ledger.put(entry(`/r${index}`, index))));
  const text = readFileSync(join(directory, "ledger.log"), "utf8");
  assert.equal(text.split("\n").length, 2_002, "put resolved before the kernel had its line");
  await ledger.close();
  const again = await Ledger.open(directory, ["a"], log);
  for (let index = 0; index < 2_000; index++) assert.equal(again.get("a", `/r${index}`)?.rows, index);
  await again.close();
});

test("a ledger is rewritten when its dead lines prevail, and loses nothing by it", async () => {
  const directory = join(root, "compact");
  const ledger = await Ledger.open(directory, ["a"], log);
  for (let round = 0; round < 1_500; round++) await ledger.put(entry("/same", round));
  await ledger.put(entry("/other", 1));
  await ledger.close();
  const { entries } = decodeLedger(readFileSync(join(directory, "ledger.log"), "utf8"));
  assert.deepEqual([...entries.values()].map(({ path, rows }) => `${path} ${rows}`).toSorted(), ["/other 1", "/same 1499"]);
  assert.ok(readFileSync(join(directory, "ledger.log"), "utf8").split("\n").length < 1_200);
});

test("a ledger that is no text at all is left behind, and written anew", async () => {
  const directory = join(root, "garbage");
  await (await Ledger.open(directory, ["a"], log)).close();
  writeFileSync(join(directory, "ledger.log"), Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7919) % 256)));
  const ledger = await Ledger.open(directory, ["a"], log);
  assert.equal(ledger.get("a", "/x"), undefined);
  await ledger.put(entry("/x", 1));
  await ledger.close();
  const again = await Ledger.open(directory, ["a"], log);
  assert.deepEqual(again.get("a", "/x"), entry("/x", 1));
  await again.close();
});

test("an output belongs to the input that was adapted to it last, until that is forgotten", async () => {
  const ledger = await Ledger.open(join(root, "owner"), ["a"], log);
  await ledger.put({ ...entry("/one", 1), output: "/o", published: "1.1.1.1" });
  assert.equal(ledger.ownerOf("/o", "a", "/two"), "/one");
  assert.equal(ledger.ownerOf("/o", "a", "/one"), undefined);
  assert.ok(ledger.isPublished("/o", "1.1.1.1"));
  assert.ok(!ledger.isPublished("/o", "1.1.1.2"), "what somebody else put there is not ours");
  await ledger.forget("a", "/one");
  assert.equal(ledger.ownerOf("/o", "a", "/two"), undefined);
  assert.ok(!ledger.isPublished("/o", "1.1.1.1"));
  await ledger.close();
});

test("while an output is in work for one input, no other gets it", async () => {
  const ledger = await Ledger.open(join(root, "work"), ["a"], log);
  assert.ok(!ledger.isTaken("/o", "a", "/one"));
  assert.ok(!ledger.isTaken("/o", "a", "/one"));
  assert.ok(ledger.isTaken("/o", "a", "/two"));
  ledger.release("/o");
  assert.ok(!ledger.isTaken("/o", "a", "/two"));
  await ledger.close();
});

test("a state directory is one adapter's alone, until that lets go", () => {
  const directory = join(root, "lock");
  const first = lockState(directory);
  assert.equal(first.kind, "held");
  assert.equal((lockState(directory)).kind, "taken");
  if (first.kind === "held") first.release();
  const second = lockState(directory);
  assert.equal(second.kind, "held");
  if (second.kind === "held") second.release();
});

test("a state directory that cannot be locked is told apart from one that is taken", () => {
  writeFileSync(join(root, "file"), "");
  assert.equal((lockState(join(root, "file"))).kind, "unlocked");
});
