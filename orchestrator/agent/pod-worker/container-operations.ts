import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize } from "node:path";
import type { Container } from "../../api/types/pod.ts";
import { RuntimeError, type Mount } from "../../runtime/runtime.ts";
import { containerSpec } from "../container-build.ts";
import { buildEnvironment } from "../env/environment.ts";
import { ConfigError } from "../env/field-ref.ts";
import type { Action } from "../pod-lifecycle/actions.ts";
import { containerResources } from "../resources.ts";
import { securitySpec } from "../security.ts";
import { volumeMounts } from "../volumes/mount-volumes.ts";
import { runHook } from "./hooks.ts";
import { loadReferences } from "./references.ts";
import { cgroupParent, containerOf, fieldContext, type PodScope } from "./scope.ts";

type Of<K extends Action["kind"]> = Extract<Action, { kind: K }>;

const defaultTerminationPath = "/dev/termination-log";
/** What the kubelet still gives a container whose preStop hook has used up its grace. */
const graceSecondsMin = 2;

/** Throws ImageProblem, ConfigError or RuntimeError; the worker shows them as the container's waiting reason. */
export async function createContainer(scope: PodScope, action: Of<"createContainer">, signal: AbortSignal): Promise<void> {
  const { agent, pod } = scope;
  const container = containerOf(pod, action.container);
  const image = await unlessAborted(agent.images.ensure(container, (type, reason, message) => scope.event(type, reason, message, container.name)), signal);
  signal.throwIfAborted();
  const { variables, skipped } = buildEnvironment(pod, container, await loadReferences(agent.client, pod), fieldContext(scope));
  for (const sentence of skipped) scope.event("Warning", "InvalidEnvironmentVariableNames", sentence, container.name);
  const profile = await localhostProfile(scope, container);
  const spec = containerSpec({
    cluster: agent.cluster, pod, container, attempt: action.attempt, sandboxId: action.sandboxId, sandboxAttempt: action.sandboxAttempt, image, variables,
    security: securitySpec(pod, container, image, () => profile),
    mounts: [...(await volumeMounts(container, scope.volumes, variables)), ...(await managedMounts(scope, container, action.attempt))],
    resources: containerResources(pod, container, agent.node),
    cgroupParent: cgroupParent(agent, pod.metadata.uid ?? ""),
  });
  signal.throwIfAborted();
  await agent.limiter.run(async () => await agent.runtime.createContainer(spec));
  scope.event("Normal", "Created", `Created container: ${container.name}`, container.name);
}

/** hosts, hostname, resolv.conf and the termination log, where the container mounts nothing of its own. */
async function managedMounts(scope: PodScope, container: Container, attempt: number): Promise<readonly Mount[]> {
  const { paths } = scope;
  const log = paths.terminationLog(container.name, attempt);
  await mkdir(dirname(log), { recursive: true, mode: 0o755 });
  await writeFile(log, "", { mode: 0o666, flag: "a" });
  const own = new Set((container.volumeMounts ?? []).map((mount) => normalize(mount.mountPath)));
  const managed = [
    { source: paths.hosts, target: "/etc/hosts" }, { source: paths.hostname, target: "/etc/hostname" }, { source: paths.resolvConf, target: "/etc/resolv.conf" },
    { source: log, target: container.terminationMessagePath ?? defaultTerminationPath },
  ];
  return managed.filter(({ target }) => !own.has(target)).map(({ source, target }) => ({ kind: "bind", source, target, readOnly: false }));
}

/** Profiles lie in <state directory>/seccomp, as under the kubelet's root. */
async function localhostProfile(scope: PodScope, container: Container): Promise<string> {
  const profile = container.securityContext?.seccompProfile ?? scope.pod.spec.securityContext?.seccompProfile;
  if (profile?.type !== "Localhost") return "";
  const name = profile.localhostProfile ?? "";
  const folder = join(scope.agent.stateDirectory, "seccomp");
  if (isAbsolute(name) || normalize(name).startsWith("..")) throw new ConfigError(`seccomp profile "${name}" must be a path inside ${folder}`);
  try {
    return await readFile(join(folder, name), "utf8");
  } catch (error) {
    throw new ConfigError(`cannot read seccomp profile ${join(folder, name)}: ${error instanceof Error ? error.message : String(error)}: put the profile there, or name another in seccompProfile.localhostProfile`);
  }
}

/** A command that cannot be executed is remembered as the end of this attempt. */
export async function startContainer(scope: PodScope, action: Of<"startContainer">): Promise<void> {
  const { agent } = scope;
  try {
    await agent.limiter.run(async () => await agent.runtime.startContainer(action.id));
  } catch (error) {
    if (!(error instanceof RuntimeError) || error.code !== "StartFailed") throw error;
    scope.event("Warning", "Failed", `Error: ${error.message}`, action.container);
    await scope.noteFact(action.container, action.id, { startFailure: { message: error.message, atMs: agent.clock.nowMs() } });
    return;
  }
  scope.event("Normal", "Started", `Started container ${action.container}`, action.container);
}

/** Runs the hook and remembers how it went; a container that ends meanwhile is a failed hook of an attempt that is over. */
export async function runPostStart(scope: PodScope, action: Of<"postStart">, signal: AbortSignal): Promise<void> {
  const container = containerOf(scope.pod, action.container);
  const hook = container.lifecycle?.postStart;
  const problem = hook === undefined ? undefined : await runHook(scope, container, action.id, hook, signal);
  signal.throwIfAborted();
  if (problem !== undefined) scope.event("Warning", "FailedPostStartHook", `PostStartHook failed: ${problem}`, container.name);
  await scope.noteFact(container.name, action.id, { postStart: problem === undefined ? "done" : "failed" });
}

/** preStop, then the stop signal, then, when the grace is over, SIGKILL. The hook's time counts against the grace. */
export async function stopContainer(scope: PodScope, action: Of<"stopContainer">, signal: AbortSignal): Promise<void> {
  const { agent } = scope;
  scope.event("Normal", "Killing", action.message, action.container);
  const startedMs = agent.clock.monotonicMs();
  if (action.preStop) await runPreStop(scope, action, signal);
  const usedSeconds = Math.round((agent.clock.monotonicMs() - startedMs) / 1000);
  const left = action.graceSeconds - usedSeconds;
  const graceSeconds = action.preStop && left < graceSecondsMin ? graceSecondsMin : left;
  await agent.runtime.stop(action.id, { graceSeconds, signal });
}

async function runPreStop(scope: PodScope, action: Of<"stopContainer">, signal: AbortSignal): Promise<void> {
  const container = containerOf(scope.pod, action.container);
  const hook = container.lifecycle?.preStop;
  if (hook === undefined) return;
  const limit = new AbortController();
  const timer = new AbortController();
  scope.agent.clock.sleep(action.graceSeconds * 1000, timer.signal).then(() => limit.abort(), () => undefined); // the hook was faster
  try {
    const problem = await runHook(scope, container, action.id, hook, AbortSignal.any([signal, limit.signal]));
    if (problem !== undefined && !signal.aborted) scope.event("Warning", "FailedPreStopHook", `PreStopHook failed: ${problem}`, container.name);
  } finally {
    timer.abort();
  }
  if (!signal.aborted) await scope.noteFact(container.name, action.id, { preStop: "done" });
}

/** Rejects with the signal's reason when it aborts first; the work goes on for others who may wait for it. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
