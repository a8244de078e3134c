import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build, transform, type Metafile, type OutputFile, type Plugin } from "esbuild";
import type { Role } from "./roles.ts";
import type { BundledPackage } from "./sbom.ts";

/** A bundle as it goes into an image: files by name, sorted, and the packages whose code is inside. */
export type Bundle = { readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[]; readonly packages: readonly BundledPackage[] };

/**
 * Bundles a role: main.cjs, a source map without sources, and the licences of what is inside. The program of a role that starts with a cache is
 * role.cjs, a function for main.cjs (start-role.cjs) to call. CommonJS,
 * because `import "node:http"` as a module of the newer kind loads half as many built-in modules again; not minified,
 * because that gains nothing measurable and costs readable traces. Programs of the role's worker threads, and what it imports on
 * first use only, are files of their own beside it. A warning is an error: esbuild only warns of `import.meta`, of which such a bundle has the file name alone.
 */
export async function bundleRole(o: { readonly root: string; readonly role: Role; readonly version: string }): Promise<Bundle> {
  const entry = join(o.root, o.role.entry);
  if (!existsSync(entry)) throw new Error(`Cannot bundle ${o.role.name}: ${o.role.entry} does not exist`);
  const program = o.role.warmUp === undefined ? "main" : "role";
  const result = await build({
    absWorkingDir: o.root,
    entryPoints: { [program]: o.role.entry, ...o.role.workers },
    outdir: join("dist", o.role.name),
    outExtension: { ".js": ".cjs" },
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "esnext",
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    external: ["winston-transport"],
    plugins: [besideMain(o.root, o.role.workers ?? {}), builtinsOnFirstUse()],
    define: { PODKIT_VERSION: JSON.stringify(o.version), "import.meta.filename": "__filename" },
    metafile: true,
    logLevel: "silent",
  });
  if (result.warnings.length > 0) {
    const lines = result.warnings.map((warning) => `${warning.location?.file ?? "?"}:${warning.location?.line ?? 0}: ${warning.text}`);
    throw new Error(`Cannot bundle ${o.role.name}:\n${lines.join("\n")}`);
  }
  const packages = await bundledPackages(o.root, result.metafile);
  const licences = packages.map((found) => `${found.name} ${found.version} (${found.licence})\n\n${found.licenceText.trim()}\n`).join(`\n${"-".repeat(80)}\n\n`);
  const outputs = await Promise.all(result.outputFiles.map(async (file) => ({ name: basename(file.path), bytes: file.path.endsWith(".cjs") ? await asciiOf(file) : file.contents })));
  const programs = o.role.warmUp === undefined ? outputs : [...outputs.map((file) => (file.name === "role.cjs" ? { ...file, bytes: asFunction(file.bytes) } : file)), { name: "main.cjs", bytes: await readFile(starter) }];
  const files = [...programs, { name: "LICENSES.txt", bytes: Buffer.from(licences) }];
  return { files: files.toSorted((a, b) => (a.name < b.name ? -1 : 1)), packages };
}

const starter = join(import.meta.dirname, "start-role.cjs");

/**
 * A program of CommonJS that stays one for `require`, and as a plain script gives the function that Node would make of it. On the same lines, so
 * that the source map holds.
 */
function asFunction(program: Uint8Array): Uint8Array {
  const text = Buffer.from(program).toString("latin1");
  const map = text.lastIndexOf("//# sourceMappingURL=");
  if (map < 0) throw new Error("Cannot make a function of a bundle without the name of its source map");
  const names = "exports, require, module, __filename, __dirname";
  return Buffer.from(`((run) => (this === globalThis ? run : run(${names})))(function (${names}) { ${text.slice(0, map)}})\n${text.slice(map)}`, "latin1");
}

