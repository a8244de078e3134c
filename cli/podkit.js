#!/usr/bin/env node
// The bin entry. Plain JavaScript that every Node since 18 can read: it finds a Node that is new enough, then hands over to the
// bundle (dist/cli/main.cjs), or to the sources when they are newer. It has no dependencies, since those need the newer Node.
/* oxlint-disable typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access, typescript/no-unsafe-argument, typescript/no-unsafe-return, typescript/strict-boolean-expressions -- the compiler does not read this file, so every type in it is unknown to the linter */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import nodeModule from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

const nodeMajorMin = 24;
const unavailable = 69;
const entry = realpathSync(fileURLToPath(import.meta.url));
const root = dirname(dirname(entry));

if (Number(process.versions.node.split(".")[0]) >= nodeMajorMin) await start();
else await startAgainWithNewerNode();

async function start() {
  // Node warns that node:sqlite and type stripping are experimental; neither concerns who runs the command.
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name !== "ExperimentalWarning") process.stderr.write(`warning: ${warning.message}\n`);
  });
  nodeModule.enableCompileCache?.();
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const bundle = join(root, "dist/cli/main.cjs");
  const source = join(root, "cli/main.ts");
  const { main } = bundleIsCurrent(bundle, source) ? nodeModule.createRequire(entry)(bundle) : await import(pathToFileURL(source).href);
  await main({ root, entry, version });
}

/**
 * In an installed package there are no sources and the bundle is all there is. In a checkout it is used only while no file that went
 * into it is newer (the build lists them beside it); a new file always comes with a change to the file that imports it.
 */
function bundleIsCurrent(bundle, source) {
  if (!existsSync(bundle)) return false;
  if (!existsSync(source)) return true;
  try {
    const builtAtMs = statSync(bundle).mtimeMs;
    const inputs = JSON.parse(readFileSync(`${bundle}.inputs.json`, "utf8"));
    return inputs.every((input) => statSync(join(root, input)).mtimeMs <= builtAtMs);
  } catch {
    return false; // An input has gone, or the list has: the sources tell the truth.
  }
}

/** The Node that npm carries for us (the optional dependency node-linux-*), beside this package or above it. */
function carriedNode() {
  for (let folder = root; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", `node-linux-${process.arch}`, "bin/node");
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}

async function startAgainWithNewerNode() {
  const node = carriedNode();
  if (node === undefined) {
    process.stderr.write(
      `error: podkit needs Node ${nodeMajorMin} or newer: this is Node ${process.versions.node} (${process.execPath})\n` +
        `remedy: install Node ${nodeMajorMin}, or run "npm install" in ${root}, which brings a Node of its own (package node-linux-${process.arch})\n`,
    );
    process.exitCode = unavailable;
    return;
  }
  const { spawn } = await import("node:child_process"); // takes 10 ms to load, which a new Node need not spend
  const child = spawn(node, [entry, ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal sends its signals to both processes; passed on as well they would count twice, and twice means "stop now".
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  for (const signal of ["SIGINT", "SIGQUIT", "SIGHUP"]) process.on(signal, () => void (onTerminal || child.kill(signal)));
  for (const signal of ["SIGTERM", "SIGUSR1", "SIGUSR2"]) process.on(signal, () => void child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`error: Cannot start ${node}: ${error.message}\nremedy: remove ${root}/node_modules and run "npm install" there\n`);
    process.exitCode = unavailable;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal); // ends as the child ended, so that the shell sees the same
  });
}
