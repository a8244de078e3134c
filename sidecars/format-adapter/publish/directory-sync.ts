import { closeSync, fsync, openSync } from "node:fs";
import { promisify } from "node:util";

const sync = promisify(fsync);

/**
 * Makes renames durable, several by one fsync: who asks while one is under way gets the next, together with all others who asked meanwhile.
 * Rejects for all of them when it fails.
 */
export class DirectorySync {
  readonly #next = new Map<string, Promise<void>>();
  readonly #running = new Map<string, Promise<void>>();

  async sync(directory: string): Promise<void> {
    const next = this.#next.get(directory) ?? this.#begin(directory);
    this.#next.set(directory, next);
    await next;
  }

  async #begin(directory: string): Promise<void> {
    await this.#running.get(directory)?.catch(() => undefined); // its own callers are told
    this.#next.delete(directory);
    const running = syncDirectory(directory);
    this.#running.set(directory, running);
    try {
      await running;
    } finally {
      if (this.#running.get(directory) === running) this.#running.delete(directory);
    }
  }
}

/** Only the sync itself waits for the disk; through the thread pool, opening and closing would each take as long as they do in all. */
async function syncDirectory(path: string): Promise<void> {
  const directory = openSync(path, "r");
  try {
    await sync(directory);
  } finally {
    closeSync(directory);
  }
}
