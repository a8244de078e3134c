import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { eventually } from "../support/eventually.ts";

const root = join(import.meta.dirname, "../..");
const entry = join(root, "cli/podkit.js");
const place = await mkdtemp(join(tmpdir(), "podkit-entry-"));
after(async () => await rm(place, { recursive: true }));

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
function run(node: string, script: string, ...words: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(node, [script, ...words], { encoding: "utf8", env: { ...process.env, PODKIT_HOME: join(place, "home") }, timeout: 120_000 });
  return { code: status, stdout, stderr };
}

/** An older Node on this machine, to see what its users see. */
const olderNode = (process.env["PATH"] ?? "").split(delimiter).concat("/usr/bin", "/usr/local/bin").map((folder) => join(folder, "node")).find((candidate) => {
  const { status, stdout } = spawnSync(candidate, ["--version"], { encoding: "utf8" });
  const major = Number(/^v(\d+)/.exec(stdout ?? "")?.[1]);
  return status === 0 && major >= 18 && major < 24;
});
const needsOlderNode = { skip: olderNode === undefined ? "no Node 18 to 23 on this machine" : false };

/** A copy of the entry in a package of its own, with a bundle that tells what it was given. */
async function fakePackage(name: string, bundle: string): Promise<string> {
  const folder = join(place, name);
  await mkdir(join(folder, "cli"), { recursive: true });
  await mkdir(join(folder, "dist/cli"), { recursive: true });
  await copyFile(entry, join(folder, "cli/podkit.js"));
  await writeFile(join(folder, "package.json"), '{"name":"podkit","version":"9.9.9","type":"module"}');
  await writeFile(join(folder, "dist/cli/main.cjs"), bundle);
  return folder;
}
const tellingBundle = 'exports.main = async ({ version }) => { process.stdout.write(`bundle ${version} ${process.argv.slice(2).join(" ")} ${process.versions.node.split(".")[0] >= 24}`); process.exitCode = 7; };';

test("the entry prints the help and ends with 0, without a verb with 64", () => {
  assert.equal(run(process.execPath, entry, "--help").code, 0);
  const { code, stdout, stderr } = run(process.execPath, entry);
  assert.deepEqual([code, stdout], [64, ""]);
  assert.match(stderr, /^podkit \d+\.\d+\.\d+/);
});

test("an unknown verb is refused with the nearest one", () => {
  const { code, stderr } = run(process.execPath, entry, "upp");
  assert.equal(code, 64);
  assert.equal(stderr, 'error: podkit has no verb "upp"\nremedy: Did you mean "podkit up"?\n');
});

test("an installed package runs its bundle", async () => {
  const folder = await fakePackage("installed", tellingBundle);
  assert.deepEqual(run(process.execPath, join(folder, "cli/podkit.js"), "get", "pods"), { code: 7, stdout: "bundle 9.9.9 get pods true", stderr: "" });
});

test("in a checkout the bundle runs only while it is newer than every source in it", async () => {
  const folder = await fakePackage("checkout", tellingBundle);
  const source = join(folder, "cli/main.ts");
  await writeFile(source, 'export async function main(): Promise<void> { process.stdout.write("sources"); await Promise.resolve(); }');
  await writeFile(join(folder, "dist/cli/main.cjs.inputs.json"), '["cli/main.ts"]');
  await utimes(source, 1, 1);
  assert.match(run(process.execPath, join(folder, "cli/podkit.js")).stdout, /^bundle/);
  const later = Date.now() / 1000 + 10;
  await utimes(source, later, later);
  assert.equal(run(process.execPath, join(folder, "cli/podkit.js")).stdout, "sources");
  await utimes(source, 1, 1);
  await writeFile(join(folder, "dist/cli/main.cjs.inputs.json"), '["cli/main.ts","cli/gone.ts"]');
  assert.equal(run(process.execPath, join(folder, "cli/podkit.js")).stdout, "sources");
});

test("a link to the entry finds the package", async () => {
  const folder = await fakePackage("linked", tellingBundle);
  await symlink(join(folder, "cli/podkit.js"), join(place, "podkit"));
  assert.equal(run(process.execPath, join(place, "podkit")).code, 7);
});

