import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runQuietly } from "./run.mjs";
import { SetupError } from "./progress.mjs";
import { withRetries } from "./retry.mjs";

/** Makes node_modules what package-lock.json says. Returns how, in words. A download that fails is tried again, also beyond npm's own tries. */
export async function ensureDependencies(root, say, { npm = process.env.npm_execpath, pauses } = {}) {
  const stale = staleness(root);
  if (stale === undefined) return "present";
  say(`npm ci, because ${stale}`);
  // No package of ours needs its install script, and older npm does not know `allowScripts`.
  const words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=5"];
  const startedMs = Date.now();
  let lines = [];
  const install = async () => {
    lines = await runNpm(root, npm, words, startedMs);
    const missing = staleness(root);
    if (missing !== undefined) throw Object.assign(new SetupError(`npm ci succeeded, but ${missing}`), { isIncomplete: true });
  };
  try {
    await withRetries("npm ci", install, { say, isWorthIt: (error) => error.isLasting !== true, ...(pauses === undefined ? {} : { pauses }) });
  } catch (error) {
    if (error.isIncomplete !== true) throw error;
    say(`${error.message}; going on without it`); // whoever needs it says so
  }
  return lines.find((line) => /^added \d+ packages/.test(line))?.replace(/,? in .*/, "") ?? "installed";
}

async function runNpm(root, npm, words, startedMs) {
  const { code, lines } = npm !== undefined && /\.[cm]?js$/.test(npm)
    ? await runQuietly(process.execPath, [npm, ...words], { cwd: root, say: () => {} })
    : await runQuietly("npm", words, { cwd: root, say: () => {} });
  if (code === 127) throw lasting("npm is not installed. Remedy: install Node.js with npm (https://nodejs.org), version 20 or newer; podkit brings the Node it runs on by itself");
  if (code === 0) return lines;
  const why = `npm ci failed after ${Math.round((Date.now() - startedMs) / 1000)} s:\n${lines.slice(0, 20).join("\n")}\nRemedy: make "npm ci" pass; it needs the package registry that npm is set to`;
  // A lock that does not fit package.json does not fit it the next time either.
  throw lines.some((line) => line.includes("EUSAGE")) ? lasting(why) : new SetupError(why);
}

/** A failure that no other try would mend. */
const lasting = (message) => Object.assign(new SetupError(message), { isLasting: true });

/** Why node_modules does not hold what the lock names, or undefined. npm writes its own record last, so an interrupted installation has none. */
function staleness(root) {
  const record = join(root, "node_modules/.package-lock.json");
  if (!existsSync(record)) return "node_modules is absent or incomplete";
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const present = JSON.parse(readFileSync(record, "utf8")).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const found = present[path];
    if (found === undefined && (entry.peer || (entry.optional && !isForThisMachine(entry)))) continue;
    if (found === undefined) return `${path.replace(/^node_modules\//, "")} is missing`;
    if (found.version !== entry.version || found.integrity !== entry.integrity) return `${path.replace(/^node_modules\//, "")} is ${found.version}, not ${entry.version}`;
  }
  return undefined;
}

/**
 * Whether an optional package was made for machines like this one. npm takes a download that failed for a package that is not wanted, and succeeds
 * without it. Packages that also ask for a C library are left to npm, which knows it.
 */
function isForThisMachine({ os, cpu, libc }) {
  return os?.includes(process.platform) === true && cpu?.includes(process.arch) === true && libc === undefined;
}
