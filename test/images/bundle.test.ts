import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { bundleRole } from "../../images/bundle.ts";

async function bundled(source: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "podkit-bundle-"));
  try {
    await writeFile(join(root, "main.ts"), source);
    const { files } = await bundleRole({ root, role: { name: "role", entry: "main.ts", title: "A role" }, version: "1.2.3" });
    return Buffer.from(files.find(({ name }) => name === "main.cjs")?.bytes ?? []).toString();
  } finally {
    await rm(root, { recursive: true });
  }
}

test("a bundle is ASCII, so that Node keeps it at one byte a character: texts are escaped, comments lose what is not", async () => {
  const text = await bundled("/** From 1 … 2 😀. */\nexport function value(): string { return `é…${process.pid}`; }\nconsole.log(value());\n");
  assert.match(text, /^[\0-\u007f]*$/);
  assert.match(text, /\\xE9\\u2026/);
});

test("a bundle in which code would change is refused", async () => {
  await assert.rejects(bundled("console.log(String.raw`…`);\n"), /its code, and not its comments alone/);
});

test("a role that starts with a cache runs as a function of main.cjs: its places in the source, its files beside it and its cache hold", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "podkit-bundle-"));
  t.after(async () => await rm(root, { recursive: true }));
  await writeFile(join(root, "beside.ts"), "export const text = 'found';\n");
  await writeFile(join(root, "main.ts"), "function place(): string {\n  return (new Error('here').stack ?? '').split('\\n')[1] ?? '';\n}\nvoid import('./beside.ts').then(({ text }) => console.log(text, place()));\n");
  const { files } = await bundleRole({ root, role: { name: "role", entry: "main.ts", title: "A role", workers: { beside: "beside.ts" }, warmUp: () => "" }, version: "1.2.3" });
  for (const { name, bytes } of files) await writeFile(join(root, name), bytes);
  const main = join(root, "main.cjs");
  const run = (...words: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  assert.match(run(main), /^found .*role\.cjs:/);
  assert.match(run("--enable-source-maps", main), /^found .*main\.ts:2:11\)/);
  const cache = join(root, "role.cache");
  run("-e", `const script = require(${JSON.stringify(main)}); process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(cache)}, script.createCachedData()));`);
  const refused = (...flags: readonly string[]): string => /refused: (\w+)/.exec(run(...flags, "-p", `"refused: " + require(${JSON.stringify(main)}).cachedDataRejected`))?.[1] ?? "";
  assert.equal(refused(), "false");
  assert.equal(refused("--stack-size=900"), "true");
});
