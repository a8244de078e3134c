import { stat } from "node:fs/promises";
import type { AdapterConfig } from "../adapter-config.ts";
import { outputFolders } from "../adapt-file.ts";

/** Device and inode, following links. */
export async function identityOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}.${ino}`;
}

/**
 * The configuration compares names; one folder may have two, by a link or a second mount. What an adapter publishes into a watched folder is known by
 * its path there, so under another name it would be taken for a report, and reports be written over. Tells which output folder of this adapter is such
 * a one; undefined when none is. `watched` are the names of all watched folders. One that is not there is none yet.
 */
export async function sameFolderFault(adapter: AdapterConfig, watched: ReadonlySet<string>): Promise<{ readonly detail: string; readonly remedy: string } | undefined> {
  const own = adapter.watch.directory;
  const identities = new Map<string, string>();
  for (const folder of watched) identities.set(folder, await identityOf(folder).catch(() => folder));
  for (const output of outputFolders(adapter)) {
    const found = await identityOf(output).catch(() => undefined); // it is made when it is needed
    if (found === undefined) continue;
    if (identities.get(own) === found) return { detail: `${output} is the watched folder ${own} by another name, where an adapted report would be taken for input`, remedy: "mount another folder there" };
    const other = [...identities].find(([folder, identity]) => folder !== output && identity === found)?.[0];
    if (other !== undefined) return { detail: `${output} is by another name the folder ${other} that is watched too, where adapted reports could not be told from others`, remedy: "write one name for it in all places, or mount another folder there" };
  }
  return undefined;
}
