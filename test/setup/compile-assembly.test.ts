import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { assemblyModules, compileAssembly, outputPath } from "../../setup/compile-assembly.ts";

for (const module of assemblyModules) {
  test(`the committed ${module.folder}/${module.output} is what its sources compile to, byte for byte`, async () => {
    assert.equal(await readFile(outputPath(module), "utf8"), await compileAssembly(module), `run node setup/compile-assembly.ts ${module.folder}`);
  });
}

test("every folder of AssemblyScript is compiled", () => {
  const found = globSync("{kit,sidecars,orchestrator}/**/assembly", { cwd: join(import.meta.dirname, "../.."), exclude: ["**/node_modules/**"] }).map((folder) => dirname(folder));
  assert.deepEqual(found.toSorted(), assemblyModules.map(({ folder }) => folder).toSorted());
});
