import { runRole, type CommandContext, type RoleContext } from "../../kit/process.ts";
import { dirname } from "node:path";
import { systemClock } from "../../kit/clock.ts";
import { exitCode } from "../../kit/exit-code.ts";
import { MetricRegistry } from "../../kit/metrics.ts";
import { adaptOnce, runAdapter, type AdapterLoop } from "./adapter-loop.ts";
import { registerAdapterMetrics } from "./adapter-metrics.ts";
import { spec, type Config } from "./config.ts";
import { runExamples, type ExampleFailure } from "./examples.ts";
import { Ledger } from "./ledger.ts";
import { removeLeftovers } from "./publish.ts";

runRole({ role: "format-adapter", spec, run, commands: { test: testExamples, lint, run: runOnce } });

/** Keeps the adapters of the configuration in force running; a changed configuration starts new ones when the old have finished. */
async function run({ config, log, metrics, admin, clock, random, stopAccepting, reload }: RoleContext<Config>): Promise<void> {
  const adapterMetrics = registerAdapterMetrics(metrics);
  const ledger = await Ledger.open(config.stateDirectory, namesOf(config), log);
  let loops: readonly AdapterLoop[] = [];
  let stop = new AbortController();
  let red: readonly ExampleFailure[] = [];

  const start = async (next: Config): Promise<void> => {
    for (const directory of outputDirectories(next)) await removeLeftovers(directory);
    stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, stopAccepting]);
    loops = next.adapters.map((adapter) => runAdapter({ adapter, ledger, stateDirectory: config.stateDirectory, quarantine: next.quarantine, metrics: adapterMetrics, log, clock, random, signal }));
  };
  admin.addReadinessCheck("examples", () => (red.length === 0 ? undefined : `${red.length} examples of the mappings do not hold; run "test" for details`));
  admin.addReadinessCheck("adapters", () => loops.map((loop) => loop.problem()).find((problem) => problem !== undefined));
  admin.addReadinessCheck("ledger", () => ledger.problem);

  red = runExamples(config.adapters.flatMap((adapter) => adapter.mappings));
  for (const failure of red) log.error(failure, "An example of the mapping does not hold; nothing is adapted");
  if (red.length === 0) await start(config);
  reload(async (next) => {
    if (next.stateDirectory !== config.stateDirectory) throw new Error("stateDirectory cannot change while the adapter runs; restart the container");
    const failures = runExamples(next.adapters.flatMap((adapter) => adapter.mappings));
    if (failures.length > 0) throw new Error(`an example of the mapping ${failures[0]?.mapping} does not hold: ${failures[0]?.message}`);
    stop.abort();
    await Promise.all(loops.map((loop) => loop.done));
    red = [];
    await ledger.keepAdapters(namesOf(next));
    await start(next);
  });
  if (!stopAccepting.aborted) await new Promise((resolve) => stopAccepting.addEventListener("abort", resolve, { once: true }));
  await Promise.all(loops.map((loop) => loop.done));
  await ledger.close();
}

function namesOf(config: Config): readonly string[] {
  return config.adapters.map((adapter) => adapter.name);
}

function outputDirectories(config: Config): ReadonlySet<string> {
  return new Set(config.adapters.flatMap((adapter) => adapter.mappings.map((mapping) => dirname(mapping.output.file))));
}

/** `test`: runs the examples of all mappings. */
function testExamples({ config, print }: CommandContext<Config>): Promise<number> {
  const mappings = config.adapters.flatMap((adapter) => adapter.mappings);
  const failures = runExamples(mappings);
  for (const { mapping, origin, message } of failures) print(`${origin}: ${mapping}: ${message}\n`);
  print(`${mappings.reduce((sum, mapping) => sum + mapping.examples.length, 0)} examples, ${failures.length} do not hold\n`);
  return Promise.resolve(failures.length === 0 ? exitCode.ok : exitCode.config);
}

/** `lint`: the configuration was read without a problem; tells what may surprise. */
function lint({ config, print }: CommandContext<Config>): Promise<number> {
  for (const adapter of config.adapters) {
    const { complete, stableQuietMs } = adapter.watch.ready;
    const byLine = adapter.mappings.some((mapping) => mapping.input.format !== "json");
    if (complete && byLine && stableQuietMs === undefined && !adapter.watch.ready.rename) print(`${adapter.name}: "complete" cannot tell a pause at the end of a line from the end of the report; add "stable" or have the writer rename\n`);
    for (const mapping of adapter.mappings) {
      if (mapping.examples.length === 0) print(`${adapter.name}: ${mapping.name}: has no examples; nothing gates its readiness\n`);
      if (!mapping.input.strict) print(`${adapter.name}: ${mapping.name}: strict is false; new columns go unnoticed\n`);
    }
  }
  print(`${config.adapters.length} adapters, ${config.adapters.reduce((sum, adapter) => sum + adapter.mappings.length, 0)} mappings\n`);
  return Promise.resolve(exitCode.ok);
}

/** `run --once`: adapts what is finished now and ends; 75 when a report was refused. */
async function runOnce({ config, log, argv, print }: CommandContext<Config>): Promise<number> {
  if (argv.length !== 1 || argv[0] !== "--once") {
    print("usage: format-adapter run --once [--config FILE]\n");
    return exitCode.usage;
  }
  const metrics = registerAdapterMetrics(new MetricRegistry());
  const ledger = await Ledger.open(config.stateDirectory, namesOf(config), log);
  const { signal } = new AbortController();
  let refused = 0;
  for (const adapter of config.adapters) refused += await adaptOnce({ adapter, ledger, stateDirectory: config.stateDirectory, quarantine: config.quarantine, metrics, log, clock: systemClock, random: Math.random, signal });
  await ledger.close();
  return refused === 0 ? exitCode.ok : exitCode.retry;
}
