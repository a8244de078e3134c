// pure
import { createHash } from "node:crypto";

const bytesMax = 4 * 1024 * 1024, scriptsMax = 2000, nodesPerScriptMax = 32;

type Script = { readonly body: Buffer; readonly noWrites: boolean; readonly loadedAt: Set<string> };

/**
 * The scripts that clients have sent, so that a server which does not know one (a replica, or the primary after a failover)
 * can be given it. The server's cache of scripts does not replicate. Bounded; the oldest go first.
 *
 * A script counts as loaded at a server process (its run id) from the moment at which it is sent there. SCRIPT FLUSH through
 * the ambassador forgets everything, so that the server's NOSCRIPT is passed on afterwards.
 */
export class ScriptRegistry {
  readonly #scripts = new Map<string, Script>();
  #bytes = 0;
  readonly counts = { revived: 0 };

  get size(): number {
    return this.#scripts.size;
  }

  /** Notes that this body is sent to a server process. Gives its SHA1. */
  note(body: Uint8Array, runId: string): string {
    const sha1 = sha1Of(body);
    const known = this.#scripts.get(sha1);
    if (known !== undefined) {
      this.#noteLoaded(known, runId);
      return sha1;
    }
    if (body.length > bytesMax / 4) return sha1;
    const script: Script = { body: Buffer.from(body), noWrites: declaresNoWrites(body), loadedAt: new Set() };
    this.#noteLoaded(script, runId);
    this.#scripts.set(sha1, script);
    this.#bytes += script.body.length;
    while (this.#bytes > bytesMax || this.#scripts.size > scriptsMax) {
      const [oldest] = this.#scripts.entries();
      if (oldest === undefined) break;
      this.#scripts.delete(oldest[0]);
      this.#bytes -= oldest[1].body.length;
    }
    return sha1;
  }

  #noteLoaded(script: Script, runId: string): void {
    if (runId === "") return;
    if (script.loadedAt.size >= nodesPerScriptMax) script.loadedAt.clear();
    script.loadedAt.add(runId);
  }

  body(sha1: string): Buffer | undefined {
    return this.#scripts.get(sha1)?.body;
  }

  isLoaded(sha1: string, runId: string): boolean {
    return this.#scripts.get(sha1)?.loadedAt.has(runId) ?? false;
  }

  /** True for a script whose first line declares the flag no-writes. */
  isReadOnly(sha1: string): boolean {
    return this.#scripts.get(sha1)?.noWrites ?? false;
  }

  /** A connection to this server process was lost: whether what was sent has arrived is not known. */
  forgetNode(runId: string): void {
    for (const script of this.#scripts.values()) script.loadedAt.delete(runId);
  }

  clear(): void {
    this.#scripts.clear();
    this.#bytes = 0;
  }
}

/** How the server names a script. */
export function sha1Of(body: Uint8Array): string {
  return createHash("sha1").update(body).digest("hex");
}

/** Whether a script begins with `#!lua …flags=…no-writes…`, as the server reads it (Redis 7.0 on). */
export function declaresNoWrites(body: Uint8Array): boolean {
  const text = Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, 512)).toString("latin1");
  const line = /^#!([^\n]*)\n/.exec(text)?.[1];
  if (line === undefined) return false;
  const flags = / flags=(\S*)/.exec(line)?.[1];
  return flags !== undefined && flags.split(",").includes("no-writes");
}
