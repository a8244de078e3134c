import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { readConfig } from "../../../../kit/config/read.ts";
import { systemClock, type Clock } from "../../../../kit/clock.ts";
import { createLog } from "../../../../kit/log.ts";
import { MetricRegistry } from "../../../../kit/metrics.ts";
import type { watchDirectories } from "../../../../kit/watch-directories.ts";
import { spec, type ShipperConfig } from "../../../../sidecars/log-shipper/config.ts";
import { runShipper } from "../../../../sidecars/log-shipper/run.ts";
import { eventually } from "../../../support/eventually.ts";

/** How to end the shippers that still run, by their state directory: after a failed test nothing else would, and the process would never end. */
const running = new Map<string, () => void>();

/** Directories of one test; removed at its end, with the shippers that it left running. */
export function temporary(): { readonly root: string; readonly logs: string; readonly state: string } & Disposable {
  const root = mkdtempSync(join(tmpdir(), "podkit-log-shipper-"));
  return { root, logs: join(root, "logs"), state: join(root, "state"), [Symbol.dispose]: () => {
    for (const [directory, giveUp] of running) if (directory.startsWith(root)) giveUp();
    rmSync(root, { recursive: true, force: true });
  } };
}

/** A configuration as a user would write it, with quick defaults for tests. */
export function configOf(directory: string, written: { readonly [key: string]: unknown }): { readonly config: ShipperConfig; readonly file: string } {
  const file = join(directory, "config.yaml");
  writeFileSync(file, JSON.stringify({ files: { rotateWaitMs: 300 }, drain: { quietMs: 100, watchWriters: false }, metadata: { directory: "/nonexistent" }, ...written }));
  const outcome = readConfig(spec, { files: [file], env: {}, argv: [] });
  if (outcome.kind === "problems") throw new Error(outcome.problems.map((problem) => `${problem.origin} ${problem.path}: ${problem.message}`).join("\n"));
  return { config: outcome.config, file };
}

export type RunningShipper = {
  /** Asks it to end, as SIGTERM does; resolves with the exit code. */
  stop(): Promise<number>;
  giveUp(): Promise<number>;
  readonly metrics: MetricRegistry;
  /** A metric's value, summed over its series. */
  metric(name: string, labels?: string): number;
  readonly readiness: ReadonlyMap<string, () => string | undefined>;
  /** Diagnostics, parsed. */
  readonly logged: readonly Readonly<Record<string, unknown>>[];
  /** Hands it a changed configuration, as a changed file does; rejects when it is refused. */
  change(config: ShipperConfig): Promise<void>;
  logLine(message: string): Promise<Readonly<Record<string, unknown>>>;
};

export function startShipper(config: ShipperConfig, watch?: typeof watchDirectories, clock: Clock = systemClock, input?: () => Readable): RunningShipper {
  const stopping = new AbortController();
  const givingUp = new AbortController();
  const metrics = new MetricRegistry();
  const readiness = new Map<string, () => string | undefined>();
  const logged: Readonly<Record<string, unknown>>[] = [];
  const log = createLog({ role: "log-shipper", level: "debug", stream: { write: (text) => void logged.push(JSON.parse(text) as Record<string, unknown>) } });
  let onConfig: (config: ShipperConfig) => Promise<void> | void = () => assert.fail("it never asked for changed configurations");
  const done = runShipper({
    reload: (callback) => (onConfig = callback),
    config, log, metrics,
    admin: { addReadinessCheck: (name, check) => void readiness.set(name, check), addRoute: () => undefined, address: { host: "127.0.0.1", port: 0 } },
    clock,
    random: Math.random,
    stopAccepting: stopping.signal,
    giveUp: givingUp.signal,
  }, watch, input);
  const { directory } = config.state;
  const giveUp = (): void => givingUp.abort(new Error("grace is over"));
  running.set(directory, giveUp);
  const forget = (): void => void (running.get(directory) === giveUp && running.delete(directory));
  void done.then(forget, forget);
  return {
    stop: async () => {
      stopping.abort(new Error("SIGTERM"));
      return await done;
    },
    giveUp: async () => {
      giveUp();
      return await done;
    },
    metrics,
    metric(name, labels = "") {
      const lines = metrics.render().split("\n").filter((line) => line.startsWith(`podkit_log_shipper_${name}`) && line.includes(labels));
      return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
    },
    readiness,
    change: async (next) => await onConfig(next),
    logged,
    logLine: (message) => eventually(() => logged.find((line) => String(line["msg"]).includes(message)), { what: `a log line "${message}"` }),
  };
}

/** `count` lines with unique ids, "<prefix> <number> <filler>". */
export function lines(prefix: string, from: number, count: number): string {
  let text = "";
  for (let index = from; index < from + count; index++) text += `${prefix} ${index} some filler that makes the line as long as lines are\n`;
  return text;
}

/** The ids of raw records made by `lines`. */
export function idsOf(records: readonly Readonly<Record<string, unknown>>[]): readonly string[] {
  return records.map((record) => String(record["log"]).split(" ").slice(0, 2).join(" "));
}

export function idsFrom(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index}`);
}
