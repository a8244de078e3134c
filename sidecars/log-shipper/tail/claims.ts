import type { Log } from "../../../kit/log.ts";
import { identityOf, statOf, type FoundFile } from "./discover.ts";
import { identityKey, type FileIdentity } from "./tail-state.ts";

export interface Follower {
  /** Whether a content of this file is followed, or remembered as read. */
  follows(identity: FileIdentity): boolean;
}

/**
 * Which files a source must leave alone although their names match: those that another source follows already (a rotated name, another
 * name of the same file), and those that the shipper writes itself, under whatever name.
 *
 * Not noticed: a copy of a file that another source follows.
 */
export class Claims {
  readonly #ownPaths: readonly string[];
  readonly #log: Log;
  readonly #followers = new Set<Follower>();
  readonly #told = new Set<string>();

  constructor(options: { readonly ownPaths: readonly string[]; readonly log: Log }) {
    this.#ownPaths = options.ownPaths;
    this.#log = options.log;
  }

  add(follower: Follower): void {
    this.#followers.add(follower);
  }

  /** Whether somebody else has the file, which `self` does not follow yet. */
  isTaken(found: FoundFile, self: Follower): boolean {
    for (const follower of this.#followers) if (follower !== self && follower.follows(found.identity)) return true;
    const own = this.#ownPaths.find((path) => isFile(path, found.identity));
    if (own === undefined) return false;
    if (!this.#told.has(found.path)) this.#log.error({ path: found.path, own }, "Not following a file that the shipper writes itself: every record would make another one without end. Write it elsewhere, or exclude this name");
    if (this.#told.size < toldMax) this.#told.add(found.path);
    return true;
  }
}

const toldMax = 1_000;

function isFile(path: string, identity: FileIdentity): boolean {
  const stats = statOf(path);
  return stats !== undefined && identityKey(identityOf(stats)) === identityKey(identity);
}
