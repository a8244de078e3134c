// The installation and the start of an engine, with programs in the place of apt, of the daemon and of the question whether one answers.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";

const script = join(import.meta.dirname, "../../setup/ensure-engine.sh");
const tools = ["bash", "cat", "dirname", "flock", "grep", "nohup", "rm", "seq", "setsid", "tail", "touch", "uname", "wc", "chmod"];
const skip = process.platform === "linux" && spawnSync("which", tools).status === 0 ? false : "needs Linux with the usual tools";

/** Numbers are of the calls, from 1. */
type World = { readonly installFailsUntil?: number; readonly updateFails?: true; readonly daemonEndsUntil?: number };

async function ensureEngine(t: TestContext, { installFailsUntil = 0, updateFails, daemonEndsUntil = 0 }: World): Promise<{ readonly code: unknown; readonly out: string; readonly calls: string }> {
  const folder = await mkdtemp(join(tmpdir(), "podkit-engine-"));
  t.after(async () => await rm(folder, { recursive: true, force: true, maxRetries: 10 }));
  for (const tool of tools) await symlink(spawnSync("which", [tool], { encoding: "utf8" }).stdout.trim(), join(folder, tool));
  const program = async (name: string, body: string): Promise<void> => {
    await writeFile(join(folder, name), `#!${join(folder, "bash")}\necho "${name} $*" >> ${folder}/calls\n${body}`);
    await chmod(join(folder, name), 0o755);
  };
  const count = (what: string): string => `$(grep -c '^${what}' ${folder}/calls)`;
  await program("id", "echo 0");
  await program("sleep", "exit 0");
  await program("mount", "exit 0");
  await program("answers", `if [ -e ${folder}/up ]; then echo "24.0.1 1.43 unix:///x"; else echo "no socket"; exit 1; fi`);
  await program("daemon", `if [ ${count("daemon")} -le ${daemonEndsUntil} ]; then echo "failed to start"; exit 1; fi\ntouch ${folder}/up\nexec tail --pid=$PPID -f /dev/null`); // lives as long as the script
  await program("apt-get", `case "$*" in
*update*) ${updateFails === true ? "echo 'E: Could not get lock /var/lib/apt/lists/lock'; exit 100" : "exit 0"} ;;
*install*) if [ ${count("apt-get .*install")} -le ${installFailsUntil} ]; then echo "E: Failed to fetch docker.io"; exit 100; fi; cat ${folder}/daemon > ${folder}/dockerd; chmod +x ${folder}/dockerd ;;
esac`);
  const child = spawn(join(folder, "bash"), [script], { env: { PATH: folder, PODKIT_NODE: join(folder, "answers"), PODKIT_ENGINE_STATE: folder }, stdio: ["ignore", "pipe", "pipe"] });
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, out: out + errors, calls: await readFile(join(folder, "calls"), "utf8") };
}

const times = (calls: string, what: RegExp): number => calls.split("\n").filter((line) => what.test(line)).length;

test("where there is no engine one is installed and started", { skip }, async (t) => {
  const { code, out, calls } = await ensureEngine(t, {});
  assert.equal(code, 0, out);
  assert.match(out, /^Docker Engine 24\.0\.1 answers \(API 1\.43\), started$/m);
  assert.deepEqual([times(calls, /^apt-get .*update/), times(calls, /^apt-get .*install .*docker\.io/), times(calls, /^daemon/)], [1, 1, 1]);
});

test("an installation that fails is tried again, from the package lists on, and told", { skip }, async (t) => {
  const { code, out, calls } = await ensureEngine(t, { installFailsUntil: 2 });
  assert.equal(code, 0, out);
  assert.deepEqual([times(calls, /^apt-get .*update/), times(calls, /^apt-get .*install/)], [3, 3]);
  assert.match(out, /^The installation failed; trying again in 3 s: E: Failed to fetch docker\.io$/m);
});

test("package lists that cannot be renewed are no hindrance when the installation succeeds", { skip }, async (t) => {
  const { code, out } = await ensureEngine(t, { updateFails: true });
  assert.equal(code, 0, out);
});

test("an installation that never succeeds ends it with 69, the reason and the remedy", { skip }, async (t) => {
  const { code, out, calls } = await ensureEngine(t, { installFailsUntil: 1000 });
  assert.equal(code, 69, out);
  assert.equal(times(calls, /^apt-get .*install/), 5);
  assert.match(out, /E: Failed to fetch docker\.io\nDocker Engine could not be installed in 5 tries; .* Remedy: make "apt-get install docker\.io" work/);
});

test("a daemon that ends at once is started again", { skip }, async (t) => {
  const { code, out, calls } = await ensureEngine(t, { daemonEndsUntil: 2 });
  assert.equal(code, 0, out);
  assert.equal(times(calls, /^daemon/), 3);
});

test("a daemon that never comes up ends it with 69 and the end of its log", { skip }, async (t) => {
  const { code, out, calls } = await ensureEngine(t, { daemonEndsUntil: 1000 });
  assert.equal(code, 69, out);
  assert.equal(times(calls, /^daemon/), 4);
  assert.match(out, /failed to start\nDocker Engine did not answer within 2 minutes of its start; above is the end of /);
});
