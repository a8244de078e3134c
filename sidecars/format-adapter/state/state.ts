import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../../kit/log.ts";
import { outputFolders } from "../adapt-file.ts";
import type { Config } from "../config.ts";
import { DirectorySync } from "../publish/directory-sync.ts";
import { contentHashOf } from "../hash/content-hash.ts";
import { Ledger } from "./ledger.ts";
import { removeLeftovers } from "../publish/publish.ts";
import { lockState } from "./state-lock.ts";

/** What the adapters of one state directory share. */
export type State = {
  readonly ledger: Ledger;
  /** 8 hex digits that mark this directory's temporary files. */
  readonly owner: string;
  readonly directories: DirectorySync;
  close(): Promise<void>;
};

const temporaryForm = /^\.podkit-[0-9a-f]+\.tmp$/;

/** Opens the state of these adapters, for this process alone; "taken" when another one has it. Removes what that left behind when it was killed. */
export async function openState(config: Config, log: Log): Promise<State | "taken"> {
  const { stateDirectory } = config;
  const lock = lockState(stateDirectory);
  if (lock.kind === "taken") return "taken";
  if (lock.kind === "unlocked") log.warn({ err: lock.error, stateDirectory }, "Cannot lock the state directory; going on without: no second adapter must use it");
  const owner = await ownerOf(stateDirectory);
  for (const name of await readdir(stateDirectory).catch(() => [])) if (temporaryForm.test(name)) await unlink(join(stateDirectory, name)).catch(() => undefined);
  const ledger = await Ledger.open(stateDirectory, namesOf(config), log);
  return {
    ledger, owner, directories: new DirectorySync(),
    async close() {
      await ledger.close();
      if (lock.kind === "held") lock.release();
    },
  };
}

/** Removes the temporary files that a killed adapter of this state left beside its outputs. */
export async function tidyOutputs(config: Config, owner: string, nowMs: number): Promise<void> {
  for (const directory of new Set(config.adapters.flatMap((adapter) => [...outputFolders(adapter)]))) await removeLeftovers(directory, owner, nowMs);
}

export function namesOf(config: Config): readonly string[] {
  return config.adapters.map((adapter) => adapter.name);
}

export function watchedFolders(config: Config): ReadonlySet<string> {
  return new Set(config.adapters.map((adapter) => adapter.watch.directory));
}

/** Stays the same as long as the directory does, whatever container mounts it. */
async function ownerOf(stateDirectory: string): Promise<string> {
  const there = await stat(stateDirectory, { bigint: true }).catch(() => undefined);
  return contentHashOf(Buffer.from(there === undefined ? stateDirectory : `${there.dev}.${there.ino}`)).slice(0, 8);
}
