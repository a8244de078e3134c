import { closeSync, openSync } from "node:fs";
import type { Log } from "../../kit/log.ts";
import type { FoundFile, FoundSibling } from "./discover.ts";
import { holdsContent, type TrackedFile } from "./tracked-file.ts";

/** After a copytruncate: the untracked file that holds what was read of `file` so far, and so its rest. Undefined if there is none. */
export async function findCopy(file: TrackedFile, options: { readonly candidates: readonly (FoundFile | FoundSibling)[]; readonly isTracked: (inode: string) => boolean; readonly log: Log }): Promise<FoundFile | undefined> {
  if (file.offset === 0) return undefined;
  for (const found of options.candidates) {
    if (options.isTracked(found.inode) || found.size < file.offset) continue;
    if ("formerPath" in found && found.formerPath !== file.path) continue;
    try {
      const fd = openSync(found.path, "r");
      const same = await holdsContent(fd, file.offset, file.print).finally(() => closeSync(fd));
      if (same) return found;
    } catch (error) {
      options.log.debug({ err: error, path: found.path }, "Cannot look into a possible copy");
    }
  }
  return undefined;
}
