import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Message } from "esbuild";

/**
 * Bundles the command into <root>/dist/cli/main.cjs with its source map, and lists beside it what went in
 * (main.cjs.inputs.json), by which cli/podkit.js sees that the sources are newer. Each file appears whole or not at all, the bundle
 * last. Resolves with the bundle's path. Throws when esbuild has anything to complain about.
 */
export async function buildCli(root: string): Promise<string> {
  const folder = join(root, "dist/cli");
  const bundle = join(folder, "main.cjs");
  const result = await build({
    absWorkingDir: root, entryPoints: ["cli/main.ts"], outfile: bundle, write: false, metafile: true,
    bundle: true, platform: "node", format: "cjs", target: "esnext", logLevel: "silent",
    sourcemap: "linked", sourcesContent: false,
    external: ["bufferutil", "utf-8-validate"], // optional accelerators of ws, which does without them
  });
  const complaints = result.warnings.map(complaint);
  if (complaints.length > 0) throw new Error(`Cannot bundle the command: ${complaints.join("; ")}`);
  await mkdir(folder, { recursive: true });
  const inputs = [...Object.keys(result.metafile.inputs).filter((input) => !input.startsWith("node_modules/")), "package-lock.json", "package.json"];
  await replace(`${bundle}.inputs.json`, `${JSON.stringify(inputs, undefined, 1)}\n`);
  for (const file of result.outputFiles.toSorted((left) => (left.path === bundle ? 1 : -1))) await replace(file.path, file.contents);
  return bundle;
}

const complaint = (message: Message): string => `${message.location?.file ?? ""}:${message.location?.line ?? 0}: ${message.text}`;

async function replace(path: string, data: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.next`, data);
  await rename(`${path}.next`, path);
}

if (import.meta.main) console.log(await buildCli(join(import.meta.dirname, "..")));
