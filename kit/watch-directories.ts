import { join, resolve } from "node:path";
import { watch, type FSWatcher } from "chokidar";
import type { Log } from "./log.ts";

export type DirectoryWatch = {
  add(directory: string): void;
  remove(directory: string): void;
  /** "polling" after the kernel refused watches (no inotify left) or when asked for. */
  readonly mode: "native" | "polling";
  close(): Promise<void>;
};

/**
 * Wakes the caller when something in one of the directories may have changed. A hint only: wakes may be missed, late, merged or without cause,
 * so callers scan by themselves, on a wake and periodically. Watches the direct entries of each directory, not the tree below. When the
 * kernel refuses a watch it changes to polling by itself and says so once. `onEntry` is told, before the wake, each entry that an event names.
 *
 * `plain` is for folders where thousands of files may come at once: the kernel's events are passed on as they are. Otherwise chokidar looks at
 * each file and keeps what it saw, 2 KB a file, to tell the kinds of events apart and leave out repeated ones.
 */
export function watchDirectories(options: { readonly onWake: (directory: string) => void; readonly onEntry?: (path: string) => void; readonly signal: AbortSignal; readonly log: Log; readonly polling?: boolean; readonly pollingIntervalMs?: number; readonly plain?: boolean }): DirectoryWatch {
  // chokidar lets these override what the code asks for, in both directions.
  delete process.env["CHOKIDAR_USEPOLLING"];
  delete process.env["CHOKIDAR_INTERVAL"];
  const watchers = new Map<string, FSWatcher>();
  const pending = new Set<string>();
  let mode: "native" | "polling" = options.polling === true ? "polling" : "native";
  let closed = false;

  /** Events of one turn of the loop become one wake. */
  const wake = (directory: string): void => {
    if (closed || pending.has(directory)) return;
    pending.add(directory);
    setImmediate(() => {
      pending.delete(directory);
      if (!closed) options.onWake(directory);
    });
  };

  const open = (directory: string): FSWatcher => {
    const isPlain = options.plain === true && mode === "native";
    const root = resolve(directory);
    const watcher = watch(directory, {
      ...(isPlain ? { ignored: (path: string): boolean => resolve(path) !== root } : {}),
      depth: 0,
      ignoreInitial: true,
      atomic: false,
      awaitWriteFinish: false,
      backend: mode === "polling" ? "polling" : "native",
      pollingInterval: options.pollingIntervalMs ?? 250,
    });
    watcher.on("all", (_, path) => {
      options.onEntry?.(path);
      wake(directory);
    });
    if (isPlain) {
      watcher.on("raw", (_, path) => {
        if (typeof path === "string") options.onEntry?.(join(directory, path));
        wake(directory);
      });
    }
    watcher.on("error", (error) => onError(directory, error));
    return watcher;
  };

  const onError = (directory: string, error: unknown): void => {
    wake(directory);
    if (closed || mode === "polling" || !isExhausted(error)) return;
    mode = "polling";
    options.log.warn({ err: error, directory }, "The kernel refuses more file watches; polling instead. Raise fs.inotify.max_user_watches or max_user_instances to watch again");
    for (const [path, old] of watchers) {
      void old.close();
      watchers.set(path, open(path));
    }
  };

  const close = async (): Promise<void> => {
    closed = true;
    const all = [...watchers.values()];
    watchers.clear();
    await Promise.all(all.map((watcher) => watcher.close()));
  };
  options.signal.addEventListener("abort", () => void close(), { once: true });

  return {
    add(directory) {
      if (!closed && !watchers.has(directory)) watchers.set(directory, open(directory));
    },
    remove(directory) {
      void watchers.get(directory)?.close();
      watchers.delete(directory);
    },
    get mode() {
      return mode;
    },
    close,
  };
}

function isExhausted(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOSPC" || code === "EMFILE" || code === "ENFILE";
}
