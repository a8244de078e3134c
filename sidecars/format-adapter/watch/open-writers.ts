import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** Device and inode, as in `${dev}.${ino}`. */
export type FileId = string;

export type WriterSearch = {
  /** Normally /proc. */
  readonly proc: string;
  readonly ownPid: number;
  /** Names of processes that need not let us see what they have open. */
  readonly except: readonly string[];
};

/**
 * Which of these files some process has open for writing. Throws when it cannot know: when another process does not let us see what it has open
 * (it has another user, or more rights), or when none but our own can be seen at all. Not seen: what is written through a memory map after
 * its descriptor was closed, and writers on other machines.
 */
export async function filesOpenForWriting(files: ReadonlySet<FileId>, search: WriterSearch): Promise<ReadonlySet<FileId>> {
  const found = new Set<FileId>();
  const ancestors = await ancestorsOf(search.ownPid, search.proc);
  let others = 0;
  for (const name of await readdir(search.proc)) {
    const pid = /^\d+$/.test(name) ? Number(name) : search.ownPid;
    if (pid === search.ownPid) continue;
    const directory = join(search.proc, name);
    const isExcepted = search.except.includes(await nameOf(directory));
    // An init process above us is there without any sharing.
    if (isExcepted || !ancestors.has(pid)) others++;
    await lookInto(directory, { isExcepted, files, found });
  }
  if (others === 0) throw new Error('"closed" sees no process but the adapter\'s own; set shareProcessNamespace: true in the Pod');
  return found;
}

async function lookInto(directory: string, look: { readonly isExcepted: boolean; readonly files: ReadonlySet<FileId>; readonly found: Set<FileId> }): Promise<void> {
  let descriptors: string[];
  try {
    descriptors = await readdir(join(directory, "fd"));
  } catch (error) {
    if (look.isExcepted || hasEnded(error) || (await isZombie(directory))) return;
    throw new Error(`"closed" cannot see which files process ${directory} (${await nameOf(directory)}) has open: ${error instanceof Error ? error.message : String(error)}; give its container and this one the same runAsUser and capabilities, or name it under "closed: {except: [...]}" when it writes no reports`, { cause: error });
  }
  if (look.files.size === 0) return;
  for (const descriptor of descriptors) {
    const there = await stat(join(directory, "fd", descriptor), { bigint: true }).catch(() => undefined); // closed since, or no file
    const id = there?.isFile() === true ? `${there.dev}.${there.ino}` : undefined;
    if (id === undefined || !look.files.has(id) || look.found.has(id)) continue;
    const info = await readFile(join(directory, "fdinfo", descriptor), "utf8").catch((error: unknown) => {
      if (hasEnded(error)) return undefined;
      throw error;
    });
    if (info !== undefined && isForWriting(info)) look.found.add(id);
  }
}

/** Whether the text of a fdinfo file tells of write access (O_WRONLY or O_RDWR). */
export function isForWriting(info: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(info)?.[1];
  // Unknown counts as a writer: what cannot be read is never taken for "nobody".
  return flags === undefined || (Number.parseInt(flags, 8) & 3) !== 0;
}

async function nameOf(directory: string): Promise<string> {
  return (await readFile(join(directory, "comm"), "utf8").catch(() => "")).trim();
}

/** The field after the name in /proc/<pid>/stat; the name may hold anything but is the last in parentheses. */
async function fieldsOf(directory: string): Promise<readonly string[]> {
  const text = await readFile(join(directory, "stat"), "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

async function isZombie(directory: string): Promise<boolean> {
  return ["Z", "X", ""].includes((await fieldsOf(directory))[0] ?? "");
}

async function ancestorsOf(pid: number, proc: string): Promise<ReadonlySet<number>> {
  const ancestors = new Set<number>();
  for (let at = pid; at > 0 && ancestors.size < 1000; ) {
    at = Number((await fieldsOf(join(proc, String(at))))[1] ?? 0);
    if (ancestors.has(at)) break;
    ancestors.add(at);
  }
  return ancestors;
}

function hasEnded(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
}
