import { readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildCli } from "../cli/build-cli.ts";
import { contentHash } from "./content-hash.ts";

/**
 * Makes dist/cli/main.cjs, from which the command starts fast, unless it is there for the sources as they are. The files' content decides: a
 * checkout that only changed their times makes the bundle young again instead of bundling anew, because the command's entry goes by the times.
 */
export async function ensureCliBundle(root: string, o: { readonly build: (root: string) => Promise<string>; readonly nowMs: () => number } = { build: buildCli, nowMs: Date.now }): Promise<"present" | "built"> {
  const bundle = join(root, "dist/cli/main.cjs");
  const known = await readFile(`${bundle}.hash`, "utf8").catch(() => "");
  const startedMs = o.nowMs();
  if (known !== "" && known === await inputsHash(root, bundle)) {
    await setTime(bundle, startedMs);
    return "present";
  }
  await o.build(root);
  const hash = await inputsHash(root, bundle);
  // A file that changed meanwhile may be inside in its old form: the bundle is then as old as the start, and no hash vouches for it.
  await setTime(bundle, startedMs);
  const changedMs = await Promise.all((await inputsOf(bundle)).map(async (input) => (await stat(join(root, input))).mtimeMs));
  await writeFile(`${bundle}.hash`, hash === undefined || changedMs.some((ms) => ms > startedMs) ? "" : hash);
  return "built";
}

async function setTime(path: string, timeMs: number): Promise<void> {
  await utimes(path, timeMs / 1000, timeMs / 1000);
}

/** Over the bundle and all that went into it; undefined when one of them is not there. */
async function inputsHash(root: string, bundle: string): Promise<string | undefined> {
  try {
    const inputs = await inputsOf(bundle);
    const files = await Promise.all(inputs.map(async (input) => await readFile(join(root, input))));
    return contentHash([await readFile(bundle), ...inputs.flatMap((input, index) => [input, files[index] ?? ""])]);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The list that the build leaves beside the bundle. */
async function inputsOf(bundle: string): Promise<readonly string[]> {
  const list: unknown = JSON.parse(await readFile(`${bundle}.inputs.json`, "utf8"));
  return Array.isArray(list) ? list.filter((input) => typeof input === "string") : [];
}
