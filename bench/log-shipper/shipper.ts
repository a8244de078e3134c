// The log shipper as a peer: its bundle as it goes into the image, or its sources.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleRole } from "../../images/bundle.ts";
import { packageDescription } from "../../images/package-description.ts";
import { roles } from "../../images/roles.ts";
import type { Case } from "./cases.ts";
import type { Peer, Place, RunningPeer } from "./peer.ts";
import type { Receiver } from "./receiver-process.ts";

const root = join(import.meta.dirname, "../.."), { version } = packageDescription(join(root, "package.json"));

export const podMetadata = { POD_NAME: "orders-6f7c9d5b8-x2x7q", POD_NAMESPACE: "shop", POD_UID: "0f6d3c1e-8f0a-4f0e-9a58-2f3c8a7b1d11", NODE_NAME: "node-1", PODKIT_LOG_CONTAINER: "app" };

/** Bundles the shipper into a folder and gives the path of its program. */
export async function bundleShipper(folder: string): Promise<string> {
  const role = roles.find(({ name }) => name === "log-shipper");
  if (role === undefined) throw new Error("There is no role log-shipper");
  mkdirSync(folder, { recursive: true });
  for (const { name, bytes } of (await bundleRole({ root, role, version })).files) writeFileSync(join(folder, name), bytes);
  return join(folder, "main.cjs");
}

export const shipperSource = join(root, "sidecars/log-shipper/main.ts");

/** Starts a shipper with a configuration, which is JSON and so YAML too. State is kept in the place. */
export function startShipper(o: { readonly program: string; readonly flags?: readonly string[]; readonly place: Place; readonly config: object; readonly env?: Readonly<Record<string, string>> }): { readonly child: ChildProcess; readonly pid: number; readonly exited: Promise<number | null> } {
  const file = join(o.place.folder, "shipper.yaml");
  writeFileSync(file, JSON.stringify({ admin: { address: "127.0.0.1:0" }, log: { level: "warn" }, state: { directory: join(o.place.folder, "state") }, ...o.config }));
  const child = spawn(process.execPath, [...(o.flags ?? []), o.program, "--config", file], { env: { PATH: process.env["PATH"] ?? "", ...o.env }, stdio: ["ignore", "ignore", "inherit"] });
  const { pid } = child;
  if (pid === undefined) throw new Error("Cannot start the shipper");
  return { child, pid, exited: once(child, "exit").then(([code]) => (typeof code === "number" ? code : null)) };
}

/** Acknowledgements and positions are always on; there is no other way. */
export function shipperConfig(spec: Case["id"], place: Place, port: number): object {
  const tail = { type: "tail", paths: [join(place.logs, "*.log")], format: spec === "json" || spec === "shaped" ? "json" : "raw" };
  const forward = { type: "forward", servers: [`127.0.0.1:${port}`] };
  return {
    sources: [spec === "shaped" ? { ...tail, ...shaping } : tail],
    sinks: [spec === "gzip" ? { ...forward, compress: "gzip" } : forward],
  };
}

/** Drops 1 of 16 lines, redacts a pattern in one field, renames another. */
const shaping = {};

/** `flags` go to Node. */
export function shipperPeer(name: string, program: string, flags: readonly string[]): Peer {
  const start = async (spec: Case, place: Place, receiver: Receiver): Promise<RunningPeer> => {
    const { child, pid, exited } = startShipper({ program, flags, place, config: shipperConfig(spec.id, place, receiver.forwardPort), env: spec.id === "shaped" ? podMetadata : {} });
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
  const lines = 478_469; // 100 MB
  return { name, version, cases: ["raw", "json", "shaped", "gzip"], lines: { raw: lines, json: lines, shaped: lines, gzip: lines }, start };
}
