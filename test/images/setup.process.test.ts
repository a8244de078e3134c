// The set-up as a program: its paths that change nothing on this machine.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";

const setup = join(import.meta.dirname, "../../setup");

/** An engine of which only the version can be asked, on a socket of its own. */
async function engine(t: TestContext, version: unknown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "podkit-engine-"));
  const server = createServer((_request, response) => response.end(JSON.stringify(version)));
  server.listen(join(folder, "docker.sock"));
  await once(server, "listening");
  t.after(async () => { server.close(); await rm(folder, { recursive: true, force: true }); });
  return `unix://${join(folder, "docker.sock")}`;
}

async function ensureEngine(env: Record<string, string>): Promise<{ readonly code: unknown; readonly out: string }> {
  const child = spawn("bash", [join(setup, "ensure-engine.sh")], { env: { ...process.env, PODKIT_NODE: process.execPath, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close");
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await ended;
  return { code: child.exitCode, out: out + errors };
}

test("an engine that answers is left alone", async (t) => {
  const { code, out } = await ensureEngine({ DOCKER_HOST: await engine(t, { Version: "27.1.0", ApiVersion: "1.46" }) });
  assert.equal(code, 0);
  assert.equal(out, "Docker Engine 27.1.0 answers (API 1.46)\n");
});

test("a named engine that does not answer ends it with 69 and the remedy, and nothing is installed", async () => {
  const { code, out } = await ensureEngine({ DOCKER_HOST: "unix:///nowhere/docker.sock" });
  assert.equal(code, 69);
  assert.match(out, /No Docker Engine answers at DOCKER_HOST=unix:\/\/\/nowhere\/docker\.sock\. Remedy: start that engine, or unset DOCKER_HOST/);
});

test("an engine that is too old is refused with the version that is needed", async (t) => {
  const { code, out } = await ensureEngine({ DOCKER_HOST: await engine(t, { Version: "19.03.1", ApiVersion: "1.40" }) });
  assert.equal(code, 69);
  assert.match(out, /19\.03\.1 speaks API 1\.40; podkit needs 1\.41/);
});

test("what answers and is no engine counts as none", async (t) => {
  const { code } = await ensureEngine({ DOCKER_HOST: await engine(t, { hello: "world" }) });
  assert.equal(code, 69);
});

test("a task that does not exist is refused with the list of those that do", () => {
  const answer = spawnSync(process.execPath, [join(setup, "main.mjs"), "dmeo"], { encoding: "utf8" });
  assert.equal(answer.status, 64);
  assert.match(answer.stderr, /There is no task "dmeo"\.[^]*demo +set up, then bring up the demo Pod/);
});
