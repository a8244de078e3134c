import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makeDirectory } from "../../../kit/files.ts";

/** `unlocked`: the directory does not let itself be locked (full, read-only, forbidden); work goes on, as without a ledger. */
export type StateLock = { readonly kind: "held"; release(): void } | { readonly kind: "taken" } | { readonly kind: "unlocked"; readonly error: unknown };

/**
 * Makes the state directory one adapter's alone: two would write one ledger. The lock is the kernel's, on an empty database file, because Node
 * offers no other; it ends with the process, however that ends. Held between containers of one machine; between machines only where the file
 * system carries locks over.
 */
export function lockState(directory: string): StateLock {
  let database: DatabaseSync | undefined;
  try {
    makeDirectory(directory);
    database = new DatabaseSync(join(directory, "lock"));
    database.exec("BEGIN EXCLUSIVE");
    const held = database;
    return { kind: "held", release: () => held.close() };
  } catch (error) {
    database?.close();
    return isBusy(error) ? { kind: "taken" } : { kind: "unlocked", error };
  }
}

/** SQLITE_BUSY. */
const busyCode = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === busyCode;
}
