import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, afterEach, describe, test } from "node:test";
import { ensureCliBundle } from "../../images/cli-bundle.ts";

describe("the command's bundle", () => {
  let root: string;
  let builds: number;
  let nowMs: number;
  /** Stands for esbuild; what it leaves is what cli/build-cli.ts promises to leave. */
  const build = async (): Promise<string> => {
    builds++;
    const bundle = join(root, "dist/cli/main.cjs");
    await writeFile(bundle, `build ${builds}`);
    await writeFile(`${bundle}.inputs.json`, '["main.ts"]');
    return bundle;
  };
  const ensure = async (): Promise<string> => await ensureCliBundle(root, { build, nowMs: () => nowMs });
  const writeSource = async (text: string, timeMs: number): Promise<void> => {
    await writeFile(join(root, "main.ts"), text);
    await utimes(join(root, "main.ts"), timeMs / 1000, timeMs / 1000);
  };
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "podkit-cli-bundle-"));
    await mkdir(join(root, "dist/cli"), { recursive: true });
    builds = 0;
    nowMs = 2_000_000;
    await writeSource("one", 1_000_000);
  });
  afterEach(async () => await rm(root, { recursive: true }));

  test("is made once for the same sources", async () => {
    assert.equal(await ensure(), "built");
    assert.equal(await ensure(), "present");
    assert.equal(builds, 1);
  });

  test("is made again when a source has other content, whatever its time", async () => {
    await ensure();
    await writeSource("two", 1_000_000);
    assert.equal(await ensure(), "built");
  });

  test("becomes younger than sources of which only the times changed, so that the command takes it", async () => {
    await ensure();
    await writeSource("one", 3_000_000);
    nowMs = 4_000_000;
    assert.equal(await ensure(), "present");
    assert.equal((await stat(join(root, "dist/cli/main.cjs"))).mtimeMs, 4_000_000);
  });

  test("that a source overtook while it was made is older than the source and is made again", async () => {
    await writeSource("one", 3_000_000);
    assert.equal(await ensure(), "built");
    assert.equal((await stat(join(root, "dist/cli/main.cjs"))).mtimeMs, 2_000_000);
    nowMs = 4_000_000;
    assert.equal(await ensure(), "built");
    assert.equal(await ensure(), "present");
  });

  test("is made again when it is cut or an input has gone", async () => {
    await ensure();
    await writeFile(join(root, "dist/cli/main.cjs"), "bui");
    assert.equal(await ensure(), "built");
    await writeFile(join(root, "dist/cli/main.cjs.inputs.json"), '["gone.ts"]');
    assert.equal(await ensure(), "built");
  });
});
