import { exitCode } from "../../kit/exit-code.ts";
import { runRole, type CommandContext, type RoleContext } from "../../kit/process.ts";
import { runAdapter, type AdapterLoop } from "./watch/adapter-loop.ts";
import { registerAdapterMetrics } from "./adapter-metrics.ts";
import { spec, type Config } from "./config.ts";
import { runExamples, type ExampleFailure } from "./examples.ts";
import { startExporter, type Exporter } from "./exporter/exporter.ts";
import { diffAdapted } from "./commands/diff.ts";
import { doctor } from "./commands/doctor.ts";
import { infer } from "./commands/infer.ts";
import { explain, lint, testExamples } from "./commands/mapping-commands.ts";
import { harmless } from "./commands/terminal.ts";
import { answerWithoutConfig } from "./commands/without-config.ts";
import type { AdapterOptions } from "./record.ts";
import { answerReplay, replayPath, replayQuarantined, runOnce } from "./commands/run-commands.ts";
import { namesOf, openState, tidyOutputs, watchedFolders, type State } from "./state/state.ts";

/** Names and values of others must not command a terminal. */
const printSafely = (text: string): void => void process.stdout.write(harmless(text));
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: Error & { readonly code?: string }) => {
    if (error.code !== "EPIPE") throw error;
    // Nobody reads on, as behind "| head": there is nothing to work for, and nothing to say.
    process.exit(exitCode.retry);
  });
}

const safely = <C extends { readonly print: (text: string) => void }>(command: (context: C) => Promise<number>) => async (context: C): Promise<number> => await command({ ...context, print: printSafely });
const commands = { infer: safely<CommandContext<Config>>(({ argv, print }) => infer(argv, print)), lint: safely(lint), test: safely(testExamples), explain: safely(explain), diff: safely(diffAdapted), doctor: safely(doctor), run: safely(runOnce), replay: safely(replayQuarantined) };

const answered = answerWithoutConfig(process.argv.slice(2), printSafely);
if (answered === undefined) runRole({ role: "format-adapter", spec, run, commands });
else {
  answered.then(
    (code) => (process.exitCode = code),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exitCode = exitCode.bug;
    },
  );
}

const lockRetryMs = 500;

/** Keeps the adapters of the configuration in force running; a changed configuration starts new ones when the old have finished. */
async function run(context: RoleContext<Config>): Promise<void> {
  const { config, log, metrics, admin, clock, random, stopAccepting, reload } = context;
  const adapterMetrics = registerAdapterMetrics(metrics);
  let running: Running = { loops: [], options: [] };
  let stop = new AbortController();
  let red: readonly ExampleFailure[] = [];
  let state: State | undefined;
  let exporter: Exporter | undefined;
  const startExporting = async (next: Config): Promise<void> => {
    await exporter?.close();
    exporter = undefined;
    if (next.exporter !== undefined) exporter = await startExporter({ config: next.exporter, clock, log });
  };

  admin.addReadinessCheck("examples", () => (red.length === 0 ? undefined : `${red.length} examples of the mappings do not hold; run "test" for details`));
  admin.addReadinessCheck("state", () => (state === undefined ? `another adapter is at work with ${config.stateDirectory}; give each its own stateDirectory` : undefined));
  admin.addReadinessCheck("adapters", () => running.loops.map((loop) => loop.problem()).find((problem) => problem !== undefined));
  admin.addReadinessCheck("ledger", () => state?.ledger.problem);

  // Metrics need no state: they are served also while another adapter is at work.
  await startExporting(config);
  const opened = await waitForState(context);
  if (opened === undefined) {
    await exporter?.close();
    return;
  }
  state = opened;
  const start = async (next: Config): Promise<void> => {
    await tidyOutputs(next, opened.owner, clock.nowMs());
    stop = new AbortController();
    const shared = { ledger: opened.ledger, owner: opened.owner, directories: opened.directories, watchedFolders: watchedFolders(next), stateDirectory: config.stateDirectory, quarantine: next.quarantine, metrics: adapterMetrics, log, clock, random, signal: AbortSignal.any([stop.signal, stopAccepting]) };
    const options = next.adapters.map((adapter) => ({ adapter, ...shared }));
    running = { options, loops: options.map((each) => runAdapter(each)) };
  };
  red = runExamples(config.adapters.flatMap((adapter) => adapter.mappings));
  for (const failure of red) log.error(failure, "An example of the mapping does not hold; nothing is adapted");
  if (red.length === 0) await start(config);
  admin.addRoute({ method: "POST", path: replayPath, loopbackOnly: true, handle: async (request, response) => await answerReplay(request, response, running.options) });
  reload(async (next) => {
    if (next.stateDirectory !== config.stateDirectory) throw new Error("stateDirectory cannot change while the adapter runs; restart the container");
    const failures = runExamples(next.adapters.flatMap((adapter) => adapter.mappings));
    if (failures.length > 0) throw new Error(`an example of the mapping ${failures[0]?.mapping} does not hold: ${failures[0]?.message}`);
    stop.abort();
    await Promise.all(running.loops.map((loop) => loop.done));
    red = [];
    await opened.ledger.keepAdapters(namesOf(next));
    await start(next);
    await startExporting(next);
  });
  if (!stopAccepting.aborted) await new Promise((resolve) => stopAccepting.addEventListener("abort", resolve, { once: true }));
  await Promise.all(running.loops.map((loop) => loop.done));
  await exporter?.close();
  await opened.close();
}

type Running = { readonly loops: readonly AdapterLoop[]; readonly options: readonly AdapterOptions[] };

/** The state of these adapters, once no other process has it; undefined when asked to end first. */
async function waitForState({ config, log, clock, stopAccepting }: RoleContext<Config>): Promise<State | undefined> {
  for (let tries = 0; !stopAccepting.aborted; tries++) {
    const state = await openState(config, log);
    if (state !== "taken") return state;
    if (tries === 0) log.warn({ stateDirectory: config.stateDirectory }, "Another adapter is at work with this state directory; waiting for its end");
    await clock.sleep(lockRetryMs, stopAccepting).catch(() => undefined);
  }
  return undefined;
}
