import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import { watchDirectories } from "../../../kit/watch-directories.ts";

const scanIntervalMs = 10_000;
/** The parts of a pair of files are replaced one after the other: a change is looked at when nothing has changed for this long. */
const settleMs = 200;

/**
 * Calls `onChange` when the content of a file has changed, until the signal is aborted. Watches the folders, because mounted
 * secrets change by the swap of a symlink, and looks by itself from time to time. When `onChange` throws, the reason is
 * logged and it is called again at the next look.
 */
export async function followFiles(o: { readonly files: () => readonly string[]; readonly onChange: () => Promise<void>; readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal }): Promise<void> {
  const { clock, log, signal } = o;
  let wake = new AbortController();
  const watched = new Set<string>();
  const watch = watchDirectories({ onWake: () => wake.abort(), signal, log });
  let content = contentOf(o.files()), failed: string | undefined;
  while (!signal.aborted) {
    const wanted = new Set(o.files().map((file) => dirname(file)));
    for (const folder of wanted) if (!watched.has(folder)) watch.add(folder);
    for (const folder of watched) if (!wanted.has(folder)) watch.remove(folder);
    watched.clear();
    for (const folder of wanted) watched.add(folder);
    await clock.sleep(scanIntervalMs, AbortSignal.any([signal, wake.signal])).catch(() => undefined);
    if (wake.signal.aborted) await clock.sleep(settleMs, signal).catch(() => undefined);
    wake = new AbortController();
    const now = contentOf(o.files());
    if (signal.aborted || now === content) continue;
    try {
      await o.onChange();
      content = now;
      failed = undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (why !== failed) log.error({ why }, "Changed certificates cannot be used; the old ones stay in use");
      failed = why;
    }
  }
}

function contentOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) {
    hash.update(`\0${file}\0`);
    try {
      hash.update(readFileSync(file));
    } catch (error) {
      hash.update(error instanceof Error ? error.message : "");
    }
  }
  return hash.digest("hex");
}
