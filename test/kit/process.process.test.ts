import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { eventually } from "../support/eventually.ts";

type Running = { readonly child: ChildProcess; readonly port: number; readonly output: () => string; readonly exit: Promise<number | null> };

const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill("SIGKILL");
});

function launch(argv: readonly string[], env: Readonly<Record<string, string>> = {}): { readonly child: ChildProcess; readonly output: () => string; readonly exit: Promise<number | null> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, "fixtures/role.ts"), ...argv], { env: { PATH: "", PODKIT_ADMIN_ADDR: "127.0.0.1:0", PODKIT_CONFIG: "/nowhere", ...env } });
  children.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (output += part.toString()));
  return { child, output: () => output, exit: once(child, "close").then(([code]) => code as number | null) };
}

async function start(argv: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const launched = launch(argv, env);
  const port = await eventually(() => /"port":(\d+)/.exec(launched.output())?.[1], { what: `the role to listen; it said ${launched.output()}` });
  return { ...launched, port: Number(port) };
}

function ask(port: number, path: string, options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {}): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method: options.method ?? "GET", headers: options.headers ?? {}, agent: false }, (response) => {
      let body = "";
      response.on("data", (part: Buffer) => (body += part.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on("error", reject);
    sent.end(options.body);
  });
}

test("probes, metrics and settings are served, secrets are not", async () => {
  const role = await start(["--password=hunter2"]);
  assert.deepEqual(await ask(role.port, "/livez"), { status: 200, body: "ok\n" });
  assert.deepEqual(await ask(role.port, "/startupz"), { status: 200, body: "ok\n" });
  assert.equal((await ask(role.port, "/readyz?verbose")).body, "[+]work ok\n[+]config ok\nok\n");
  assert.match((await ask(role.port, "/metrics")).body, /podkit_build_info\{version="[^"]+",role="fixture"\} 1\n/);
  assert.match((await ask(role.port, "/metrics", { headers: { accept: "application/openmetrics-text" } })).body, /# EOF\n$/);
  assert.match((await ask(role.port, "/config")).body, /"password": "<redacted>"/);
  assert.equal((await ask(role.port, "/nothing")).status, 404);
  assert.equal((await ask(role.port, "/metrics", { method: "POST" })).status, 405);
  role.child.kill("SIGTERM");
  assert.equal(await role.exit, 0);
  assert.doesNotMatch(role.output(), /hunter2/);
});

test("the log level changes at run time", async () => {
  const role = await start();
  assert.equal((await ask(role.port, "/loglevel", { method: "PUT", body: "warn" })).body, "warn\n");
  assert.equal((await ask(role.port, "/loglevel", { method: "PUT", body: "loud" })).status, 400);
  role.child.kill("SIGUSR2");
  await eventually(() => role.output().includes("changed by SIGUSR2"));
  role.child.kill("SIGTERM");
  await role.exit;
});

test("at SIGTERM it turns unready, finishes its work and exits with its code", async () => {
  const role = await start(["--work-ms=10m", "--shutdown-grace-ms=10m", "--answer=75"]);
  role.child.kill("SIGTERM");
  const ready = await eventually(async () => {
    const answer = await ask(role.port, "/readyz");
    return answer.status === 503 && answer;
  });
  assert.match(ready.body, /\[-\]draining failed: shutting down/);
  assert.equal((await ask(role.port, "/livez")).status, 200);
  assert.equal((await ask(role.port, "/finish", { method: "POST" })).status, 200);
  assert.equal(await role.exit, 75);
  assert.doesNotMatch(role.output(), /Gave up/);
});

test("a second signal makes it give up at once", async () => {
  const role = await start(["--work-ms=60s"]);
  role.child.kill("SIGTERM");
  await eventually(() => role.output().includes("Asked to end"));
  role.child.kill("SIGTERM");
  assert.equal(await role.exit, 0);
  assert.match(role.output(), /Gave up/);
});

test("work that outlasts the grace is given up before the grace ends", async () => {
  const role = await start(["--work-ms=60s", "--shutdown-grace-ms=1s"]);
  role.child.kill("SIGTERM");
  assert.equal(await role.exit, 0);
  assert.match(role.output(), /Gave up/);
});

for (const [name, argv, env, code, words] of [
  ["a wrong setting", ["--answer=x"], {}, 78, /--answer: answer: expected a whole number, got "x"/],
  ["an unknown flag", ["--anwser=1"], {}, 78, /did you mean "--answer"\?/],
  ["an unknown command", ["dance"], {}, 64, /"dance" is not a command; there are greet/],
] as const) {
  test(`${name} ends it with exit code ${code} before anything is bound`, async () => {
    const role = launch(argv, env);
    assert.equal(await role.exit, code);
    assert.match(role.output(), words);
    assert.doesNotMatch(role.output(), /Started/);
  });
}

test("an admin address in use is named with the remedy", async () => {
  const first = await start();
  const second = launch([], { PODKIT_ADMIN_ADDR: `127.0.0.1:${first.port}` });
  assert.equal(await second.exit, 78);
  assert.match(second.output(), new RegExp(`127\\.0\\.0\\.1:${first.port} is in use .* PODKIT_ADMIN_ADDR`));
  first.child.kill("SIGTERM");
  await first.exit;
});

test("the quit endpoint answers only the Pod's own containers, and only when switched on", async () => {
  const off = await start();
  assert.equal((await ask(off.port, "/quitquitquit", { method: "POST", headers: { "x-podkit": "quit" } })).status, 404);
  off.child.kill("SIGTERM");
  const on = await start(["--admin-quit=true"]);
  for (const headers of [{}, { "x-podkit": "quit", origin: "http://evil.example" }, { "x-podkit": "quit", host: "evil.example" }]) assert.equal((await ask(on.port, "/quitquitquit", { method: "POST", headers })).status, 403);
  assert.equal((await ask(on.port, "/quitquitquit", { method: "POST", headers: { "x-podkit": "quit" } })).status, 200);
  assert.equal(await on.exit, 0);
});

test("a changed ConfigMap mount is taken up; a bad or refused one leaves the old in force and shows in readiness", async () => {
  const mount = await mkdtemp(join(tmpdir(), "podkit-mount-"));
  after(() => rm(mount, { recursive: true, force: true }));
  let generation = 0;
  /** As the kubelet's atomic writer does it: a new folder, then the ..data symlink renamed over. */
  const publish = async (text: string): Promise<void> => {
    const folder = `..${++generation}`;
    await mkdir(join(mount, folder));
    await writeFile(join(mount, folder, "config.yaml"), text);
    await symlink(folder, join(mount, "..data_tmp"));
    await rename(join(mount, "..data_tmp"), join(mount, "..data"));
  };
  await publish("name: one\n");
  await symlink("..data/config.yaml", join(mount, "config.yaml"));
  const role = await start([], { PODKIT_CONFIG: mount });
  await publish("name: two\n");
  await eventually(() => role.output().includes('"name":"two"'));
  for (const [text, reason] of [["nmae: three\n", /did you mean "name"/], ["name: refuse-me\n", /this name is refused/]] as const) {
    await publish(text);
    const answer = await eventually(async () => {
      const got = await ask(role.port, "/readyz");
      return got.status === 503 && reason.test(got.body) && got;
    });
    assert.match(answer.body, /\[-\]config failed/);
  }
  assert.match((await ask(role.port, "/config")).body, /"name": "two"/);
  await publish("name: four\n");
  await eventually(async () => (await ask(role.port, "/readyz")).status === 200);
  assert.match((await ask(role.port, "/metrics")).body, /podkit_config_reload_total\{result="applied"\} 2/);
  role.child.kill("SIGTERM");
  assert.equal(await role.exit, 0);
});
