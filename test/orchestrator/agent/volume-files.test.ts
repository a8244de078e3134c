import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import type { HostPathType } from "../../../orchestrator/api/types/pod.ts";
import { writeAtomically } from "../../../orchestrator/agent/volumes/atomic-writer.ts";
import { makeEmptyDirectory } from "../../../orchestrator/agent/volumes/empty-dir.ts";
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

/** The old or the new content must be there at every moment; a reader that lists, opens and reads all the time finds any gap. */
inDirectory("a reader at work during a hundred updates and more always finds the files, and all of one update", async (directory) => {
  await writeAtomically(directory, payload({ color: "0", size: "0" }), undefined);
  const enough = new Int32Array(new SharedArrayBuffer(4));
  const reader = new Worker(readerProgram, { eval: true, workerData: { directory, enough } });
  const gone = once(reader, "exit");
  const faults: unknown[] = [];
  const seen = { reads: 0 };
  reader.on("message", (message: { readonly reads: number; readonly fault?: string }) => {
    seen.reads = message.reads;
    if (message.fault !== undefined) faults.push(message.fault);
  });
  // Until the reader has really been at work between them, whoever of the two is the faster.
  for (let update = 1; (update <= 100 || seen.reads < 200) && faults.length === 0; update++) await writeAtomically(directory, payload({ color: `${update}`, size: `${update}` }), undefined);
  Atomics.store(enough, 0, 1);
  await gone;
  assert.deepEqual(faults, []);
});

/**
 * One open of the directory behind `..data` gives one update, whose files must agree; it is removed once it is old, so a file that is gone
 * there counts as a fault only while the link still names it.
 */
const readerProgram = `
const { readFileSync, readlinkSync } = require("node:fs");
const { join } = require("node:path");
const { parentPort, workerData: { directory, enough } } = require("node:worker_threads");
let reads = 0;
const look = () => {
  const target = readlinkSync(join(directory, "..data"));
  try {
    const [color, size] = ["color", "size"].map((name) => readFileSync(join(directory, target, name), "utf8"));
    if (color !== size) throw new Error("color " + color + " beside size " + size);
  } catch (error) {
    if (readlinkSync(join(directory, "..data")) === target) throw error;
  }
};
const turn = () => {
  let fault;
  for (let count = 0; count < 50; count++) {
    try { look(); reads++; } catch (error) { fault = String(error); }
  }
  parentPort.postMessage({ reads, fault });
  if (Atomics.load(enough, 0) === 0) setImmediate(turn);
};
turn();
`;

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

const isRoot = process.getuid?.() === 0;
const modeOf = (path: string): number => statSync(path).mode & 0o7777;

for (const mode of [0o777, 0o2777, 0o1750])
  inDirectory(`every directory that a subPath makes has the volume's mode ${mode.toString(8)} and owners, and one that is there keeps its own`, async (directory) => {
    const root = join(directory, "volume");
    mkdirSync(join(root, "there"), { recursive: true });
    chmodSync(join(root, "there"), 0o711);
    if (isRoot) chownSync(root, 1234, 4321);
    chmodSync(root, mode);
    await Promise.all(["a/b", "a/c", "there/d"].map(async (subPath) => await resolveSubPath(root, subPath)));
    const { uid, gid } = statSync(root);
    for (const made of ["a", "a/b", "a/c", "there/d"]) assert.deepEqual({ made, mode: modeOf(join(root, made)), uid: statSync(join(root, made)).uid, gid: statSync(join(root, made)).gid }, { made, mode, uid, gid });
    assert.equal(modeOf(join(root, "there")), 0o711);
  });

inDirectory("an emptyDir is writable for all, belongs to the fsGroup and hands it on, and is left alone once it is there", async (directory) => {
  const path = join(directory, "plain");
  await makeEmptyDirectory(path, undefined);
  assert.equal(modeOf(path), 0o777);
  chmodSync(path, 0o700);
  await makeEmptyDirectory(path, undefined);
  assert.equal(modeOf(path), 0o700);
  const group = isRoot ? 4321 : process.getgid?.() ?? 0;
  await makeEmptyDirectory(join(directory, "grouped"), group);
  assert.deepEqual([modeOf(join(directory, "grouped")), statSync(join(directory, "grouped")).gid], [0o2777, group]);
  assert.deepEqual(readdirSync(directory).toSorted(), ["grouped", "plain"]);
});

inDirectory("an emptyDir that a crash left half made is made anew, and what was begun is taken away", async (directory) => {
  const path = join(directory, "data");
  const begun = await firstDirectoryMade(directory, async () => await makeEmptyDirectory(path, undefined));
  rmSync(path, { recursive: true, force: true });
  mkdirSync(begun, { mode: 0o755 });
  await makeEmptyDirectory(path, undefined);
  assert.equal(modeOf(path), 0o777);
  assert.deepEqual(readdirSync(directory), ["data"]);
});

inDirectory("what was begun goes as well when the emptyDir is already there", async (directory) => {
  const path = join(directory, "data");
  const begun = await firstDirectoryMade(directory, async () => await makeEmptyDirectory(path, undefined));
  mkdirSync(begun, { recursive: true });
  await makeEmptyDirectory(path, undefined);
  assert.deepEqual(readdirSync(directory), ["data"]);
});

/** The path of what appears first in the directory while `run` is at work: where a crash would leave it. */
async function firstDirectoryMade(directory: string, run: () => Promise<void>): Promise<string> {
  const watcher = watch(directory);
  const name = once(watcher, "change").then(([, first]: unknown[]) => String(first));
  await run();
  const path = join(directory, await name);
  watcher.close();
  return path;
}

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
test("hostPath where nothing can be made is refused, also where every try is answered by ENOENT", { timeout: 60_000 }, async () => {
  for (const path of ["/proc/podkit", "/proc/podkit/below"]) await assert.rejects(prepareHostPath({ path, type: "DirectoryOrCreate" }), /hostPath \/proc\/podkit.* cannot be created: ENOENT.*: create it by hand or choose another path/);
});

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
