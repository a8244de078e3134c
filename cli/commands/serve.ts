import { rm } from "node:fs/promises";
import process from "node:process";
import { createLog, type Log } from "../../kit/log.ts";
import { MetricRegistry } from "../../kit/metrics.ts";
import { startControlPlane } from "../../orchestrator/control-plane.ts";
import type { Runtime } from "../../orchestrator/runtime/runtime.ts";
import { folderOf } from "../cluster/connect.ts";
import { connectEngine, engineFailure } from "../cluster/engine.ts";
import { type ClusterFolder, makeFolder, requireRoom } from "../cluster/folder.ts";
import { controlPlaneImages } from "../cluster/images.ts";
import { acquireLock } from "../cluster/lock.ts";
import { boundedStandardError, readableLine } from "../cluster/log-file.ts";
import { missingImages, refuseLacks } from "../cluster/preflight.ts";
import type { Command, CommandContext } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure, messageOf, usageFailure } from "../failure.ts";

/** Runs a control plane until SIGINT or SIGTERM. Pods are not ended with it. */
export const serve: Command = async (context) => {
  const folder = folderOf(context);
  const tcp = parseListen(context.arguments.text("listen"));
  const stopping = onStopSignals();
  await requireRoom(folder);
  const runtime = await connectEngine(context); // before anything is made, so that nothing is left when it does not answer
  try {
    await serveLocked(context, folder, { tcp, signal: stopping, runtime });
  } catch (error) {
    throw engineFailure(error);
  } finally {
    await runtime.close();
  }
  return cliExit.ok;
};

type ServeOptions = { readonly tcp: { readonly host: string; readonly port: number } | undefined; readonly signal: AbortSignal; readonly runtime: Runtime };

async function serveLocked(context: CommandContext, folder: ClusterFolder, options: ServeOptions): Promise<void> {
  await makeFolder(folder);
  const lock = await acquireLock(folder.lockPath, { startedBy: context.arguments.on("background") ? "up" : "serve", version: context.installation.version, nowMs: context.clock.nowMs() });
  if (lock.kind === "held") {
    throw new CliFailure(cliExit.retry, `A control plane of cluster "${folder.name}" runs already (process ${lock.holder.pid}, since ${lock.holder.since})`, { remedy: "end it with `podkit stop`, or choose another --cluster NAME" });
  }
  try {
    await run(context, folder, options);
  } finally {
    await lock.release();
  }
}

async function run(context: CommandContext, folder: ClusterFolder, options: ServeOptions): Promise<void> {
  const { runtime } = options;
  const log = chooseLog(context, folder);
  try {
    const images = await controlPlaneImages(context.installation);
    refuseLacks(await missingImages(runtime, images));
    await rm(folder.socketPath, { force: true }); // left by a crash; the lock says that nobody listens on it
    const controlPlane = await startControlPlane({
      clusterName: folder.name, stateDirectory: folder.path, storeKind: context.arguments.text("store") === "memory" ? "memory" : "sqlite", runtime, images,
      listen: { socketPath: folder.socketPath, ...(options.tcp === undefined ? {} : { tcp: options.tcp }) },
      log, metrics: new MetricRegistry(), clock: context.clock, random: Math.random, signal: options.signal,
    });
    log.info({ cluster: folder.name, socket: folder.socketPath, version: context.installation.version }, "Control plane is ready");
    await Promise.race([controlPlane.done, aborted(options.signal)]);
    log.info("Control plane is ending; Pods keep running");
    await controlPlane.stop();
  } catch (error) {
    log.error({ err: error }, `Control plane failed: ${messageOf(error)}`);
    throw error;
  }
}

/** For people on a terminal, JSON otherwise; in the background a file of bounded size. */
function chooseLog(context: CommandContext, folder: ClusterFolder): Log {
  const level = context.arguments.text("log-level") ?? "info";
  if (context.arguments.on("background")) return createLog({ role: "serve", level, stream: boundedStandardError(folder.logPath) });
  if (context.stderr.isTTY) return createLog({ role: "serve", level, stream: { write: (text) => void context.stderr.write(`${readableLine(text.trimEnd())}\n`) } });
  return createLog({ role: "serve", level });
}

function onStopSignals(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(cliExit.retry); // asked twice: at once
      stopping.abort(new Error(`got ${signal}`));
    });
  }
  process.on("SIGHUP", () => undefined); // the terminal of whoever ran `podkit up` may close
  return stopping.signal;
}

const aborted = async (signal: AbortSignal): Promise<void> => {
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
};

function parseListen(text: string | undefined): { readonly host: string; readonly port: number } | undefined {
  if (text === undefined) return undefined;
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65_535) throw usageFailure(`Cannot listen on "${text}": must be HOST:PORT, such as 127.0.0.1:6443`);
  return { host, port };
}
