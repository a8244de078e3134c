import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pauseProgram } from "../../images/pause/program.ts";
import { eventually } from "../support/eventually.ts";

const architecture = process.arch === "x64" ? "amd64" : process.arch;
const runsHere = process.platform === "linux" && (architecture === "amd64" || architecture === "arm64");

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`the pause program waits, and ends with 0 at ${signal}`, { skip: runsHere ? false : "its machine code is for Linux" }, async (t) => {
    assert.ok(architecture === "amd64" || architecture === "arm64");
    const folder = await mkdtemp(join(tmpdir(), "podkit-pause-"));
    t.after(async () => await rm(folder, { recursive: true }));
    const path = join(folder, "pause");
    await writeFile(path, pauseProgram(architecture), { mode: 0o755 });
    const child = spawn(path, { stdio: "ignore" });
    const ended = once(child, "exit");
    t.after(() => child.kill("SIGKILL"));
    // The one place where it sleeps is rt_sigtimedwait, with its signals blocked.
    await eventually(async () => /^Name:\tpause\n[^]*^State:\tS/m.test(await readFile(`/proc/${child.pid ?? 0}/status`, "utf8")), { what: "waiting for signals" });
    child.kill("SIGCHLD"); // of no child: it must go on waiting
    child.kill(signal);
    assert.deepEqual(await ended, [0, null]);
  });
}

test("both executables are small and start with the header of their machine", () => {
  assert.deepEqual((["amd64", "arm64"] as const).map((each) => Buffer.from(pauseProgram(each)).readUInt16LE(18)), [62, 183]);
  assert.ok(pauseProgram("amd64").length < 512 && pauseProgram("arm64").length < 512);
});
