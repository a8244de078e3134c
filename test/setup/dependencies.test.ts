import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { ensureDependencies } from "../../setup/dependencies.mjs";

const wanted = {
  "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
  "node_modules/of-this-machine": { version: "1.0.0", integrity: "sha512-b", optional: true, os: [process.platform], cpu: [process.arch] },
  "node_modules/of-another": { version: "1.0.0", integrity: "sha512-c", optional: true, os: ["beos"], cpu: ["ppc"] },
};
type Run = { readonly exitCode: number; readonly says?: string; readonly installs?: readonly string[] };
const all = ["node_modules/a", "node_modules/of-this-machine"];

/** An npm whose runs end as they are told, the last one again and again; what it installs is in the record that npm leaves. */
async function world(t: TestContext, runs: readonly Run[]): Promise<{ readonly ensure: () => Promise<string>; readonly said: string[]; readonly runCount: () => Promise<number> }> {
  const root = await mkdtemp(join(tmpdir(), "podkit-dependencies-"));
  t.after(async () => await rm(root, { recursive: true }));
  await writeFile(join(root, "package-lock.json"), JSON.stringify({ packages: { "": {}, ...wanted } }));
  await writeFile(join(root, "count"), "0");
  const npm = join(root, "npm.cjs");
  await writeFile(npm, `
    const { mkdirSync, readFileSync, writeFileSync } = require("node:fs");
    const wanted = ${JSON.stringify(wanted)}, runs = ${JSON.stringify(runs)};
    const count = Number(readFileSync("count", "utf8"));
    writeFileSync("count", String(count + 1));
    const { exitCode, says = "", installs } = runs[Math.min(count, runs.length - 1)];
    if (installs !== undefined) {
      mkdirSync("node_modules", { recursive: true });
      writeFileSync("node_modules/.package-lock.json", JSON.stringify({ packages: Object.fromEntries(installs.map((path) => [path, wanted[path]])) }));
    }
    console.log(says);
    process.exitCode = exitCode;
  `);
  const said: string[] = [];
  return { said, ensure: async () => await ensureDependencies(root, (line: string) => said.push(line), { npm, pauses: [1, 1, 1] }), runCount: async () => Number(await readFile(join(root, "count"), "utf8")) };
}

test("what is there is not installed again", async (t) => {
  const { ensure, runCount } = await world(t, [{ exitCode: 0, says: "added 2 packages in 1s", installs: all }]);
  assert.equal(await ensure(), "added 2 packages");
  assert.equal(await ensure(), "present");
  assert.equal(await runCount(), 1);
});

test("a download that was cut is tried again, and told", async (t) => {
  const { ensure, said, runCount } = await world(t, [{ exitCode: 1, says: "npm error code ECONNRESET" }, { exitCode: 0, says: "added 2 packages in 1s", installs: all }]);
  assert.equal(await ensure(), "added 2 packages");
  assert.equal(await runCount(), 2);
  assert.match(said.join("\n"), /npm ci failed; trying again in 0\.001 s: npm ci failed after \d+ s: npm error code ECONNRESET/);
});

test("a package for this machine that npm left out as optional is asked for again", async (t) => {
  const { ensure, said, runCount } = await world(t, [{ exitCode: 0, installs: ["node_modules/a"] }, { exitCode: 0, installs: all }]);
  await ensure();
  assert.equal(await runCount(), 2);
  assert.match(said.join("\n"), /npm ci succeeded, but of-this-machine is missing/);
});

test("one that never comes ends the tries, and what needs it may say so", async (t) => {
  const { ensure, said, runCount } = await world(t, [{ exitCode: 0, installs: ["node_modules/a"] }]);
  await ensure();
  assert.equal(await runCount(), 4);
  assert.match(said.at(-1) ?? "", /of-this-machine is missing; going on without it/);
});

test("a registry that never answers ends it with the remedy after four tries", async (t) => {
  const { ensure, runCount } = await world(t, [{ exitCode: 1, says: "npm error code ETIMEDOUT" }]);
  await assert.rejects(ensure(), { exitCode: 69, message: /npm ci failed after \d+ s:\n.*ETIMEDOUT[^]*Remedy: make "npm ci" pass/ });
  assert.equal(await runCount(), 4);
});

test("a lock that does not fit package.json fails at once", async (t) => {
  const { ensure, runCount } = await world(t, [{ exitCode: 1, says: "npm error code EUSAGE" }]);
  await assert.rejects(ensure(), /EUSAGE/);
  assert.equal(await runCount(), 1);
});
