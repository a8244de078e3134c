import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { makeOrder, type Order } from "../../../manifests/demo/app/orders.ts";
import { eventually } from "../../support/eventually.ts";

export const entry = join(import.meta.dirname, "../../../sidecars/format-adapter/main.ts");
export const root = mkdtempSync(join(tmpdir(), "podkit-adapter-"));
export const running = new Set<ChildProcess>();
/** What must be undone before the folders can be removed. */
export const cleanups: (() => void)[] = [];
after(() => {
  for (const child of running) child.kill("SIGKILL");
  for (const undo of cleanups.toReversed()) undo();
  rmSync(root, { recursive: true });
});

export type Place = { readonly reports: string; readonly legacy: string; readonly state: string; readonly config: string };

export function makePlace(options: { readonly reconcile?: string; readonly ready?: string; readonly region?: string } = {}): Place {
  const directory = mkdtempSync(join(root, "case-"));
  const place = { reports: join(directory, "reports"), legacy: join(directory, "legacy"), state: join(directory, "state"), config: join(directory, "config.yaml") };
  mkdirSync(place.reports);
  mkdirSync(place.legacy);
  writeConfig(place, options);
  return place;
}

export function writeConfig(place: Place, options: { readonly reconcile?: string; readonly ready?: string; readonly region?: string } = {}): void {
  writeFileSync(place.config, `stateDirectory: ${place.state}
adapters:
  - name: orders
    watch: {dir: ${place.reports}, match: "orders-*.csv", ready: ${options.ready ?? "[rename, complete]"}, reconcile: ${options.reconcile ?? "200ms"}}
    detect: [{when: {header: [id, created_at, status]}, use: v2-to-v1}]
    mappings:
      v2-to-v1:
        in: {format: csv, columns: {id: int64, amount: decimal(2), qty: int64, created_at: timestamp}}
        out: {format: csv, eol: crlf, file: "${place.legacy}/{name}.csv"}
        fields:
          order_id: id
          created: {from: created_at, date: {out: "dd/MM/yyyy HH:mm", zone: UTC}}
          name: {join: [first, last], sep: " "}
          total: {expr: "amount * qty", type: decimal(2)}
          status: {from: status, map: {NEW: "0", PAID: "1"}, else: error}
          region: {const: ${options.region ?? "EU"}}
  - name: stock
    watch: {dir: ${place.reports}, match: "stock-*.json", reconcile: 200ms}
    mappings:
      stock:
        in: {format: json, columns: {id: int64, customer: string, amount: decimal(2), qty: int64, status: string}}
        out: {format: csv, eol: crlf, file: "${place.legacy}/{name}.csv"}
        fields: {order_id: id, customer: customer, qty: qty}
`);
}

export type CopyOptions = { readonly ready?: string; readonly match?: string; readonly rules?: string; readonly top?: string; readonly file?: string; readonly fields?: string; readonly mappings?: string; readonly reconcile?: string };

/** Replaces the configuration by one folder of CSV with the column a, copied; `rules` are further keys of the adapter. */
export function copyConfig(place: Place, options: CopyOptions = {}): void {
  const mappings = options.mappings ?? `      copy: {in: {format: csv}, out: {format: csv, file: "${options.file ?? `${place.legacy}/{name}.csv`}"}, fields: ${options.fields ?? "{a: a}"}}\n`;
  writeFileSync(place.config, `stateDirectory: ${place.state}\n${options.top ?? ""}\nadapters:\n  - name: copy\n    watch: {dir: ${place.reports}, match: "${options.match ?? "*.csv"}", ready: ${options.ready ?? "[rename, complete]"}, reconcile: ${options.reconcile ?? "200ms"}}\n${options.rules ?? ""}    mappings:\n${mappings}`);
}

export const metricsOf = async (adapter: Adapter): Promise<string> => (await adapter.get("/metrics")).body;
export const ready = async (adapter: Adapter): Promise<void> => void (await eventually(async () => (await adapter.get("/readyz")).status === 200, { timeoutMs: 40_000 }));

