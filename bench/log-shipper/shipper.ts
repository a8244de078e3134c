// The log shipper as a peer: its bundle as it goes into the image, or its sources.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleRole } from "../../images/bundle.ts";
import { packageDescription } from "../../images/package-description.ts";
import { roles } from "../../images/roles.ts";
import { warm } from "../warm.ts";
import type { Case } from "./cases.ts";
import type { Peer, Place, RunningPeer } from "./peer.ts";
import type { Receiver } from "./receiver-process.ts";

const root = join(import.meta.dirname, "../.."), { version } = packageDescription(join(root, "package.json"));

export const podMetadata = { POD_NAME: "orders-6f7c9d5b8-x2x7q", POD_NAMESPACE: "shop", POD_UID: "0f6d3c1e-8f0a-4f0e-9a58-2f3c8a7b1d11", NODE_NAME: "node-1", PODKIT_LOG_CONTAINER: "app" };

/** As in images/Dockerfile. */
const imageFlags = ["--max-old-space-size-percentage=60", "--max-semi-space-size=1"];
const imageEnvironment = { NODE_ENV: "production", MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "65536" };

/** Bundles the shipper into a folder, with the compiled code that the image has too, and gives the path of its program. */
export async function bundleShipper(folder: string): Promise<string> {
  const role = roles.find(({ name }) => name === "log-shipper");
  if (role === undefined) throw new Error("There is no role log-shipper");
  mkdirSync(folder, { recursive: true });
  for (const { name, bytes } of (await bundleRole({ root, role, version })).files) writeFileSync(join(folder, name), bytes);
  await warm(role, folder, [process.execPath, ...imageFlags]);
  return join(folder, "main.cjs");
}

export const shipperSource = join(root, "sidecars/log-shipper/main.ts");

/** Starts a shipper as the image does, with a configuration, which is JSON and so YAML too. State is kept in the place. */
export function startShipper(o: { readonly program: string; readonly flags?: readonly string[]; readonly place: Place; readonly config: object; readonly env?: Readonly<Record<string, string>> }): { readonly child: ChildProcess; readonly pid: number; readonly exited: Promise<number | null> } {
  const file = join(o.place.folder, "shipper.yaml");
  writeFileSync(file, JSON.stringify({ admin: { address: "127.0.0.1:0" }, log: { level: "warn" }, state: { directory: join(o.place.folder, "state") }, ...o.config }));
  const env = { PATH: process.env["PATH"] ?? "", ...imageEnvironment, ...o.env };
  const child = spawn(process.execPath, [...imageFlags, ...(o.flags ?? []), o.program, "--config", file], { env, stdio: ["ignore", "ignore", "inherit"] });
  const { pid } = child;
  if (pid === undefined) throw new Error("Cannot start the shipper");
  return { child, pid, exited: once(child, "exit").then(([code]) => (typeof code === "number" ? code : null)) };
}

/** A shipper for as long as `use` lasts; then it is told to end, and killed if `use` has failed. Gives what `use` gives. */
export async function withShipper<T>(o: Parameters<typeof startShipper>[0], use: (pid: number) => Promise<T>): Promise<T> {
  const { child, pid, exited } = startShipper(o);
  try {
    const value = await Promise.race([use(pid), exited.then((code) => Promise.reject(new Error(`The shipper has ended with ${String(code)}`)))]);
    child.kill("SIGTERM");
    await exited;
    return value;
  } finally {
    child.kill("SIGKILL");
  }
}

/** Acknowledgements and positions are always on; there is no other way. */
export function shipperConfig(spec: Case["id"], place: Place, port: number): object {
  const tail = { type: "tail", paths: [join(place.logs, "*.log")], format: spec === "json" || spec === "shaped" ? "json" : "raw" };
  const forward = { type: "forward", servers: [`127.0.0.1:${port}`] };
  return {
    sources: [tail],
    ...(spec === "shaped" ? { filters } : {}),
    sinks: [spec === "gzip" ? { ...forward, compress: "gzip" } : forward],
  };
}

/** 1 of 16 lines is dropped; the redaction and the renaming meet every other. */
const filters = [
  { type: "drop", when: { field: "level", equals: "debug" } },
  { type: "redact", fields: ["path"], patterns: ["/orders/\\d+"], replacement: "/orders/[redacted]" },
  { type: "rename", fields: { ua: "user_agent" } },
];

/** `flags` go to Node; `settings` are added to the configuration. */
export function shipperPeer(name: string, program: string, flags: readonly string[], settings: { readonly core?: "wasm" | "typescript"; readonly chunk?: { readonly maxBytes: number } } = {}): Peer {
  const start = async (spec: Case, place: Place, receiver: Receiver): Promise<RunningPeer> => {
    const { child, pid, exited } = startShipper({ program, flags, place, config: { ...shipperConfig(spec.id, place, receiver.forwardPort), ...settings }, env: spec.id === "shaped" ? podMetadata : {} });
    return {
      pid,
      died: exited.then((code) => Promise.reject(new Error(`The shipper has ended with ${code}`))),
      stop: async () => {
        child.kill("SIGTERM");
        const code = await exited;
        if (code !== 0) throw new Error(`The shipper ended with ${code} instead of 0`);
      },
    };
  };
  const lines = 956_938; // 200 MB
  return { name, version, cases: settings.core === "typescript" ? ["raw", "json"] : ["raw", "json", "shaped", "gzip"], lines: { raw: lines, json: lines, shaped: lines, gzip: lines }, start };
}