test("a pipe that nobody reads any more ends the command quietly", () => {
  const text = execFileSync("/bin/sh", ["-c", `"$0" "$1" --help | head -1; true`, process.execPath, entry], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  assert.match(text, /^podkit /);
});

for (const words of [["get", "pods"], ["describe", "pods"], ["logs"]]) {
  test(`${words.join(" ")} refuses a selector that cannot be read before it looks for a control plane`, () => {
    const { code, stderr } = run(process.execPath, entry, ...words, "-l", "a=b=c");
    assert.equal(code, 64, stderr);
    assert.match(stderr, /^error: Cannot use "a=b=c" for --selector: .*"b=c" is not a label value\nremedy: /);
    assert.equal(run(process.execPath, entry, ...words, "-l", "a=b,!c").code, 69); // no control plane runs
  });
}

test("serve leaves nothing behind when the engine does not answer", () => {
  const home = join(place, "serve-home");
  const { status, stderr } = spawnSync(process.execPath, [entry, "serve"], { encoding: "utf8", env: { ...process.env, PODKIT_HOME: home, DOCKER_HOST: `unix://${place}/none.sock` }, timeout: 120_000 });
  assert.equal(status, 69, stderr);
  assert.match(stderr, /^error: Cannot connect to Docker: Docker does not answer at /);
  assert.equal(existsSync(home), false);
});

const needsFullDevice = { skip: existsSync("/dev/full") ? false : "no /dev/full on this machine" };
test("an output that takes nothing is told in one message, with exit code 69", needsFullDevice, () => {
  const { status, stderr } = spawnSync("/bin/sh", ["-c", '"$0" "$1" --help > /dev/full', process.execPath, entry], { encoding: "utf8", timeout: 120_000 });
  assert.equal(status, 69, stderr);
  assert.match(stderr, /^error: Cannot write to standard output: ENOSPC[^\n]*\nremedy: the disk is full[^\n]*\n$/);
});

test("messages that nobody can be told end the command with 69 too", needsFullDevice, () => {
  assert.equal(spawnSync("/bin/sh", ["-c", '"$0" "$1" upp 2> /dev/full', process.execPath, entry], { timeout: 120_000 }).status, 69);
});

test("an older Node hands over to the one that npm carries, with exit code and words", needsOlderNode, async () => {
  const folder = await fakePackage("carried", tellingBundle);
  const carried = join(folder, `node_modules/node-linux-${process.arch}/bin`);
  await mkdir(carried, { recursive: true });
  await symlink(process.execPath, join(carried, "node"));
  assert.deepEqual(run(olderNode ?? "", join(folder, "cli/podkit.js"), "a", "b c"), { code: 7, stdout: "bundle 9.9.9 a b c true", stderr: "" });
});

test("an older Node without a carried one says what is needed and ends with 69", needsOlderNode, async () => {
  const folder = await fakePackage("bare", tellingBundle);
  const { code, stdout, stderr } = run(olderNode ?? "", join(folder, "cli/podkit.js"), "up");
  assert.deepEqual([code, stdout], [69, ""]);
  assert.match(stderr, /^error: podkit needs Node 24 or newer: this is Node \d+/);
  assert.match(stderr, /^remedy: /m);
});

test("signals reach the command behind an older Node, and its end by a signal is seen outside", needsOlderNode, async () => {
  const folder = await fakePackage("signals", 'exports.main = async () => { process.on("SIGINT", () => process.stdout.write("int ")); process.stdout.write("up "); setInterval(() => undefined, 1000); };');
  const carried = join(folder, `node_modules/node-linux-${process.arch}/bin`);
  await mkdir(carried, { recursive: true });
  await symlink(process.execPath, join(carried, "node"));
  await chmod(join(folder, "cli/podkit.js"), 0o755);
  const child = spawn(olderNode ?? "", [join(folder, "cli/podkit.js")], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await eventually(() => output === "up ");
  child.kill("SIGINT");
  await eventually(() => output === "up int ");
  child.kill("SIGTERM");
  await once(child, "exit");
  assert.deepEqual([child.exitCode, child.signalCode], [null, "SIGTERM"]);
});
