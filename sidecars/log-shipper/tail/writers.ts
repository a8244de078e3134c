import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { identityOf } from "./discover.ts";
import { canReach, parseMounts, placeOf } from "./reach.ts";
import { inodeKey } from "./tail-state.ts";

/**
 * Whether another process of this Pod has one of the files open for writing. Only a Pod that shares its process namespace lets us
 * see the others; "unknown" otherwise, when a process may not be looked into, or when there are more processes than a Pod has.
 */
export type Writers = "some" | "none" | "unknown";
const processesMax = 64;

export function findWriters(inodes: ReadonlySet<string>, options: { readonly processesMax: number } = { processesMax }): Writers {
  let answer: Writers = "none";
  try {
    const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
    if (processes.length === 0 || processes.length > options.processesMax) return "unknown";
    for (const id of processes) {
      const seen = writesTo(id, inodes);
      if (seen === "some") return "some";
      if (seen === "unknown") answer = "unknown";
    }
    return answer;
  } catch {
    return "unknown"; // no /proc here
  }
}

/**
 * Whether it is certain that no other process can write into the directories any more: the Pod shares its process namespace, and
 * none of the processes left has the volume mounted, the Pod's pause process aside. It needs to look into every process, so a
 * process of another user that is still there makes the answer no.
 */
export function provenWritersGone(directories: readonly string[]): boolean {
  try {
    const others = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
    // Alone in a process namespace: the application is in another one.
    if (others.length === 0 || others.length > processesMax) return false;
    const own = parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
    const places = directories.map((directory) => placeOf(realpathSync(directory), own));
    return others.every((id) => {
      if (id === "1" && readFileSync("/proc/1/cmdline", "latin1").startsWith("/pause\0")) return true;
      const mounts = mountsOf(id);
      return mounts !== undefined && places.every((place) => place !== undefined && !canReach(place, mounts));
    });
  } catch {
    return false; // no /proc here, a directory that has gone, or a process that may not be looked into
  }
}

/** Undefined when it cannot be told. A process that has ended has no mounts. */
function mountsOf(id: string): ReturnType<typeof parseMounts> | undefined {
  try {
    return parseMounts(readFileSync(`/proc/${id}/mountinfo`, "utf8"));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code === "ENOENT" || code === "ESRCH" || code === "EINVAL" ? [] : undefined;
  }
}

function writesTo(id: string, inodes: ReadonlySet<string>): Writers {
  let names: readonly string[];
  try {
    names = readdirSync(`/proc/${id}/fd`);
  } catch (error) {
    const ended = error instanceof Error && "code" in error && error.code === "ENOENT";
    return ended ? "none" : "unknown";
  }
  for (const name of names) {
    try {
      if (!inodes.has(inodeKey(identityOf(statSync(`/proc/${id}/fd/${name}`, { bigint: true }))))) continue;
      const flags = Number.parseInt(/^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/${id}/fdinfo/${name}`, "latin1"))?.[1] ?? "0", 8);
      if ((flags & 3) !== 0) return "some";
    } catch {
      continue; // closed since the listing
    }
  }
  return "none";
}
