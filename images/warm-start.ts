import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Role } from "./roles.ts";

/** The program that makes a role's cache, to be put anywhere. */
export const warmStarter = join(import.meta.dirname, "warm-start.cjs");

/** How a role is started so that what V8 compiles then serves its later starts: files to put into `folder`, and the command. */
export type WarmStart = { readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[]; readonly command: readonly string[]; readonly cache: string };

/**
 * `folder` holds the role's bundle, `writable` is another one, in which the role may leave what it likes and in which the cache is made.
 * Undefined for a role that ships without one.
 */
export function warmStart(role: Role, o: { readonly node: readonly string[]; readonly folder: string; readonly writable: string; readonly port: number }): WarmStart | undefined {
  if (role.warmUp === undefined) return undefined;
  const cache = join(o.writable, "role.cache");
  const address = `127.0.0.1:${o.port}`;
  return {
    files: [
      { name: "warm-start.cjs", bytes: readFileSync(warmStarter) },
      { name: "warm-start.yaml", bytes: Buffer.from(role.warmUp(o.writable)) },
    ],
    command: [...o.node, join(o.folder, "warm-start.cjs"), join(o.folder, "main.cjs"), cache, `http://${address}/livez`, "--config", join(o.folder, "warm-start.yaml"), "--admin-address", address],
    cache,
  };
}
