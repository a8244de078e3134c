// pure
import { posix } from "node:path";

/** What may pass without anybody's doing, or by making room. */
const temporary: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EBUSY", "ESTALE", "ETIMEDOUT"]);

/** Why the state cannot be written and the remedy. */
export function describeStateFault(file: string, error: unknown): { readonly message: string; readonly isTemporary: boolean } {
  const directory = posix.dirname(file);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const another = "name another directory by stateDirectory (PODKIT_STATE_DIRECTORY)";
  const remedies: Readonly<Record<string, string>> = {
    ENOENT: `mount a writable volume at ${directory}, or ${another}`,
    ENOTDIR: `a file stands in the way to ${directory}; remove it, or ${another}`,
    EEXIST: `a file stands in the place of ${directory}; remove it, or ${another}`,
    EISDIR: `a folder stands in the place of ${file}; remove it, or ${another}`,
    EACCES: `give the Pod a securityContext.fsGroup that owns ${directory}, or ${another}`,
    EPERM: `give the Pod a securityContext.fsGroup that owns ${directory}, or ${another}`,
    EROFS: `mount the volume of ${directory} writable, or ${another}`,
    ENOSPC: `free space on the volume of ${directory}`,
    EDQUOT: `free space on the volume of ${directory}`,
  };
  const remedy = remedies[code];
  return { message: `cannot write the ledger ${file}: ${error instanceof Error ? error.message : String(error)}${remedy === undefined ? "" : `; ${remedy}`}`, isTemporary: temporary.has(code) };
}
