import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { compileCore } from "../../../../sidecars/format-adapter/engine/compile.ts";

test("the committed core is what its sources compile to, byte for byte", async () => {
  const committed = join(import.meta.dirname, "../../../../sidecars/format-adapter/engine/core-module.ts");
  assert.equal(await readFile(committed, "utf8"), await compileCore(), "run node sidecars/format-adapter/engine/compile.ts");
});
