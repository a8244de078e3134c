import { homedir } from "node:os";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureBaseImages, overrideVariable, type ImagePolicy } from "./base-images.ts";
import { connectEngine } from "./engine.ts";
import { recordImages, type ImageRecord } from "./image-list.ts";
import { baseKinds } from "./kinds.ts";

const root = join(import.meta.dirname, "..");
const env = process.env;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: "string", multiple: true }, refresh: { type: "boolean", default: false } } });
const version = String(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version);
const engine = connectEngine(env);
const policy = env["PODKIT_IMAGES"] ?? "auto";
if (policy !== "auto" && policy !== "pull" && policy !== "offline") throw new Error(`Cannot use PODKIT_IMAGES=${policy}: expected auto, pull or offline`);
const say = (line: string): void => console.log(line);
const started = performance.now();
const { architecture } = await engine.version();
const wanted = baseKinds.filter((kind) => values.only === undefined || values.only.includes(kind.name));
const records = await ensureBaseImages(wanted, { engine, architecture, policy: policy satisfies ImagePolicy, version, cacheDirectory: env["PODKIT_CACHE"] ?? join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "podkit"), refresh: values.refresh, nowMs: Date.now(), say });
for (const [name, record] of records) say(`${name}: ${record.reference} (${record.how})`);
await recordImages(join(root, ".podkit/images.json"), Object.fromEntries(records));
say(`${Math.round(performance.now() - started)} ms`);
void positionals; void overrideVariable; void ((r: ImageRecord) => r);
await engine.close();