export type Adapter = { readonly child: ChildProcess; readonly output: () => string; readonly exit: Promise<readonly [number | null, string | null]>; readonly get: (path: string) => Promise<{ readonly status: number; readonly body: string }> };

export async function start(place: Place, options: { readonly preload?: readonly string[]; readonly uid?: number; readonly env?: Readonly<Record<string, string>>; /** A command that runs the adapter. */ readonly under?: readonly string[] } = {}): Promise<Adapter> {
  const user = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  const [program, ...before] = [...(options.under ?? []), process.execPath];
  const child = spawn(program, [...before, ...(options.preload ?? []), entry, "--config", place.config], { env: { ...(options.env ?? { PODKIT_ADMIN_ADDR: "127.0.0.1:0" }) }, stdio: ["ignore", "ignore", "pipe"], ...user });
  running.add(child);
  let text = "";
  child.stderr.on("data", (part: Buffer) => (text += part.toString()));
  const exit = once(child, "close").then(([code, signal]) => [code as number | null, signal as string | null] as const);
  const port = await eventually(() => /"admin":"127\.0\.0\.1:(\d+)"/.exec(text)?.[1], { what: "the adapter to start" });
  return { child, output: () => text, exit, get: (path) => ask(Number(port), path) };
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

export type Injection = { readonly adapter: Adapter; readonly inject: (...faults: readonly string[]) => void; readonly heal: () => void; /** Resolves when the adapter has sent itself the signal that a fault named; with SIGSTOP, when it stands still. */ readonly signalled: () => Promise<void> };

/** Starts the adapter with fault-shim.mjs, which says what faults there are. They concern the files in the folder of adapted reports. */
export async function startFaulty(place: Place, ...faults: readonly string[]): Promise<Injection> {
  const file = join(place.state, "..", "faults");
  const inject = (...lines: readonly string[]): void => writeFileSync(file, lines.join("\n"));
  inject(...faults);
  const adapter = await start(place, { preload: ["--import", join(import.meta.dirname, "fault-shim.mjs")], env: { PODKIT_ADMIN_ADDR: "127.0.0.1:0", FAULTS: file, FAULT_FOLDER: place.legacy } });
  return {
    adapter, inject, heal: () => rmSync(file),
    signalled: async () => {
      await eventually(() => existsSync(join(place.state, "..", "signalled")), { what: "the signal" });
      // The file is there a moment before the signal: a SIGCONT that came in between would be lost.
      if (faults.some((fault) => fault.startsWith("signal SIGSTOP"))) await eventually(() => isStopped(adapter.child.pid), { what: "the adapter being stopped" });
    },
  };
}

/** Stops the process until SIGCONT; resolves when it stands still. */
export async function standStill({ child }: Adapter): Promise<void> {
  child.kill("SIGSTOP");
  await eventually(() => isStopped(child.pid), { what: "the adapter being stopped" });
}

/** By /proc/PID/stat (proc(5)): the state is the field behind the name in brackets. */
function isStopped(pid = 0): boolean {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.startsWith("T") === true;
}

export async function end(adapter: Adapter): Promise<void> {
  adapter.child.kill("SIGTERM");
  assert.deepEqual(await adapter.exit, [0, null]);
}

export const orders = (count: number, from = 1): Order[] => Array.from({ length: count }, (_, index) => makeOrder(from + index, new Date(Date.UTC(2026, 0, 1, 0, 0, from + index))));
export const rename = (place: Place, name: string, text: string, mtime?: Date): void => {
  writeFileSync(join(place.reports, `.${name}.tmp`), text);
  if (mtime !== undefined) utimesSync(join(place.reports, `.${name}.tmp`), mtime, mtime);
  renameSync(join(place.reports, `.${name}.tmp`), join(place.reports, name));
};
export const published = (place: Place): string[] => readdirSync(place.legacy).filter((name) => !name.startsWith(".")).toSorted();
export const read = (place: Place, name: string): string => readFileSync(join(place.legacy, name), "utf8");

/** Needs root. `options` as of mount. */
export function mountTmpfs(path: string, options: string): void {
  mkdirSync(path, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "podkit-test", path]);
  cleanups.push(() => void execFileSync("umount", ["--lazy", path]));
}