/** Leaves a dynamic import of one of these files to Node, at its place beside main.cjs. They share no code with main.cjs: each has a copy. */
function besideMain(root: string, files: Readonly<Record<string, string>>): Plugin {
  return {
    name: "beside-main",
    setup: (setup) => setup.onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
      const name = kind === "dynamic-import" ? Object.keys(files).find((each) => join(root, files[each] ?? "") === join(resolveDir, path)) : undefined;
      return name === undefined ? undefined : { path: `./${name}.cjs`, external: true };
    }),
  };
}

/** Built-in modules that take milliseconds to load and that not every start needs. */
const lateBuiltins = /^node:(?:crypto|http|https|zlib)$/;

/**
 * What ES modules import of these is loaded when something of it is first used, not when the role starts. The names that a module exports are
 * those of the Node that bundles; one that the Node which runs does not have is undefined.
 */
function builtinsOnFirstUse(): Plugin {
  const namespace = "builtin";
  return {
    name: "builtins-on-first-use",
    setup(setup) {
      setup.onResolve({ filter: lateBuiltins }, ({ kind, path }) => (kind === "import-statement" ? { path, namespace } : undefined));
      setup.onLoad({ filter: lateBuiltins, namespace }, async ({ path }) => {
        const module: unknown = await import(path);
        const names = Object.keys(typeof module === "object" && module !== null ? module : {}).filter((name) => name !== "default");
        return { contents: `let loaded;\nfor (const name of ${JSON.stringify(names)}) Object.defineProperty(exports, name, { enumerable: true, get: () => (loaded ??= require(${JSON.stringify(path)}))[name] });` };
      });
    },
  };
}

/**
 * One character beyond Latin-1 makes Node keep the whole text with two bytes for each: a megabyte or two of a role's memory, for
 * an ellipsis in a comment. esbuild escapes such characters in code; in comments they become question marks here, one for each
 * UTF-16 unit, so that the source map holds. Throws when code would change.
 */
async function asciiOf({ path, text, contents }: OutputFile): Promise<Uint8Array> {
  const ascii = text.replaceAll(/[^\0-\u007f]/g, "?");
  if (ascii === text) return contents;
  const [before, after] = await Promise.all([text, ascii].map(async (each) => (await transform(each, { minifyWhitespace: true, legalComments: "none" })).code));
  if (before !== after) throw new Error(`Cannot bundle ${basename(path)}: its code, and not its comments alone, has characters beyond ASCII`);
  return Buffer.from(ascii);
}

/** Puts files into dist/<role>, each replaced as a whole: two builds at once leave whole files. */
export async function writeBundle(root: string, role: Role, files: Bundle["files"]): Promise<void> {
  const folder = join(root, "dist", role.name);
  await mkdir(folder, { recursive: true });
  for (const file of files) {
    const next = join(folder, `.${file.name}.${process.pid}`);
    await writeFile(next, file.bytes);
    await rename(next, join(folder, file.name));
  }
}

/** The packages whose code is in the output, by the nearest package.json above each file that contributed a byte. */
async function bundledPackages(root: string, metafile: Metafile): Promise<readonly BundledPackage[]> {
  const folders = new Set<string>();
  for (const output of Object.values(metafile.outputs)) {
    for (const [path, input] of Object.entries(output.inputs)) {
      const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
      if (folder !== undefined && input.bytesInOutput > 0) folders.add(folder);
    }
  }
  const packages = await Promise.all([...folders].map(async (folder) => await describePackage(join(root, folder))));
  return packages.toSorted((a, b) => (`${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1));
}

async function describePackage(folder: string): Promise<BundledPackage> {
  const description: unknown = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const fields = new Map<string, unknown>(Object.entries(typeof description === "object" && description !== null ? description : {}));
  const text = (name: string): string => { const value = fields.get(name); return typeof value === "string" ? value : "unknown"; };
  const licenceFile = ["LICENSE", "LICENSE.md", "LICENSE.txt", "license", "LICENCE", "License"].map((name) => join(folder, name)).find((path) => existsSync(path));
  return { name: text("name"), version: text("version"), licence: text("license"), licenceText: licenceFile === undefined ? "No licence file in the package." : await readFile(licenceFile, "utf8") };
}
