// pure
import { posix } from "node:path";
import type { AdapterConfig } from "../adapter-config.ts";

/** Faults that the next report would meet too. */
export const commonFaults: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EMFILE", "ENFILE", "ENOMEM", "EIO"]);

/** A folder cannot be what it is configured to be, until somebody mounts another one. */
export class FolderFault extends Error {}

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** What cannot be done, why, and the remedy. The remedy depends on whether the fault concerns the input's side or the output's. */
export function describeFault(adapter: AdapterConfig, error: unknown): string {
  const { directory } = adapter.watch;
  const place = error instanceof Error && "path" in error ? String(error.path) : "";
  const ofInput = place === directory || posix.dirname(place) === directory;
  const rights = ofInput ? "let the application write files that the Pod's securityContext.fsGroup may read" : "give the Pod a securityContext.fsGroup that owns the output volume";
  const remedies: Readonly<Record<string, string>> = {
    ENOENT: `mount the volume that holds ${ofInput ? directory : "the output folder"}`,
    ENOTDIR: `${ofInput ? directory : posix.dirname(place)} must be a folder`,
    EEXIST: `${place} must be a folder`,
    EISDIR: "a folder has the name of an adapted report; remove it",
    EBUSY: "mount the output's folder, not the single file (subPath): a mounted file cannot be replaced as a whole",
    EACCES: rights,
    EPERM: rights,
    EROFS: "mount the output volume writable",
    ENOSPC: "free space on the output volume",
    EDQUOT: "free space on the output volume",
  };
  const remedy = remedies[codeOf(error)];
  return `cannot adapt in ${directory}: ${error instanceof Error ? error.message : String(error)}${remedy === undefined ? "" : `; ${remedy}`}`;
}
