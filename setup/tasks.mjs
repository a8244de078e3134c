// The tasks of `npm run …`, run by Node 24 after setup/main.mjs has prepared what they need.
import { existsSync, globSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { runInForeground } from "./run.mjs";

const root = join(import.meta.dirname, "..");
const node = process.execPath;
const run = async (words, env = {}) => await runInForeground(node, words, { cwd: root, env });

/** Two test files at a time: they mostly wait, and more would disturb one another on a small machine. */
const testFlags = ["--test", "--test-concurrency=2", "--test-timeout=600000"];

/** The kinds of test files, by their names, the fast ones first. */
const kinds = ["unit", "process", "e2e"];
const filesOf = (kind) => globSync("test/**/*.test.ts", { cwd: root }).filter((file) => kindOf(file) === kind).toSorted();
const kindOf = (file) => file.startsWith(join("test", "e2e")) ? "e2e" : file.endsWith(".process.test.ts") ? "process" : "unit";

/**
 * Runs the test files of some kinds, each kind in a run of its own because the runner sorts its files by name. Words name files, or
 * folders, which stand for their files of these kinds; without any, all run. A failure does not keep the kinds after it from running, and what failed is the last line.
 */
async function test(chosenKinds, words) {
  const flags = words.filter((word) => word.startsWith("-"));
  const named = words.filter((word) => !word.startsWith("-")).map((word) => relative(root, resolve(root, word)));
  for (const name of named) {
    if (existsSync(join(root, name))) continue;
    process.stderr.write(`There is no ${name}; name test files or folders of them.\n`);
    return 64;
  }
  const failed = [];
  let ran = 0;
  for (const kind of kinds) {
    // A file that is named by itself runs whatever its kind is.
    const isChosen = (file) => named.includes(file) || (chosenKinds.includes(kind) && (named.length === 0 || named.some((name) => file.startsWith(name + sep))));
    const files = filesOf(kind).filter(isChosen);
    if (files.length === 0) continue;
    ran += 1;
    if (await run([...testFlags, ...flags, ...files]) !== 0) failed.push(kind);
  }
  if (ran === 0) process.stderr.write("There are no such test files there.\n");
  else if (failed.length > 0 && ran > 1) process.stderr.write(`Failed: ${failed.join(", ")} tests. Their reports are above.\n`);
  return failed.length === 0 && ran > 0 ? 0 : 1;
}

const tasks = {
  demo: async (words) => await run(["cli/podkit.js", "up", "-f", "manifests/demo", ...words]),
  test: async (words) => await test(kinds, words),
  "test:unit": async (words) => await test(["unit"], words),
  "test:process": async (words) => await test(["process"], words),
  "test:e2e": async (words) => await test(["e2e"], words),
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
      const file = existsSync(join(root, `bench/${name}`)) ? `bench/${name}/main.ts` : `bench/${name}.ts`;
      const code = await run([file, ...flags]);
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
