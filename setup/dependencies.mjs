import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runQuietly } from "./run.mjs";
import { SetupError } from "./progress.mjs";

/** Makes node_modules what package-lock.json says. Returns how, in words. */
export async function ensureDependencies(root, say) {
  const stale = staleness(root);
  if (stale === undefined) return "present";
  say(`npm ci, because ${stale}`);
  const npm = process.env.npm_execpath;
  // No package of ours needs its install script, and older npm does not know `allowScripts`.
  const words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const startedMs = Date.now();
  const { code, lines } = npm !== undefined && /\.[cm]?js$/.test(npm)
    ? await runQuietly(process.execPath, [npm, ...words], { cwd: root, say: () => {} })
    : await runQuietly("npm", words, { cwd: root, say: () => {} });
  if (code === 127) throw new SetupError("npm is not installed. Remedy: install Node.js with npm (https://nodejs.org), version 20 or newer; podkit brings the Node it runs on by itself");
  if (code !== 0) throw new SetupError(`npm ci failed after ${Math.round((Date.now() - startedMs) / 1000)} s:\n${lines.slice(0, 20).join("\n")}\nRemedy: make "npm ci" pass; it needs the package registry that npm is set to`);
  return lines.find((line) => /^added \d+ packages/.test(line))?.replace(/,? in .*/, "") ?? "installed";
}

/** Why node_modules does not hold what the lock names, or undefined. npm writes its own record last, so an interrupted installation has none. */
function staleness(root) {
  const record = join(root, "node_modules/.package-lock.json");
  if (!existsSync(record)) return "node_modules is absent or incomplete";
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const present = JSON.parse(readFileSync(record, "utf8")).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const found = present[path];
    if (found === undefined && (entry.optional || entry.peer)) continue;
    if (found === undefined) return `${path.replace(/^node_modules\//, "")} is missing`;
    if (found.version !== entry.version || found.integrity !== entry.integrity) return `${path.replace(/^node_modules\//, "")} is ${found.version}, not ${entry.version}`;
  }
  return undefined;
}
