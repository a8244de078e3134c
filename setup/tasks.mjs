// The tasks of `npm run …`, run by Node 24 after setup/main.mjs has prepared what they need.
import { existsSync, globSync, statSync } from "node:fs";
import { join } from "node:path";
import { runInForeground } from "./run.mjs";

const root = join(import.meta.dirname, "..");
const node = process.execPath;
const run = async (words, env = {}) => await runInForeground(node, words, { cwd: root, env });

/** Two test files at a time: they mostly wait, and more would disturb one another on a small machine. */
const testFlags = ["--test", "--test-concurrency=2", "--test-timeout=180000"];
const unitTests = () => globSync("test/**/*.test.ts", { cwd: root, exclude: ["test/e2e/**"] }).toSorted();
const endToEndTests = () => globSync("test/e2e/**/*.test.ts", { cwd: root }).toSorted();

/** Runs test files, all of `files` or those that the words name; the runner's own summary is the last output. */
async function test(files, words) {
  const flags = words.filter((word) => word.startsWith("-"));
  const named = words.filter((word) => !word.startsWith("-"));
  const chosen = named.flatMap((name) => (statSync(join(root, name), { throwIfNoEntry: false })?.isDirectory() ? globSync(`${name}/**/*.test.ts`, { cwd: root }).toSorted() : [name]));
  return await run([...testFlags, ...flags, ...(named.length > 0 ? chosen : files)]);
}

const tasks = {
  demo: async (words) => await run(["cli/podkit.js", "up", "-f", "manifests/demo", ...words]),
  test: async (words) => await test([...unitTests(), ...endToEndTests()], words),
  "test:unit": async (words) => await test(unitTests(), words),
  "test:e2e": async (words) => await test(endToEndTests(), words),
  check: async () => {
    const oxlint = "node_modules/oxlint/bin/oxlint";
    const codes = [
      await run(["node_modules/typescript/bin/tsc", "--noEmit"]),
      await run([oxlint, "--type-aware", "--ignore-pattern", "**/*.mjs", "--ignore-pattern", "**/*.js", ...sources()]),
      await run([oxlint, "setup", "cli/podkit.js"]), // plain JavaScript has no types to go by
    ];
    return Math.max(...codes);
  },
  build: async (words) => await run(["images/build.ts", "bundles", ...words]),
  images: async (words) => await run(["images/build.ts", ...words]),
  bench: async (words) => {
    const named = words.filter((word) => !word.startsWith("-"));
    const flags = words.filter((word) => word.startsWith("-"));
    for (const name of named.length > 0 ? named : ["footprint", "pod-start"]) {
      const code = await run([`bench/${name}.ts`, ...flags]);
      if (code !== 0) return code;
    }
    return 0;
  },
  setup: async () => 0,
};

/** oxlint without paths may walk for minutes. */
function sources() {
  return ["bench", "cli", "images", "kit", "manifests", "orchestrator", "setup", "sidecars", "test"].filter((folder) => existsSync(join(root, folder)));
}

const [task = "", ...words] = process.argv.slice(2);
process.exitCode = await tasks[task](words);
