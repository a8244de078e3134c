import { randomBytes } from "node:crypto";
import { readdir, unlink } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { makeDirectory } from "../../../kit/files.ts";
import type { Log } from "../../../kit/log.ts";

/**
 * One shipper per state directory: two would overwrite each other's positions. The holder listens on a Unix socket in the
 * directory. Unlike a file with a process number, that works between containers that share the volume, and the kernel ends it with
 * the process, however that dies.
 *
 * Not promised: exclusion where the file system has no sockets or cannot be written (a warning then, and shipping goes on), or
 * between two shippers that start in the same millisecond on a directory left behind by a dead one.
 */
export class StateInUseError extends Error {
  override name = "StateInUseError";
}

export type StateLock = { release(): Promise<void> };

const answerWithinMs = 1_000;

/** Throws StateInUseError when a living shipper holds the directory. */
export async function lockState(directory: string, log: Log): Promise<StateLock> {
  const path = join(directory, "lock.sock");
  const token = `${hostname()} ${process.pid} ${randomBytes(8).toString("hex")}`;
  try {
    makeDirectory(directory);
    const server = (await listen(path, token)) ?? (await takeOver(path, token));
    const holder = server === undefined ? await ask(path) : await ask(path).then((answer) => (answer === token ? undefined : answer));
    if (server === undefined || (holder !== undefined && holder !== "")) {
      server?.close();
      throw new StateInUseError(`Cannot use the state directory ${directory}: another log shipper (${describe(holder)}) uses it. Give each shipper its own state.directory`);
    }
    await removeLeftovers(directory);
    return { release: () => new Promise((resolve) => void server.close(() => resolve())) };
  } catch (error) {
    if (error instanceof StateInUseError) throw error;
    log.warn({ err: error, path }, "Cannot guard the state directory against a second shipper; going on without");
    return { release: () => Promise.resolve() };
  }
}

/** Undefined when the path is taken, by the living or the dead. */
async function listen(path: string, token: string): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(token);
  });
  return await new Promise((resolve, reject) => {
    server.once("error", (error) => ("code" in error && error.code === "EADDRINUSE" ? resolve(undefined) : reject(error)));
    server.listen(path, () => resolve(server.unref()));
  });
}

async function takeOver(path: string, token: string): Promise<Server | undefined> {
  if ((await ask(path)) !== undefined) return undefined;
  await unlink(path);
  return await listen(path, token);
}

/** What the holder answers; undefined when nobody listens. A holder that is too busy to answer is one all the same. */
async function ask(path: string): Promise<string | undefined> {
  return await new Promise((resolve) => {
    let answer = "";
    const socket = connect(path);
    socket.setTimeout(answerWithinMs, () => socket.destroy());
    socket.on("data", (bytes) => (answer += bytes.toString("utf8")));
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(answer));
  });
}

function describe(holder: string | undefined): string {
  const [host, id] = (holder ?? "").split(" ");
  return id === undefined ? "busy" : `process ${id} on ${host}`;
}

/** Temporary files of a death in the middle of a compaction. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) if (/^\.podkit-[0-9a-f]+\.tmp$/.test(name)) await unlink(join(directory, name));
}
