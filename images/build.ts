// Makes the images of podkit present on the Docker Engine and writes .podkit/images.json.
//
//   node images/build.ts [bundles|command|bases|roles]… [--only NAME]… [--refresh]      without a word: command, bases and roles;
// an image that only a benchmark or one test needs (twemproxy, rsyslog) is made when --only names it
//
// bundles: the roles' bundles and the command's, without an engine. command: only the command's (dist/cli), when the sources changed.
//
// Environment: PODKIT_IMAGES=auto|pull|offline, PODKIT_IMAGE_<NAME> (an image to use instead of ours), PODKIT_CACHE, DOCKER_HOST.
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureBaseImages, overrideVariable, type ImagePolicy } from "./base-images.ts";
import { bundleRole, writeBundle } from "./bundle.ts";
import { ensureCliBundle } from "./cli-bundle.ts";
import { connectEngine, type ImageEngine } from "./engine.ts";
import { recordImages, type ImageRecord } from "./image-list.ts";
import { baseKinds, nodeVersionOf } from "./kinds.ts";
import { ensureRoleImage } from "./role-images.ts";
import { roles } from "./roles.ts";
import { packageDescription } from "./package-description.ts";

const root = join(import.meta.dirname, "..");
const steps = ["bundles", "command", "bases", "roles"] as const;
type Step = (typeof steps)[number];

type Request = { readonly steps: ReadonlySet<Step>; readonly only: ReadonlySet<string> | undefined; readonly refresh: boolean };

/** Exit code 64: a word or a name that does not exist. */
class UsageError extends Error {}

async function main(): Promise<void> {
  const request = readArguments(process.argv.slice(2));
  const description = packageDescription(join(root, "package.json"));
  const wantedRoles = roles.filter((role) => request.only?.has(role.name) ?? true);
  if (request.steps.has("bundles")) {
    for (const role of wantedRoles) await writeBundle(root, role, (await bundleRole({ root, role, version: description.version })).files);
    console.log(`bundles: ${wantedRoles.map((role) => `dist/${role.name}`).join(" ")}`);
  }
  if (request.steps.has("command") || (request.steps.has("bundles") && request.only === undefined)) console.log(`command: dist/cli/main.cjs (${await ensureCliBundle(root)})`);
  if (!request.steps.has("bases") && !request.steps.has("roles")) return;

  const engine = connectEngine(process.env);
  try {
    const bases = await makeBases(engine, request, description.version);
    if (!request.steps.has("roles")) return;
    const base = bases.get("node-base");
    if (base === undefined) return;
    const { architecture } = await engine.version();
    const failures: unknown[] = [];
    const options = { root, engine, base, version: description.version, source: description.source, nodeVersion: nodeVersionOf(architecture) };
    for (const role of wantedRoles) {
      await make(role.name, async () => await ensureRoleImage(role, options)).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map((failure) => (failure instanceof Error ? failure.message : String(failure))).join("\n"));
  } finally {
    await engine.close();
  }
}

async function makeBases(engine: ImageEngine, request: Request, version: string): Promise<ReadonlyMap<string, ImageRecord>> {
  const startedMs = performance.now();
  const named = baseKinds.filter((kind) => (request.only === undefined ? kind.onDemand !== true : request.only.has(kind.name)) || (kind.name === "node-base" && roles.some((role) => request.only?.has(role.name))));
  const records = new Map<string, ImageRecord>();
  for (const kind of named) {
    const reference = process.env[overrideVariable(kind.name)];
    if (reference !== undefined) records.set(kind.name, { reference, hash: reference, how: overrideVariable(kind.name) });
  }
  const { architecture } = await engine.version();
  const made = await ensureBaseImages(named.filter((kind) => !records.has(kind.name)), {
    engine, architecture, version, policy: readPolicy(), refresh: request.refresh, nowMs: Date.now(), say: (line) => console.log(line),
    cacheDirectory: process.env["PODKIT_CACHE"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "podkit"),
  });
  for (const [name, record] of made) records.set(name, record);
  for (const [name, record] of records) report(name, record, performance.now() - startedMs);
  await recordImages(join(root, ".podkit/images.json"), Object.fromEntries(records));
  return records;
}

async function make(name: string, ensure: () => Promise<ImageRecord>): Promise<void> {
  const startedMs = performance.now();
  const override = process.env[overrideVariable(name)];
  const record = override === undefined ? await ensure() : { reference: override, hash: override, how: overrideVariable(name) };
  report(name, record, performance.now() - startedMs);
  await recordImages(join(root, ".podkit/images.json"), { [name]: record });
}

function report(name: string, record: ImageRecord, tookMs: number): void {
  console.log(`image ${name}: ${record.reference} (${record.how}, ${(tookMs / 1000).toFixed(1)} s)`);
}

function readPolicy(): ImagePolicy {
  const policy = process.env["PODKIT_IMAGES"] ?? "auto";
  if (policy === "auto" || policy === "pull" || policy === "offline") return policy;
  throw new UsageError(`Cannot use PODKIT_IMAGES=${policy}: expected auto, pull or offline`);
}

function readArguments(argv: readonly string[]): Request {
  const { values, positionals } = parseArgs({ args: [...argv], allowPositionals: true, options: { only: { type: "string", multiple: true }, refresh: { type: "boolean", default: false } } });
  const known = new Set([...roles, ...baseKinds].map((item) => item.name));
  const unknown = (values.only ?? []).filter((name) => !known.has(name));
  if (unknown.length > 0) throw new UsageError(`Cannot find image ${unknown.join(", ")}: expected ${[...known].join(", ")}`);
  const chosen = positionals.map((word) => {
    const step = steps.find((candidate) => candidate === word);
    if (step === undefined) throw new UsageError(`Cannot do "${word}": expected ${steps.join(", ")}`);
    return step;
  });
  return { steps: new Set(chosen.length > 0 ? chosen : values.only === undefined ? ["command", "bases", "roles"] : ["bases", "roles"]), only: values.only === undefined ? undefined : new Set(values.only), refresh: values.refresh };
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof UsageError ? 64 : 69;
});
