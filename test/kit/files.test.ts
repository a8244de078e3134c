import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeDirectory, replaceFile } from "../../kit/files.ts";

test("a file is replaced whole, with its mode, and no temporary file stays", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "podkit-files-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "a");
  await writeFile(path, "old");
  const reading = readFile(path, "utf8");
  await replaceFile(path, "new", { mode: 0o600 });
  assert.ok(["old", "new"].includes(await reading));
  assert.equal(await readFile(path, "utf8"), "new");
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(directory), ["a"]);
});

test("a failed replacement leaves the old file and nothing else", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "podkit-files-"));
  t.after(() => rm(directory, { recursive: true }));
  await assert.rejects(replaceFile(join(directory, "missing", "a"), "x"), /ENOENT/);
  await replaceFile(join(directory, "d"), "x");
  await rm(join(directory, "d"));
  await import("node:fs/promises").then(({ mkdir }) => mkdir(join(directory, "d", "full"), { recursive: true }));
  await assert.rejects(replaceFile(join(directory, "d"), "y"));
  assert.deepEqual(await readdir(directory), ["d"]);
});

test("a directory is made with those above it, and what cannot be made is told instead of tried for ever", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "podkit-files-"));
  t.after(() => rm(directory, { recursive: true }));
  const made = join(directory, "a", "b", "c");
  makeDirectory(made);
  makeDirectory(made);
  assert.ok((await stat(made)).isDirectory());
  await writeFile(join(directory, "file"), "");
  assert.throws(() => makeDirectory(join(directory, "file")), { code: "EEXIST" });
  assert.throws(() => makeDirectory(join(directory, "file", "below")), { code: "ENOTDIR" });
  for (const path of ["/proc/podkit", "/proc/podkit/below"]) assert.throws(() => makeDirectory(path), { code: "ENOENT" });
});
