import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { clusterFolder } from "../../cli/cluster/folder.ts";
import { acquireLock, readHolder, readStaleLock } from "../../cli/cluster/lock.ts";
import { readableLine } from "../../cli/cluster/log-file.ts";
import { hostPorts, takenHostPorts } from "../../cli/cluster/preflight.ts";
import { identify, isRunning, statFields } from "../../cli/cluster/process-identity.ts";
import { CliFailure } from "../../cli/failure.ts";
import { splitLines } from "../../cli/lines.ts";
import { podOf } from "./objects.ts";

const folder = await mkdtemp(join(tmpdir(), "podkit-cli-"));
after(async () => await rm(folder, { recursive: true }));
const options = { startedBy: "serve", version: "1", nowMs: 0 } as const;

test("the folder is chosen by name, PODKIT_CLUSTER and PODKIT_HOME", () => {
  assert.equal(clusterFolder({ PODKIT_HOME: "/h" }, undefined).path, "/h/clusters/default");
  assert.equal(clusterFolder({ PODKIT_HOME: "/h", PODKIT_CLUSTER: "ci" }, undefined).path, "/h/clusters/ci");
  assert.equal(clusterFolder({ PODKIT_HOME: "/h", PODKIT_CLUSTER: "ci" }, "x").socketPath, "/h/clusters/x/api.sock");
});

const checkRefused = (what: string, home: string, name: string, exitCode: number, message: RegExp): void => {
  test(`${what} is refused`, () => {
    assert.throws(() => clusterFolder({ PODKIT_HOME: home }, name), (error) => error instanceof CliFailure && error.exitCode === exitCode && message.test(error.message));
  });
};
checkRefused("a cluster name that leads elsewhere", "/h", "../x", 64, /cluster name/);
checkRefused("an empty cluster name", "/h", "", 64, /cluster name/);
checkRefused("a home too deep for a socket", `/${"h".repeat(90)}`, "default", 78, /at most 107 bytes/);

test("a second taker of the lock is told who holds it, until it is released", async () => {
  const path = join(folder, "a.lock");
  const first = await acquireLock(path, options);
  assert.equal(first.kind, "acquired");
  const second = await acquireLock(path, options);
  assert.equal(second.kind === "held" ? second.holder.pid : undefined, process.pid);
  if (first.kind === "acquired") await first.release();
  assert.equal(await readHolder(path), undefined);
  const third = await acquireLock(path, options);
  assert.equal(third.kind, "acquired");
});

test("of many takers at once exactly one gets the lock, also from a stale one, and no file is left over", async () => {
  for (const stale of [false, true, true, true, true, true]) {
    const place = await mkdtemp(join(folder, "many-"));
    const path = join(place, "serve.lock");
    if (stale) await writeFile(path, JSON.stringify({ pid: 1, bootId: "another boot", startTicks: "1" }));
    const outcomes = await Promise.all(Array.from({ length: 20 }, async () => await acquireLock(path, options)));
    assert.equal(outcomes.filter((outcome) => outcome.kind === "acquired").length, 1, `stale: ${stale}`);
    assert.deepEqual(await readdir(place), ["serve.lock", "serve.lock.guard"]);
  }
});

test("of many processes at once exactly one gets a stale lock, and it is free again when that one is killed", async () => {
  const path = join(folder, "processes.lock");
  await writeFile(path, JSON.stringify({ pid: 1, bootId: "another boot", startTicks: "1" }));
  const script = `import { acquireLock } from ${JSON.stringify(join(import.meta.dirname, "../../cli/cluster/lock.ts"))}; const outcome = await acquireLock(${JSON.stringify(path)}, ${JSON.stringify(options)}); process.stdout.write(outcome.kind); setInterval(() => undefined, 1000);`;
  const children = Array.from({ length: 5 }, () => spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] }));
  try {
    const words = await Promise.all(children.map(async (child) => String(await new Promise((resolve) => child.stdout.once("data", resolve)))));
    assert.deepEqual(words.toSorted(), ["acquired", "held", "held", "held", "held"]);
    assert.equal((await readHolder(path))?.pid, children[words.indexOf("acquired")]?.pid);
  } finally {
    await Promise.all(children.map(async (child) => { child.kill("SIGKILL"); await once(child, "exit"); }));
  }
  assert.equal((await acquireLock(path, options)).kind, "acquired");
});

test("a lock whose pid belongs to another process now is stale", async () => {
  const path = join(folder, "reused.lock");
  const own = await identify(process.pid);
  assert.ok(own !== undefined);
  await writeFile(path, JSON.stringify({ ...own, startTicks: "1" }));
  assert.equal(await readHolder(path), undefined);
  assert.equal(await readStaleLock(path), true);
  assert.equal((await acquireLock(path, options)).kind, "acquired");
  assert.ok((await readFile(path, "utf8")).includes(`"startTicks":"${own.startTicks}"`));
});

test("a lock of a process that has ended, an empty and a damaged one are stale", async () => {
  const child = spawn("sleep", ["60"]);
  assert.ok(child.pid !== undefined);
  const identity = await identify(child.pid);
  assert.ok(identity !== undefined);
  assert.equal(await isRunning(identity), true);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(await isRunning(identity), false);
  for (const text of [JSON.stringify(identity), "", "{", "[]", '{"pid":"x"}', '{"pid":-1}']) {
    const path = join(folder, "stale.lock");
    await writeFile(path, text);
    assert.equal((await acquireLock(path, options)).kind, "acquired", text);
    await rm(path);
  }
});

test("start time and state are read behind any process name", () => {
  const rest = Array.from({ length: 30 }, (_, index) => String(index + 4)).join(" ");
  assert.deepEqual(statFields(`12 (a) b (c)) S ${rest}`), { state: "S", startTicks: "22" });
});

test("a host port in use is found, unless a Pod of ours holds it", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "0.0.0.0", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const wanted = hostPorts([podOf({ spec: { containers: [{ name: "app", image: "i", ports: [{ containerPort: 80, hostPort: address.port }] }] } })]);
  const lacks = await takenHostPorts(wanted, []);
  assert.equal(lacks[0]?.message, `pod/web container app: hostPort ${address.port} is in use on this machine`);
  assert.deepEqual(await takenHostPorts(wanted, wanted), []);
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  assert.deepEqual(await takenHostPorts(wanted, []), []);
  assert.match((await takenHostPorts([...wanted, ...wanted], []))[0]?.message ?? "", /also wanted by/);
});

test("log lines are made readable, and others kept", () => {
  assert.equal(readableLine('{"level":"info","time":"2026-01-01T10:11:12.345Z","role":"serve","pod":"x","msg":"Ready"}'), "10:11:12 info  Ready  pod=x");
  assert.equal(readableLine("plain"), "plain");
  assert.match(readableLine('{"level":"error","time":"","msg":"No","err":{"stack":"Error: x\\n at y"}}'), /No {2}err=Error: x\n at y/);
});

test("bytes are cut into whole lines across chunks", async () => {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (const text of ["a\nb", "c", "\n\nd"]) yield await Promise.resolve(Buffer.from(text));
  }
  const lines: string[] = [];
  for await (const line of splitLines(chunks())) lines.push(Buffer.from(line).toString());
  assert.deepEqual(lines, ["a\n", "bc\n", "\n", "d\n"]);
});
