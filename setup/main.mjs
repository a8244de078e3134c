// What `npm run …` runs: prepares what a task needs, then does the task. Plain JavaScript for Node 18 and newer without any
// dependency, because it has to run before there is anything.
//
//   node setup/main.mjs <task> [words for the task]        without a task: the list
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ensureDependencies } from "./dependencies.mjs";
import { alone } from "./lock.mjs";
import { rightNode } from "./node.mjs";
import { SetupError, step } from "./progress.mjs";
import { runInForeground, runQuietly } from "./run.mjs";
import { findEngine } from "./engine-answers.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** What each task needs, in this order, and what it does then. A task's number is the exit code. */
const tasks = {
  demo: { about: "set up, then bring up the demo Pod", needs: ["dependencies", "engine", "images"] },
  test: { about: "set up, then run all tests, the fast ones first", needs: ["dependencies", "engine", "images"] },
  "test:unit": { about: "the tests that need neither Docker nor processes: seconds", needs: ["dependencies"] },
  "test:process": { about: "the tests that run roles or the command as processes, without Docker: minutes", needs: ["dependencies"] },
  "test:e2e": { about: "the tests on a real engine", needs: ["dependencies", "engine", "images"] },
  check: { about: "types and lint", needs: ["dependencies"] },
  build: { about: "the bundles of the roles and of the command", needs: ["dependencies"] },
  images: { about: "the images", needs: ["dependencies", "engine"] },
  bench: { about: "measure", needs: ["dependencies", "engine", "images"] },
  setup: { about: "only set up", needs: ["dependencies", "engine", "images"] },
};

async function main([task = "", ...words]) {
  const found = Object.hasOwn(tasks, task) ? tasks[task] : undefined;
  if (found === undefined) {
    const list = Object.entries(tasks).map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`).join("\n");
    process.stderr.write(`${task === "" ? "" : `There is no task "${task}".\n`}node setup/main.mjs <task>\n${list}\n`);
    return task === "" || task === "--help" ? 0 : 64;
  }
  const env = {};
  await alone(join(root, ".podkit/setup.lock"), (line) => process.stderr.write(`${line}\n`), async () => {
    for (const need of found.needs) await prepare[need](env);
  });
  const node = rightNode(root);
  // The tasks themselves may use all of Node 24; they are loaded by a process that has it.
  return await runInForeground(node, ["--disable-warning=ExperimentalWarning", join(root, "setup/tasks.mjs"), task, ...words], { cwd: root, env: { ...env, PATH: `${dirname(node)}:${process.env.PATH ?? ""}` } });
}

const prepare = {
  dependencies: async () => await step("dependencies", async (say) => await ensureDependencies(root, say)),
  engine: async (env) => await step("engine", async () => {
    const { code, tail, lines } = await runQuietly("bash", [join(root, "setup/ensure-engine.sh")], { cwd: root, env: { PODKIT_NODE: process.execPath }, say: () => {} });
    if (code !== 0) throw new SetupError(tail, code === 127 ? 69 : code);
    const engine = await findEngine();
    // Docker's own client and testcontainers look in the usual place only.
    if (engine.kind === "answers" && process.env.DOCKER_HOST === undefined && engine.host !== "unix:///var/run/docker.sock") env.DOCKER_HOST = engine.host;
    return lines.at(-1) ?? "answers";
  }),
  // And the bundle of the command, which the same program makes.
  images: async (env) => await step("images", async (say) => {
    const isOld = (line) => /^(image|command)\b/.test(line) && line.includes("(present");
    const { code, lines } = await runQuietly(rightNode(root), [join(root, "images/build.ts")], { cwd: root, env, say: (line) => { if (!isOld(line)) say(line); } });
    if (code !== 0) throw new SetupError(lines.filter((line) => !line.startsWith("image ")).slice(-40).join("\n"), code);
    const images = lines.filter((line) => line.startsWith("image "));
    const present = images.filter(isOld).length;
    return present === images.length ? `${present} present` : `${images.length - present} made, ${present} present`;
  }),
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  main(process.argv.slice(2)).then(
    (code) => { process.exitCode = code; },
    (error) => {
      process.stderr.write(`${error instanceof SetupError ? error.message : (error.stack ?? String(error))}\n`);
      process.exitCode = error instanceof SetupError ? error.exitCode : 70;
    },
  );
}
