import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "./clock.ts";
import { formatProblem } from "./config/problem.ts";
import { listConfigFiles, type ConfigOutcome } from "./config/read.ts";
import type { Log } from "./log.ts";
import type { MetricRegistry } from "./metrics.ts";
import { watchDirectories } from "./watch-directories.ts";

const scanIntervalMs = 10_000;

/**
 * Follows the configuration files of a running role. Watches their folder, not the files, because a ConfigMap changes by the swap of its
 * `..data` symlink. A valid change is handed to `onConfig`; a bad one, or one that `onConfig` rejects by throwing, leaves the old configuration in
 * force, which `problem()` then tells (readiness shows it). Counted in podkit_config_reload_total{result}.
 */
export function followConfig<C>(options: {
  readonly path: string;
  readonly read: () => ConfigOutcome<C>;
  readonly initialHash: string;
  readonly onConfig: (config: C, redacted: unknown) => Promise<void> | void;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): { readonly problem: () => string | undefined } {
  const reloads = options.metrics.counter({ name: "podkit_config_reload_total", help: "Configuration changes seen, by what became of them.", labels: ["result"] });
  let hash = options.initialHash;
  let problem: string | undefined;
  let running: Promise<void> | undefined;
  let again = false;

  const check = async (): Promise<void> => {
    const outcome = options.read();
    if (outcome.kind === "problems") {
      const text = outcome.problems.map((each) => formatProblem(each)).join("; ");
      if (text !== problem) {
        reloads.inc({ result: "rejected" });
        options.log.error({ problems: outcome.problems.map((each) => formatProblem(each)) }, "The changed configuration is not valid; the old one stays in force");
      }
      problem = text;
      return;
    }
    if (outcome.hash === hash) {
      problem = undefined;
      return;
    }
    try {
      await options.onConfig(outcome.config, outcome.redacted);
      hash = outcome.hash;
      problem = undefined;
      reloads.inc({ result: "applied" });
      options.log.info({ configHash: hash }, "The changed configuration is in force");
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      reloads.inc({ result: "rejected" });
      options.log.error({ err: error }, "The changed configuration was refused; the old one stays in force");
    }
  };
  /** One check at a time; a wake during a check causes one more. */
  const wake = (): void => {
    if (running !== undefined) {
      again = true;
      return;
    }
    running = check().finally(() => {
      running = undefined;
      if (again && !options.signal.aborted) {
        again = false;
        wake();
      }
    });
  };

  const folder = statSync(options.path, { throwIfNoEntry: false })?.isDirectory() === true ? options.path : dirname(options.path);
  const watch = watchDirectories({ onWake: wake, signal: options.signal, log: options.log });
  if (listConfigFiles(folder).length > 0 || statSync(folder, { throwIfNoEntry: false }) !== undefined) watch.add(folder);
  void scanForever();
  return { problem: () => problem };

  /** The safety net for changes that no event told of. */
  async function scanForever(): Promise<void> {
    while (!options.signal.aborted) {
      await options.clock.sleep(scanIntervalMs, options.signal).catch(() => undefined);
      if (!options.signal.aborted) wake();
    }
  }
}
