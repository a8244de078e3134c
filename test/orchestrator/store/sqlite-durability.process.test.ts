import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { StoreError } from "../../../orchestrator/store/store.ts";
import { openSqliteStore } from "../../../orchestrator/store/sqlite.ts";

const directory = mkdtempSync(join(tmpdir(), "podkit-durability-"));
after(() => { rmSync(directory, { recursive: true, force: true }); });
let files = 0;
const newPath = (): string => join(directory, `${files++}.sqlite`);

test("every acknowledged write is there after kill -9 in the middle of writing, and nothing is torn", { timeout: 180_000 }, async () => {
  const path = newPath();
  let opened = 0;
  for (const killAfterLines of [40, 400, 1500]) {
    const child = spawn(process.execPath, [join(import.meta.dirname, "endless-writer.ts"), path], { stdio: ["ignore", "pipe", "inherit"] });
    const acknowledged = new Map<string, { readonly count: number; readonly revision: number }>();
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const [name = "", count, revision] = line.split(" ");
      acknowledged.set(name, { count: Number(count), revision: Number(revision) });
      // What is still in the pipe is read on: it was acknowledged too.
      if (++lines === killAfterLines) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    const store = openSqliteStore({ path });
    const { entries, revision } = await store.list("/p/");
    assert.equal(entries.length, 8);
    for (const entry of entries) {
      const value: unknown = JSON.parse(entry.value);
      assert.ok(typeof value === "object" && value !== null && "count" in value && "filler" in value && typeof value.count === "number");
      assert.equal(value.filler, "x".repeat(500));
      const promised = acknowledged.get(entry.key.slice(3));
      assert.ok(promised === undefined || (entry.revision >= promised.revision && value.count >= promised.count), `${entry.key} was acknowledged at ${promised?.revision}, found ${entry.revision}`);
    }
    assert.equal(revision, store.currentRevision());
    assert.equal(Math.max(...entries.map((entry) => entry.revision)), revision);
    await store.close();
    opened++;
  }
  assert.equal(opened, 3);
});

test("a reopened store goes on counting, even when the newest revision was a deletion that compaction took", async () => {
  const path = newPath();
  const first = openSqliteStore({ path });
  await first.create("/a", "1");
  await first.delete("/a");
  await first.compact(2);
  await first.close();
  const second = openSqliteStore({ path });
  assert.equal(second.currentRevision(), 2);
  assert.equal(second.compactedRevision(), 2);
  assert.deepEqual(await second.create("/a", "1"), { kind: "created", revision: 3 });
  await second.close();
});

test("a watch after reopening reads the history from the file, more than one batch of it", async () => {
  const path = newPath();
  const first = openSqliteStore({ path });
  await Promise.all(Array.from({ length: 700 }, (_, index) => first.create(`/p/${index}`, "1")));
  await first.close();
  const second = openSqliteStore({ path });
  const seen: number[] = [];
  for await (const event of second.watch("/p/", { afterRevision: 100, signal: AbortSignal.timeout(120_000) })) {
    seen.push(event.revision);
    if (event.revision === 700) break;
  }
  assert.deepEqual(seen, Array.from({ length: 600 }, (_, index) => 101 + index));
  await second.close();
});

test("a second owner of the file is refused in words", async () => {
  const path = newPath();
  const first = openSqliteStore({ path });
  assert.throws(() => openSqliteStore({ path }), (error) => error instanceof StoreError && error.code === "Held" && error.message.includes("only one control plane may run per state directory"));
  await first.close();
  const second = openSqliteStore({ path });
  await second.close();
});

test("a file that is no store, and a directory that is not there, are refused in words", () => {
  const path = newPath();
  writeFileSync(path, "this is not a database, but it is long enough to look at ".repeat(50));
  assert.throws(() => openSqliteStore({ path }), (error) => error instanceof StoreError && error.code === "Corrupt" && error.message.includes("move it away"));
  assert.throws(() => openSqliteStore({ path: join(directory, "absent", "store.sqlite") }), (error) => error instanceof StoreError && error.code === "Failed" && error.message.includes("must exist"));
});

test("nobody else may read the file, for Secrets are in it", async () => {
  const path = newPath();
  const store = openSqliteStore({ path });
  await store.create("/a", "1");
  for (const file of [path, `${path}-wal`]) assert.equal(statSync(file).mode & 0o777, 0o600, file);
  await store.close();
});

test("writes called in one turn share a commit: a thousand of them take a few fsyncs, not a thousand", async () => {
  const path = newPath();
  const store = openSqliteStore({ path });
  const results = await Promise.all(Array.from({ length: 1000 }, (_, index) => store.create(`/p/${index}`, "1")));
  assert.deepEqual(results.map((result) => result.kind === "created" && result.revision), Array.from({ length: 1000 }, (_, index) => index + 1));
  // Each commit rewrites at least the last page; a thousand commits would have written some 8 MB of log.
  assert.ok(statSync(`${path}-wal`).size < 2_000_000, `the log has ${statSync(`${path}-wal`).size} bytes`);
  await store.close();
});
