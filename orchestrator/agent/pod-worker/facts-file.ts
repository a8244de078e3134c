import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { replaceFile } from "../../../kit/files.ts";
import { noFacts, type PodFacts } from "../pod-lifecycle/facts.ts";

/**
 * The Pod's facts on disk. Written by atomic replacement without fsync: they survive the agent's death, not a power loss, after which no
 * container runs any more and little of them matters.
 */
export class FactsFile {
  readonly #path: string;
  #wanted: PodFacts | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** An unreadable file counts as no facts: losing them is survivable, a Pod that cannot be managed any more is not. */
  async read(): Promise<PodFacts> {
    try {
      const parsed: unknown = JSON.parse(await readFile(this.#path, "utf8"));
      return isFacts(parsed) ? parsed : noFacts;
    } catch {
      return noFacts;
    }
  }

  /** Resolves when these facts, or newer ones, are on disk. */
  async write(facts: PodFacts): Promise<void> {
    this.#wanted = facts;
    await this.#writing?.catch(() => undefined); // its own caller hears of the failure
    if (this.#wanted === undefined) return;
    this.#writing ??= this.#writeWanted().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  async #writeWanted(): Promise<void> {
    while (this.#wanted !== undefined) {
      const facts = this.#wanted;
      this.#wanted = undefined;
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      await replaceFile(this.#path, JSON.stringify(facts), { mode: 0o600, fsync: false });
    }
  }
}

/** Only our own agent writes this file, atomically; the version is all that can differ. */
function isFacts(value: unknown): value is PodFacts {
  return typeof value === "object" && value !== null && "version" in value && value.version === 1 && "containers" in value;
}
