import { request, type IncomingMessage, type ServerResponse } from "node:http";
import { systemClock } from "../../../kit/clock.ts";
import { exitCode } from "../../../kit/exit-code.ts";
import { MetricRegistry } from "../../../kit/metrics.ts";
import type { CommandContext } from "../../../kit/process.ts";
import type { AdapterConfig } from "../adapter-config.ts";
import { adaptOnce } from "../watch/adapter-loop.ts";
import { codeOf, describeFault, FolderFault } from "../watch/faults.ts";
import { registerAdapterMetrics } from "../adapter-metrics.ts";
import type { Config } from "../config.ts";
import type { AdapterOptions } from "../record.ts";
import { CommandFault, given, guarded, tellError } from "./command-line.ts";
import { shownName } from "./terminal.ts";
import { replay, type Replayed } from "./replay.ts";
import { openState, tidyOutputs, watchedFolders, type State } from "../state/state.ts";

export const runUsage = `usage: format-adapter run --once [--config FILE]
Adapts the reports that are finished now, and ends.
Exit code 0: done; 75: a report was refused, a folder could not be read or
written, or another adapter is at work.
`;
export const replayUsage = `usage: format-adapter replay [NAME...] [--config FILE]
Takes refused reports up again, by the running adapter when there is one. NAME
is that of a file in quarantine, without .reason.json; without one, all.
Exit code 0: all were adapted; 75: one was refused again, or left.
`;

/** `run --once`: adapts what is finished now and ends; 75 when a report was refused, or another adapter is at work. */
export async function runOnce(context: CommandContext<Config>): Promise<number> {
  const { config, log, argv, print } = context;
  const args = given(argv, print, runUsage, { once: { type: "boolean" } });
  if (typeof args === "number") return args;
  if (args.values["once"] !== true) {
    tellError(`run takes --once; to adapt what comes, start without a command\n${runUsage}`);
    return exitCode.usage;
  }
  const state = await openState(config, log);
  if (state === "taken") {
    tellError(`an adapter is at work with ${config.stateDirectory}; it adapts what comes by itself\n`);
    return exitCode.retry;
  }
  const { ledger } = state;
  let left = 0;
  // Without a ledger nobody would know tomorrow what was adapted today; what may pass by itself need not keep reports from their consumers.
  if (ledger.problem === undefined || ledger.isProblemTemporary) {
    await tidyOutputs(config, state.owner, systemClock.nowMs());
    for (const options of optionsOf(context, state)) left += await withFaultsTold(options.adapter, async () => await adaptOnce(options));
  }
  await state.close();
  if (ledger.problem === undefined) return left === 0 ? exitCode.ok : exitCode.retry;
  tellError(`${ledger.problem}\n`);
  return ledger.isProblemTemporary ? exitCode.retry : exitCode.config;
}

/** One for what the system or a folder is in the way of, which is told with its remedy; the other adapters go on. */
async function withFaultsTold(adapter: AdapterConfig, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (codeOf(error) === "" && !(error instanceof FolderFault)) throw error;
    tellError(`${adapter.name}: ${describeFault(adapter, error)}\n`);
    return 1;
  }
}

/** `replay [NAME...]`: takes reports in quarantine up again, by the running adapter if there is one; 75 when one was refused or left. */
export async function replayQuarantined(context: CommandContext<Config>): Promise<number> {
  return await guarded(async () => {
    const { config, log, argv, print } = context;
    const args = given(argv, print, replayUsage, {});
    if (typeof args === "number") return args;
    const state = await openState(config, log);
    const results = state === "taken" ? await askRunning(config, args.positionals) : await replayAlone(context, state, args.positionals);
    for (const { name, outcome, detail } of results) print(`${shownName(name)}: ${outcome}: ${shownName(detail)}\n`);
    print(`${results.length} in quarantine taken up, ${results.filter(({ outcome }) => outcome === "adapted").length} adapted\n`);
    return results.every(({ outcome }) => outcome === "adapted") ? exitCode.ok : exitCode.retry;
  });
}

async function replayAlone(context: CommandContext<Config>, state: State, names: readonly string[]): Promise<readonly Replayed[]> {
  const { problem, isProblemTemporary } = state.ledger;
  try {
    if (problem !== undefined && !isProblemTemporary) throw new CommandFault(problem, exitCode.config);
    return await replay(optionsOf(context, state), names);
  } catch (error) {
    throw codeOf(error) === "" ? error : new CommandFault(`cannot take reports up again: ${messageOf(error)}`, exitCode.retry);
  } finally {
    await state.close();
  }
}

function optionsOf({ config, log }: CommandContext<Config>, { ledger, owner, directories }: State): readonly AdapterOptions[] {
  const metrics = registerAdapterMetrics(new MetricRegistry());
  const { signal } = new AbortController();
  const shared = { ledger, owner, directories, watchedFolders: watchedFolders(config), stateDirectory: config.stateDirectory, quarantine: config.quarantine, metrics, log, clock: systemClock, random: Math.random, signal };
  return config.adapters.map((adapter) => ({ adapter, ...shared }));
}

export const replayPath = "/replay";
const askTimeoutMs = 60_000;

/** The running adapter has the ledger; it is asked on its admin port. */
function askRunning(config: Config, names: readonly string[]): Promise<readonly Replayed[]> {
  const { port } = config.admin.address;
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new CommandFault(`cannot ask the running adapter on port ${port} to replay: ${why}; give its admin.address (PODKIT_ADMIN_ADDR), or end it first`, exitCode.retry));
    const call = request({ host: "127.0.0.1", port, path: replayPath, method: "POST", agent: false, timeout: askTimeoutMs, headers: { "content-type": "application/json" } }, (response) => {
      let text = "";
      response.on("data", (part: Buffer) => (text += part.toString()));
      response.on("end", () => {
        if (response.statusCode === 200) resolve(JSON.parse(text) as readonly Replayed[]);
        else fail(`${response.statusCode}: ${text.trim()}`);
      });
    });
    call.on("timeout", () => call.destroy(new Error("no answer in time")));
    call.on("error", (error) => fail(error.message));
    call.end(JSON.stringify(names));
  });
}

const namesBytesMax = 1_048_576;

/** Answers `replay` for the running adapter. */
export async function answerReplay(asked: IncomingMessage, response: ServerResponse, adapters: readonly AdapterOptions[]): Promise<void> {
  let text = "";
  for await (const part of asked) {
    text += String(part);
    if (text.length > namesBytesMax) return void response.writeHead(413).end("too many names\n");
  }
  const names = parseNames(text);
  if (names === undefined) return void response.writeHead(400).end("expected a JSON list of names\n");
  try {
    const results = await replay(adapters, names);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(results));
  } catch (error) {
    response.writeHead(503).end(`${messageOf(error)}\n`);
  }
}

function parseNames(text: string): readonly string[] | undefined {
  try {
    const names: unknown = JSON.parse(text);
    return Array.isArray(names) && names.every((name) => typeof name === "string") ? names : undefined;
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
