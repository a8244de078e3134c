import assert from "node:assert/strict";
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
