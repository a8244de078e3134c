import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bundleRole } from "../../images/bundle.ts";
import { roles } from "../../images/roles.ts";
import { warm } from "../warm.ts";

const root = join(import.meta.dirname, "../..");

/** A program, how it is started, and what is set for it. */
export type Program = { readonly path: string; readonly command: readonly string[]; readonly environment: Readonly<Record<string, string>> };

/** Of images/Dockerfile. */
const flags = ["--max-old-space-size-percentage=60", "--max-semi-space-size=1"];
const settings = { NODE_ENV: "production", MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "65536" };

/** The adapter as its image ships it, bundled anew into a folder. */
export async function bundleAdapter(folder: string): Promise<Program> {
  const role = roles.find((each) => each.name === "format-adapter");
  if (role === undefined) throw new Error("There is no role format-adapter");
  const { files } = await bundleRole({ root, role, version: "bench" });
  mkdirSync(folder, { recursive: true });
  for (const { name, bytes } of files) writeFileSync(join(folder, name), bytes);
  await warm(role, folder, [process.execPath, ...flags]);
  const path = join(folder, "main.cjs");
  return { path, command: [process.execPath, ...flags, path], environment: settings };
}

/** A bundle of a commit that baked Node's compile cache, as its image started it. */
export function asFormerImage(path: string): Program {
  const program = { path, command: [process.execPath, ...flags, path], environment: { ...settings, NODE_COMPILE_CACHE: join(dirname(path), "compile-cache") } };
  if (spawnSync(process.execPath, [...flags, path, "--version"], { env: { ...process.env, ...program.environment } }).status !== 0) throw new Error(`${path} does not start`);
  return program;
}

export type Place = { readonly directory: string; readonly reports: string; readonly stage: string; readonly legacy: string; readonly config: string };

/** Folders on one file system, and an adapter of CSV that renames and computes, as the product is configured by default. */
export function makePlace(extra = ""): Place {
  const directory = mkdtempSync(join(process.env["BENCH_DIR"] ?? tmpdir(), "podkit-adapter-bench-"));
  const place = { directory, reports: join(directory, "reports"), stage: join(directory, "stage"), legacy: join(directory, "legacy"), config: join(directory, "config.yaml") };
  for (const each of [place.reports, place.stage, place.legacy]) mkdirSync(each);
  writeFileSync(place.config, `stateDirectory: ${directory}/state\nadmin: {address: "127.0.0.1:0"}\nadapters:\n  - name: bench\n    watch: {dir: ${place.reports}, match: "*.csv"}\n${extra}    mappings:\n      m:\n        in: {format: csv, columns: {id: int64, amount: decimal(2), qty: int64, name: string}}\n        out: {format: csv, file: "${place.legacy}/{name}.csv"}\n        fields: {order_id: id, customer: name, total: {expr: "amount * qty", type: decimal(2)}}\n`);
  return place;
}

export function makeReport(bytes: number, from: number): string {
  let text = "id,amount,qty,name\n";
  for (let id = from; text.length < bytes; id++) text += `${id},${id % 1000}.${String(id % 100).padStart(2, "0")},${(id % 9) + 1},customer ${id}\n`;
  return text;
}

export type Running = { readonly child: ChildProcess; readonly readyMs: number; readonly metrics: () => Promise<string>; readonly cpuSeconds: () => number; readonly peakMiB: () => number; readonly end: () => Promise<void> };

/** Resolves when readiness answers 200. `readyMs` is from spawn to that answer. */
export async function start(program: Program, place: Place): Promise<Running> {
  const spawnedMs = performance.now();
  const log = join(place.directory, "log");
  const file = openSync(log, "w");
  const [executable = "", ...words] = program.command;
  const child = spawn(executable, [...words, "--config", place.config], { stdio: ["ignore", "ignore", file], env: { ...process.env, ...program.environment } });
  closeSync(file);
  const deadline = performance.now() + 20_000;
  let port: string | undefined;
  while (performance.now() < deadline) {
    port ??= /"admin":"127\.0\.0\.1:(\d+)"/.exec(readFileSync(log, "utf8"))?.[1];
    if (port !== undefined && (await ask(Number(port), "/readyz").catch(() => undefined))?.status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const readyMs = performance.now() - spawnedMs;
  const admin = Number(port);
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;
  return {
    child, readyMs,
    metrics: async () => (await ask(admin, "/metrics")).body,
    cpuSeconds() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    peakMiB: () => field("VmHWM"),
    async end() {
      child.kill("SIGTERM");
      await new Promise((resolve) => child.once("close", resolve));
      rmSync(place.directory, { recursive: true });
    },
  };
}

function ask(port: number, path: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, agent: false }, (response) => {
      let body = "";
      response.on("data", (part: Buffer) => (body += part.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    }).on("error", reject).end();
  });
}

