import { closeSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import type { Log } from "../../../kit/log.ts";
import type { FoundFile, FoundSibling } from "./discover.ts";
import { hashBytes, headBytesMax, tailBytesMax } from "./tail-state.ts";
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

/**
 * What a rotated name holds that was not born before the file which has the name: "known" contents are read from elsewhere; an
 * "unknown" one was copied and truncated away before any of it was read. `followed` are the contents of that name.
 *
 * Not told apart: a shorter content that begins with the same 256 bytes counts as an earlier part of a known one.
 */
export function contentOfCopy(found: FoundSibling, options: { readonly followed: readonly TrackedFile[]; readonly live: FoundFile | undefined }): "known" | "unknown" | "undecided" {
  const { live } = options;
  // "app.log.lock" and "app.log.bak" are beside logs, rotations have a number or a date.
  if (live?.identity.birthNs !== found.identity.birthNs && !/\d/.test(basename(found.path).slice(basename(found.formerPath).length))) return "known";
  if (found.size === 0) return "undecided";
  const head = bytesAt(found.path, 0, headBytesMax);
  if (head === undefined) return "undecided";
  for (const { offset, print } of options.followed) {
    if (offset === 0 || head.length < print.headLength || hashBytes(head.subarray(0, print.headLength)) !== print.headHash) continue;
    const tail = found.size >= offset ? bytesAt(found.path, offset - print.tailLength, print.tailLength) : undefined;
    if (tail === undefined || hashBytes(tail) === print.tailHash) return "known";
  }
  // Perhaps truncated before any of it is read.
  return live !== undefined && beginsAs(live.path, found) ? "undecided" : "unknown";
}

/** Whether the file begins with what the copy holds, going by its first and last bytes. As it is now: it may have grown since the look. */
function beginsAs(path: string, copy: FoundFile): boolean {
  const headLength = Math.min(headBytesMax, copy.size);
  const tailLength = Math.min(tailBytesMax, copy.size);
  return ([[0, headLength], [copy.size - tailLength, tailLength]] as const).every(([position, length]) => {
    const wanted = bytesAt(copy.path, position, length);
    return wanted?.length === length && bytesAt(path, position, length)?.equals(wanted) === true;
  });
}

/** Of a content that was truncated away and of which more was read than was copied: whether this is such a copy. */
export function isPartialCopy(found: FoundSibling, file: TrackedFile): boolean {
  if (found.formerPath !== file.path || found.size === 0 || found.size >= file.offset) return false;
  const { headLength, headHash } = file.print;
  const head = bytesAt(found.path, 0, headLength);
  return head?.length === headLength && hashBytes(head) === headHash;
}

/** Undefined when the file cannot be read. Synchronous, for use in a look. */
function bytesAt(path: string, position: number, length: number): Buffer | undefined {
  try {
    const fd = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(fd, bytes, 0, length, position));
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined; // gone since the look, or not ours to read
  }
}
