import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { compileCore } from "../../../../sidecars/log-shipper/core/compile.ts";

test("The committed core is what its sources compile to, byte for byte", async () => {
  const committed = join(import.meta.dirname, "../../../../sidecars/log-shipper/core/core-module.ts");
  assert.equal(await readFile(committed, "utf8"), await compileCore(), "run node sidecars/log-shipper/core/compile.ts");
});
