import type { Container, LifecycleHandler } from "../../api/types/pod.ts";
import { httpCall, httpGet } from "../probes/handlers.ts";
import type { PodScope } from "./scope.ts";

/** A hook has no timeout of its own in Kubernetes; this is only so that nothing waits for ever. */
const hookTimeoutMs = 3_600_000;
const httpTimeoutMs = 60_000;
const outputBytesMax = 4096;

/** Runs a lifecycle hook; the answer is what went wrong, undefined when nothing did. Ends early, without a verdict of its own, when the signal aborts. */
export async function runHook(scope: PodScope, container: Container, containerId: string, hook: LifecycleHandler, signal: AbortSignal): Promise<string | undefined> {
  const aborted = new Promise<string>((resolve) => signal.addEventListener("abort", () => resolve("the hook did not end in time"), { once: true }));
  if (signal.aborted) return "the hook was not started in time";
  return await Promise.race([perform(scope, container, containerId, hook, signal), aborted]);
}

async function perform(scope: PodScope, container: Container, containerId: string, hook: LifecycleHandler, signal: AbortSignal): Promise<string | undefined> {
  const { agent } = scope;
  try {
    if (hook.sleep !== undefined) {
      await agent.clock.sleep(hook.sleep.seconds * 1000, signal);
      return undefined;
    }
    if (hook.httpGet !== undefined) {
      const call = httpCall(hook.httpGet, { container, podIp: scope.podIp ?? "127.0.0.1" }, httpTimeoutMs);
      const answer = await httpGet(call);
      return "problem" in answer ? `Get "${call.url.href}": ${answer.problem}` : undefined;
    }
    const command = hook.exec?.command ?? [];
    const result = await agent.runtime.execSync(containerId, { command, timeoutMs: hookTimeoutMs, outputBytesMax });
    if (result.kind === "timeout") return `command '${command.join(" ")}' timed out`;
    return result.exitCode === 0 ? undefined : `command '${command.join(" ")}' exited with ${result.exitCode}: ${result.stderr}${result.stdout}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
