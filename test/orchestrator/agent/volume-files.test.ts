import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { HostPathType } from "../../../orchestrator/api/types/pod.ts";
import { writeAtomically } from "../../../orchestrator/agent/volumes/atomic-writer.ts";
import { prepareHostPath } from "../../../orchestrator/agent/volumes/host-path.ts";
import { resolveSubPath } from "../../../orchestrator/agent/volumes/sub-path.ts";
import { diskUsageBytes } from "../../../orchestrator/agent/volumes/usage.ts";

const inDirectory = (name: string, run: (directory: string) => Promise<void>): void => {
  test(name, async () => {
    const directory = mkdtempSync(join(tmpdir(), "podkit-volume-"));
    try {
      await run(directory);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
};
const payload = (files: Record<string, string>, mode = 0o644) => new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }]));
const visible = (directory: string): readonly string[] => readdirSync(directory).filter((name) => !name.startsWith("..")).toSorted();

inDirectory("files appear behind one link, with their modes, in directories of their own", async (directory) => {
  assert.equal(await writeAtomically(directory, payload({ color: "red", "deep/er/size": "xl" }, 0o640), undefined), true);
  assert.deepEqual(visible(directory), ["color", "deep"]);
  assert.equal(readlinkSync(join(directory, "color")), "..data/color");
  assert.equal(readFileSync(join(directory, "deep/er/size"), "utf8"), "xl");
  assert.equal(statSync(join(directory, "color")).mode & 0o777, 0o640);
});

inDirectory("an update replaces all files at once, takes away old names and old directories", async (directory) => {
  await writeAtomically(directory, payload({ color: "red", gone: "x" }), undefined);
  const old = readlinkSync(join(directory, "..data"));
  await writeAtomically(directory, payload({ color: "blue", size: "xl" }), undefined);
  assert.deepEqual(visible(directory), ["color", "size"]);
  assert.equal(readFileSync(join(directory, "color"), "utf8"), "blue");
  assert.equal(existsSync(join(directory, old)), false);
});

inDirectory("an equal payload touches nothing", async (directory) => {
  await writeAtomically(directory, payload({ color: "red" }), undefined);
  const before = readlinkSync(join(directory, "..data"));
  assert.equal(await writeAtomically(directory, payload({ color: "red" }), undefined), false);
  assert.equal(readlinkSync(join(directory, "..data")), before);
});

inDirectory("what a crash left behind is taken away", async (directory) => {
  symlinkSync("..nowhere", join(directory, "..data_tmp"));
  mkdirSync(join(directory, "..2020_old"));
  await writeAtomically(directory, payload({ color: "red" }), undefined);
  assert.equal(readFileSync(join(directory, "color"), "utf8"), "red");
  assert.deepEqual(readdirSync(directory).toSorted(), ["..data", readlinkSync(join(directory, "..data")), "color"].toSorted());
});

inDirectory("a subPath is made when absent, and found when there", async (directory) => {
  const made = await resolveSubPath(directory, "a/b");
  assert.ok(lstatSync(made).isDirectory());
  writeFileSync(join(directory, "file"), "");
  assert.ok((await resolveSubPath(directory, "file")).endsWith("/file"));
});

inDirectory("a subPath never leads out of the volume, by dots or by links", async (directory) => {
  const root = join(directory, "volume");
  mkdirSync(root);
  symlinkSync("/etc", join(root, "absolute"));
  symlinkSync("..", join(root, "relative"));
  mkdirSync(join(root, "inside"));
  symlinkSync("inside", join(root, "harmless"));
  await assert.rejects(resolveSubPath(root, "../x"), /without "\.\."/);
  await assert.rejects(resolveSubPath(root, "/etc"), /must be relative/);
  await assert.rejects(resolveSubPath(root, "absolute/passwd"), /leads out of the volume: absolute is a symbolic link/);
  await assert.rejects(resolveSubPath(root, "relative"), /leads out of the volume/);
  assert.ok((await resolveSubPath(root, "harmless")).endsWith("/volume/inside"));
});

const hostPath = (name: string, type: HostPathType, expected: RegExp | "directory" | "file", prepare: (path: string) => void = () => undefined): void => {
  inDirectory(`hostPath ${name}`, async (directory) => {
    const path = join(directory, "data");
    prepare(path);
    if (expected instanceof RegExp) await assert.rejects(prepareHostPath({ path, type }), expected);
    else {
      await prepareHostPath({ path, type });
      assert.equal(statSync(path).isDirectory() ? "directory" : "file", expected);
    }
  });
};
const file = (path: string): void => writeFileSync(path, "");
hostPath("of no type is made", "", "directory");
hostPath("DirectoryOrCreate is made", "DirectoryOrCreate", "directory");
hostPath("DirectoryOrCreate refuses a file", "DirectoryOrCreate", /data is not a directory \(it is a file\): point the volume at a directory/, file);
hostPath("Directory must be there", "Directory", /data is not a directory \(it does not exist\): use type DirectoryOrCreate to have it made/);
hostPath("FileOrCreate is made", "FileOrCreate", "file");
hostPath("File must be there", "File", /data is not a file \(it does not exist\): use type FileOrCreate/);
hostPath("Socket refuses a file", "Socket", /data is not a socket \(it is a file\)/, file);
hostPath("below a file names it", "Directory", /is a file, not a directory|is not a directory/, (path) => file(path));

inDirectory("usage counts what lies on disk", async (directory) => {
  mkdirSync(join(directory, "sub"));
  writeFileSync(join(directory, "sub/file"), Buffer.alloc(100_000, 1));
  const bytes = await diskUsageBytes(directory);
  assert.ok(bytes >= 100_000 && bytes < 200_000, `${bytes}`);
});
