import { listenForSignals } from "./early-signals.ts";
import { startAdminServer, type Admin, type AdminServer } from "./admin-server.ts";
import { systemClock, type Clock, type Random } from "./clock.ts";
import { formatProblem } from "./config/problem.ts";
import { describeSettings, listConfigFiles, readConfig } from "./config/read.ts";
import type { AnyField, ConfigOf } from "./config/schema.ts";
import { exitCode } from "./exit-code.ts";
import { createLog, type Log } from "./log.ts";
import { MetricRegistry } from "./metrics.ts";
import { registerProcessMetrics } from "./process-metrics.ts";
import type { CommonConfig } from "./process-spec.ts";
import { followConfig } from "./reload.ts";
import { createShutdown } from "./shutdown.ts";
import { version } from "./version.ts";

export type RoleContext<C> = {
  readonly config: C;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly admin: Admin;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted at SIGTERM, SIGINT or a quit request: take nothing new in. */
  readonly stopAccepting: AbortSignal;
  /** Aborted 2 s before the grace ends, or at a second signal: keep what can be kept and end. */
  readonly giveUp: AbortSignal;
  readonly graceMs: number;
  readonly version: string;
  /** Asks for changed configurations. A throw refuses the change: the old one stays in force and readiness tells why. */
  readonly reload: (onConfig: (config: C) => Promise<void> | void) => void;
};

export type CommandContext<C> = { readonly config: C; readonly log: Log; readonly argv: readonly string[]; readonly print: (text: string) => void };

export type Role<F extends AnyField> = {
  readonly role: string;
  readonly spec: F;
  /** Resolves when all work is over after `stopAccepting`; its number is the exit code (0 when none). */
  readonly run: (context: RoleContext<ConfigOf<F>>) => Promise<number | void>;
  /** One-off commands of the same image, chosen by the first argument. */
  readonly commands?: Readonly<Record<string, (context: CommandContext<ConfigOf<F>>) => Promise<number>>>;
};

const configPathDefault = "/etc/podkit";
/** After `giveUp` a role has this long before the process ends without it. */
const overtimeMs = 1_500;

/**
 * The main story of every sidecar: settings, log, admin server, work, shutdown, exit code. Nothing is bound or written before the whole
 * configuration is known to be right. Never returns control for good: the process exits when `run` is over.
 */
export function runRole<F extends AnyField & { parse(...input: never): CommonConfig | undefined }>(role: Role<F>): void {
  process.on("uncaughtException", (error) => fail(role.role, error));
  process.on("unhandledRejection", (error) => fail(role.role, error));
  tellStory(role).then(
    (code) => process.exit(code),
    (error: unknown) => fail(role.role, error),
  );
}

async function tellStory<F extends AnyField & { parse(...input: never): CommonConfig | undefined }>(role: Role<F>): Promise<number> {
  const { commandName, argv, configPath, wants } = splitArguments(process.argv.slice(2), process.env["PODKIT_CONFIG"]);
  if (wants === "version") return say(`${role.role} ${version}`, exitCode.ok);
  if (wants === "help") return say(helpText(role), exitCode.ok);
  const command = commandName === undefined ? undefined : role.commands?.[commandName];
  if (commandName !== undefined && command === undefined) return complain(`${role.role}: "${commandName}" is not a command; there are ${Object.keys(role.commands ?? {}).join(", ") || "none"}. See --help`, exitCode.usage);

  const noFile = listConfigFiles(configPath).length === 0 ? `\n${role.role}: no file was read: ${configPath} does not exist or holds no *.yaml; name a configuration by --config FILE` : "";
  const read = () => readConfig(role.spec, { files: listConfigFiles(configPath), env: process.env, argv: command === undefined ? argv : [] });
  const outcome = read();
  if (outcome.kind === "problems") return complain(outcome.problems.map((problem) => `${role.role}: ${formatProblem(problem)}`).join("\n") + noFile, exitCode.config);
  const config = outcome.config;
  // Sound because of runRole's bound on F; TypeScript does not carry it through ConfigOf.
  const common = config as ConfigOf<F> & CommonConfig;
  const pod = process.env["POD_NAME"] ?? process.env["HOSTNAME"];
  const log = createLog({ role: role.role, level: common.log.level, ...(pod === undefined ? {} : { pod }) });
  if (command !== undefined) return await command({ config, log, argv, print: (text) => process.stdout.write(text) });

  const shutdown = createShutdown({ graceMs: common.shutdown.graceMs, clock: systemClock });
  const metrics = new MetricRegistry();
  registerProcessMetrics(metrics, role.role);
  let redacted = outcome.redacted;
  const onQuit = common.admin.quit ? { onQuit: () => shutdown.request("asked to quit") } : {};
  const admin = await startAdminServer({ ...common.admin.address, log, metrics, redactedConfig: () => redacted, ...onQuit }).catch((error: unknown) => listenFailure(error, common));
  if (typeof admin === "string") return complain(`${role.role}: ${admin}`, exitCode.config);
  listenForSignals((signal) => {
    log.info({ signal }, "Asked to end");
    shutdown.request(signal);
  });
  toggleDebugOnSignal(log);
  log.info({ version, configHash: outcome.hash, admin: `${admin.address.host}:${admin.address.port}` }, "Started");
  shutdown.stopAccepting.addEventListener("abort", () => admin.drain("shutting down"), { once: true });

  const context: RoleContext<ConfigOf<F>> = {
    config, log, metrics, admin, clock: systemClock, random: Math.random, stopAccepting: shutdown.stopAccepting, giveUp: shutdown.giveUp, graceMs: common.shutdown.graceMs, version,
    reload(onConfig) {
      const apply = async (next: ConfigOf<F>, nextRedacted: unknown): Promise<void> => {
        await onConfig(next);
        redacted = nextRedacted;
      };
      const follower = followConfig({ path: configPath, read, initialHash: outcome.hash, onConfig: apply, log, metrics, clock: systemClock, signal: shutdown.stopAccepting });
      admin.addReadinessCheck("config", follower.problem);
    },
  };
  return await finish(role, context, admin);
}

