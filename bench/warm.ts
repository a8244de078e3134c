import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Role } from "../images/roles.ts";
import { warmStart } from "../images/warm-start.ts";

/** Puts beside a role's bundle what its image has beside it too: what V8 compiles at a start. `node` are the executable and its flags. */
export async function warm(role: Role, folder: string, node: readonly string[]): Promise<void> {
  const writable = mkdtempSync(join(tmpdir(), "podkit-bench-warm-"));
  try {
    const start = warmStart(role, { node, folder, writable, port: await freePort() });
    if (start === undefined) return;
    for (const { name, bytes } of start.files) writeFileSync(join(folder, name), bytes);
    const [executable = "", ...rest] = start.command;
    const { status, stderr } = spawnSync(executable, rest, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${rest.join(" ")} ended with ${status}: ${stderr}`);
    renameSync(start.cache, join(folder, "role.cache"));
  } finally {
    rmSync(writable, { recursive: true });
  }
}

/** One that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("No port");
  return address.port;
}
