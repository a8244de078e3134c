import type { Readable } from "node:stream";
import { exitCode } from "../../kit/exit-code.ts";
import type { Log } from "../../kit/log.ts";
import type { RoleContext } from "../../kit/process.ts";
import { watchDirectories } from "../../kit/watch-directories.ts";
import { Checkpoint } from "./state/checkpoint.ts";
import { contradictions, type ShipperConfig } from "./config.ts";
import { Ledger } from "./state/ledger.ts";
import { Shipping, type Ending, type Lasting } from "./shipping.ts";
import { registerSinkInfo } from "./sinks/guarantee.ts";
import { StdinContent } from "./sources/stdin-content.ts";
import { registerShipperGauges, registerShipperMetrics } from "./shipper-metrics.ts";
import { lockState, StateInUseError, type StateLock } from "./state/state-lock.ts";

type Context = Omit<RoleContext<ShipperConfig>, "graceMs" | "version">;

/**
 * Runs the shipper to its end. The exit code is 0 only if everything that was written is delivered; 75 otherwise, after naming what
 * is not, byte range by byte range. `watch` gives the wake-ups, on which nothing but speed depends; `input` is asked for when a source
 * reads standard input.
 *
 * A changed configuration takes effect by an internal restart from the saved positions: nothing is lost, and what was not
 * acknowledged in time is sent again. Only the state directory cannot change so.
 */
export async function runShipper(context: Context, watch: typeof watchDirectories = watchDirectories, input: () => Readable = () => process.stdin): Promise<number> {
  const { config, log, metrics: registry, admin, clock } = context;
  const faults = contradictions(config);
  if (faults.length > 0) {
    for (const fault of faults) log.fatal({ fault }, "The configuration contradicts itself");
    return exitCode.config;
  }
  const lock = await lockOrComplain(config.state.directory, log);
  if (lock === undefined) return exitCode.config;
  const metrics = registerShipperMetrics(registry);
  const checkpoint = await Checkpoint.open({ directory: config.state.directory, clock, log, onWrite: metrics.checkpointWrite });
  const ledger = new Ledger();
  let stdin: StdinContent | undefined;
  const lasting: Lasting = { context, watch, metrics, checkpoint, ledger, stdin: () => (stdin ??= new StdinContent(input(), `stdin:${process.pid}:${clock.nowMs()}:${process.hrtime.bigint()}`)) };
  try {
    const first = await Shipping.start(config, lasting).catch((error: unknown) => complain(log, error));
    if (first === undefined) return exitCode.config;
    const changing = new Changing(first, config, lasting);
    registerShipperGauges(registry, { ledger, tailers: () => changing.current.tailers, inFlightBytes: () => changing.current.pipeline.inFlightBytes, monotonicMs: () => clock.monotonicMs() });
    registerSinkInfo(registry, () => changing.config.sinks);
    admin.addReadinessCheck("sinks", () => changing.current.pipeline.problems().join("; ") || undefined);
    admin.addReadinessCheck("positions", () => checkpoint.problem());
    context.reload((next) => changing.change(next));
    return lastWords(log, ledger, await changing.run(), stdin);
  } finally {
    await checkpoint.close();
    await lock.release();
  }
}

async function lockOrComplain(directory: string, log: Log): Promise<StateLock | undefined> {
  try {
    return await lockState(directory, log);
  } catch (error) {
    if (!(error instanceof StateInUseError)) throw error;
    log.fatal(error.message);
    return undefined;
  }
}

function complain(log: Log, error: unknown): undefined {
  if (!(error instanceof Error && "syscall" in error && (error.syscall === "listen" || error.syscall === "getaddrinfo"))) throw error;
  log.fatal({ err: error }, "Cannot listen for applications; is another process of the Pod on this address? Set sources[].listen");
}

/** The shipping under way, replaced when the configuration changes. */
class Changing {
  current: Shipping;
  readonly #lasting: Lasting;
  #config: ShipperConfig;
  #wanted: { readonly config: ShipperConfig; readonly done: PromiseWithResolvers<void> } | undefined;

  constructor(first: Shipping, config: ShipperConfig, lasting: Lasting) {
    this.current = first;
    this.#config = config;
    this.#lasting = lasting;
  }

  get config(): ShipperConfig {
    return this.#config;
  }

  /** Resolves when the new configuration is in force; throws when it is refused, and the old one is in force again. */
  async change(config: ShipperConfig): Promise<void> {
    const faults = contradictions(config);
    if (config.state.directory !== this.#config.state.directory) faults.push("state.directory cannot change while the shipper runs; restart the container");
    if (faults.length > 0) throw new Error(faults.join("; "));
    const done = Promise.withResolvers<void>();
    this.#wanted = { config, done };
    await Promise.all([this.current.suspend(), done.promise]);
  }

  /** Until the end. */
  async run(): Promise<Ending> {
    const { ledger, context } = this.#lasting;
    for (;;) {
      await this.current.run();
      const wanted = this.#wanted;
      const ending = await this.current.close();
      if (wanted === undefined || context.giveUp.aborted) {
        wanted?.done.reject(new Error("the shipper has ended"));
        return ending;
      }
      // It will be read again from the files, or sent again by the application.
      ledger.returned(ledger.totals().pendingBytes);
      this.#wanted = undefined;
      this.current = await this.#startOr(wanted);
    }
  }

  async #startOr(wanted: { readonly config: ShipperConfig; readonly done: PromiseWithResolvers<void> }): Promise<Shipping> {
    try {
      const next = await Shipping.start(wanted.config, this.#lasting);
      this.#config = wanted.config;
      wanted.done.resolve();
      return next;
    } catch (error) {
      const former = await Shipping.start(this.#config, this.#lasting);
      wanted.done.reject(error);
      return former;
    }
  }
}

/** Whether some of what was read of standard input was not delivered; says so. */
function losesInput(log: Log, stdin: StdinContent): boolean {
  if (stdin.problem !== undefined) log.error({ err: stdin.problem }, "Standard input could not be read to its end");
  const lost = stdin.undelivered();
  if (lost.length === 0) return false;
  const bytes = lost.reduce((sum, { from, to }) => sum + to - from, 0);
  log.error({ undelivered: lost, undeliveredBytes: bytes, readBytes: stdin.position + stdin.length }, "Ended with undelivered bytes of standard input, which cannot be read again: they are lost");
  return true;
}

const namedRangesMax = 100;
const namedFilesMax = 100;

function lastWords(log: Log, ledger: Ledger, { undelivered, files: all }: Ending, stdin: StdinContent | undefined): number {
  const losing = stdin !== undefined && losesInput(log, stdin);
  const totals = ledger.totals();
  const files = all.toSorted((left, right) => right.pending - left.pending || right.acked - left.acked).slice(0, namedFilesMax);
  if (undelivered.length === 0 && totals.pendingBytes === (stdin?.rangeBytes ?? 0)) {
    log.info({ ledger: totals, files }, losing ? "Everything is delivered but for standard input" : "Everything is delivered");
    return losing ? exitCode.retry : exitCode.ok;
  }
  const bytes = undelivered.reduce((sum, range) => sum + range.to - range.from, 0);
  log.error({ ledger: totals, files, undelivered: undelivered.slice(0, namedRangesMax), undeliveredBytes: bytes, ranges: undelivered.length }, "Ended with undelivered log data; started again on the same volumes, the shipper delivers it");
  return exitCode.retry;
}