async function finish<F extends AnyField>(role: Role<F>, context: RoleContext<ConfigOf<F>>, admin: AdminServer): Promise<number> {
  const overtime = new Promise<number>((resolve) => {
    context.giveUp.addEventListener("abort", () => void context.clock.sleep(overtimeMs).then(() => resolve(exitCode.retry)), { once: true });
  });
  const code = (await Promise.race([role.run(context), overtime])) ?? exitCode.ok;
  await admin.close();
  context.log.info({ exitCode: code }, "Ended");
  return code;
}

type SplitArguments = { readonly commandName: string | undefined; readonly argv: readonly string[]; readonly configPath: string; readonly wants: "help" | "version" | "run" };

function splitArguments(argv: readonly string[], configFromEnv: string | undefined): SplitArguments {
  const rest = [...argv];
  const commandName = rest[0] !== undefined && !rest[0].startsWith("-") ? rest.shift() : undefined;
  let configPath = configFromEnv ?? configPathDefault;
  const index = rest.findIndex((argument) => argument === "--config" || argument.startsWith("--config="));
  if (index >= 0) {
    const joined = (rest[index] ?? "").split("=").slice(1).join("=");
    configPath = joined === "" ? (rest[index + 1] ?? configPath) : joined;
    rest.splice(index, joined === "" ? 2 : 1);
  }
  const wants = rest.includes("--help") || rest.includes("-h") ? "help" : rest.includes("--version") ? "version" : "run";
  return { commandName, argv: rest, configPath, wants };
}

function helpText<F extends AnyField>(role: Role<F>): string {
  const commands = Object.keys(role.commands ?? {});
  const settings = describeSettings(role.spec).map(({ path, variable, flag, doc, defaultValue }) => `  ${path}\n      ${doc}${defaultValue === undefined ? "" : ` (default ${JSON.stringify(defaultValue)})`}\n      ${variable}  ${flag}`);
  return [
    `podkit ${role.role} ${version}`,
    ...(commands.length === 0 ? [] : ["", `Commands: ${commands.join(", ")}`]),
    "",
    `Settings come from defaults, then ${configPathDefault}/*.yaml (or --config FILE, PODKIT_CONFIG), then the environment, then flags:`,
    ...settings,
  ].join("\n");
}

function listenFailure(error: unknown, common: CommonConfig): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const where = `${common.admin.address.host}:${common.admin.address.port}`;
  if (code === "EADDRINUSE") return `the admin address ${where} is in use by another process of this Pod; give this container another one by PODKIT_ADMIN_ADDR`;
  return `cannot listen on the admin address ${where}: ${error instanceof Error ? error.message : String(error)}; set PODKIT_ADMIN_ADDR`;
}

function toggleDebugOnSignal(log: Log): void {
  const usual = log.level;
  process.on("SIGUSR2", () => {
    log.level = log.level === "debug" ? usual : "debug";
    log.warn({ level: log.level }, "Log level changed by SIGUSR2");
  });
}

function say(text: string, code: number): number {
  process.stdout.write(`${text}\n`);
  return code;
}

function complain(text: string, code: number): number {
  process.stderr.write(`${text}\n`);
  return code;
}

/** A defect of ours: one line of JSON as any other diagnostics, and the exit code that says so. */
function fail(role: string, error: unknown): never {
  createLog({ role, level: "fatal" }).fatal({ err: error }, "Ended by a defect");
  process.exit(exitCode.bug);
}
