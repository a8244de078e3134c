import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Files beyond this are not counted any more; such a volume is measured too small rather than walking for ever. */
const entriesMax = 200_000;

/** Bytes that a directory tree takes on disk (allocated blocks, as `du`). Files that vanish meanwhile count as nothing. */
export async function diskUsageBytes(directory: string): Promise<number> {
  let total = 0;
  let entries = 0;
  const waiting = [directory];
  while (waiting.length > 0 && entries < entriesMax) {
    const path = waiting.pop();
    if (path === undefined) break;
    for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
      entries += 1;
      const info = await lstat(join(path, entry.name)).catch(() => undefined);
      total += (info?.blocks ?? 0) * 512;
      if (entry.isDirectory()) waiting.push(join(path, entry.name));
    }
  }
  return total;
}
