import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** A log file that rotates by renaming, as logrotate does: app.log, app.log.1, … app.log.3; the oldest goes. */
export function openLogFile(path: string, bytesMax: number): { write(text: string): void; close(): void } {
  mkdirSync(dirname(path), { recursive: true });
  let file = openSync(path, "a");
  let bytes = statSync(path).size;
  return {
    write(text) {
      if (bytes >= bytesMax) {
        closeSync(file);
        for (const [from, to] of [[`${path}.2`, `${path}.3`], [`${path}.1`, `${path}.2`], [path, `${path}.1`]] as const) renameIfThere(from, to);
        file = openSync(path, "a");
        bytes = 0;
      }
      bytes += writeSync(file, text);
    },
    close: () => closeSync(file),
  };
}

function renameIfThere(from: string, to: string): void {
  if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, to);
}
