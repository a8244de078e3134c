import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeTar, type TarEntry } from "../../images/tar.ts";

const owner = { uid: 65532, gid: 999 };
const longPath = `etc/${"deep/".repeat(25)}file`;
const entries: readonly TarEntry[] = [
  { path: "etc/motd", mode: 0o640, ...owner, kind: "bytes", bytes: Buffer.from("hello\n") },
  { path: "tmp", mode: 0o1777, uid: 0, gid: 0, kind: "directory" },
  { path: "etc", mode: 0o755, uid: 0, gid: 0, kind: "directory" },
  { path: "bin", mode: 0o777, uid: 0, gid: 0, kind: "symlink", target: "usr/bin" },
  { path: longPath, mode: 0o644, ...owner, kind: "bytes", bytes: Buffer.alloc(512, "x") },
];

async function archive(list: Iterable<TarEntry>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(list)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("GNU tar reads names, modes, owners, links and content as they were given", async () => {
  const bytes = await archive(entries);
  const listing = spawnSync("tar", ["--numeric-owner", "-tvf", "-"], { input: bytes, encoding: "utf8", env: { ...process.env, TZ: "UTC", LC_ALL: "C" } });
  assert.equal(listing.status, 0, listing.stderr);
  assert.deepEqual(listing.stdout.trim().split("\n").map((line) => line.replaceAll(/ +/g, " ")), [
    "lrwxrwxrwx 0/0 0 1970-01-01 00:00 bin -> usr/bin",
    "drwxr-xr-x 0/0 0 1970-01-01 00:00 etc/",
    `-rw-r--r-- 65532/999 512 1970-01-01 00:00 ${longPath}`,
    "-rw-r----- 65532/999 6 1970-01-01 00:00 etc/motd",
    "drwxrwxrwt 0/0 0 1970-01-01 00:00 tmp/",
  ]);
  assert.equal(spawnSync("tar", ["-xOf", "-", "etc/motd"], { input: bytes, encoding: "utf8" }).stdout, "hello\n");
});

test("the same entries in another order give the same bytes", async () => {
  assert.deepEqual(await archive(entries.toReversed()), await archive(entries));
});

test("a file that changed its size while it was archived is refused", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "podkit-tar-"));
  t.after(async () => await rm(folder, { recursive: true }));
  const source = join(folder, "file");
  await writeFile(source, "12345");
  await assert.rejects(archive([{ path: "file", mode: 0o644, uid: 0, gid: 0, kind: "file", source, sizeBytes: 4 }]), /it had 4 bytes and then 5/);
});
