import { readdirSync, readFileSync, statSync } from "node:fs";
import { identityOf } from "./discover.ts";
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
