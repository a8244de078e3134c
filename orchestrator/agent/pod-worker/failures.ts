import { backoffDelayMs, type Backoff } from "../../../kit/backoff.ts";
import { RuntimeError } from "../../runtime/runtime.ts";
import { ConfigError } from "../env/field-ref.ts";
import { ImageProblem } from "../image-puller.ts";
import type { Problem } from "../pod-lifecycle/observed.ts";

const retry: Backoff = { initialMs: 500, maxMs: 10_000, factor: 2, jitter: 0 };

/** When to try an operation again after it failed `count` times in a row. */
export function retryDelayMs(count: number): number {
  return backoffDelayMs(retry, count, () => 0);
}

/** The engine's words with the remedy, where one is known. */
export function errorWords(error: unknown): string {
  if (error instanceof RuntimeError && error.remedy !== undefined) return `${error.message}. ${error.remedy}`;
  return error instanceof Error ? error.message : String(error);
}

/** The sandbox or container is not what it was when the step was decided; a new look at the runtime tells what to do. */
export function isStale(error: unknown): boolean {
  return error instanceof RuntimeError && (error.code === "InvalidState" || error.code === "NotFound");
}

/** A failed create or start of a container as its waiting reason. */
export function containerProblem(step: "createContainer" | "startContainer", error: unknown, count: number, nowMs: number): Problem {
  if (error instanceof ImageProblem) return { reason: error.reason, message: error.message, retryAtMs: error.retryAtMs };
  const retryAtMs = nowMs + retryDelayMs(count);
  if (error instanceof ConfigError) return { reason: "CreateContainerConfigError", message: error.message, retryAtMs };
  return { reason: step === "createContainer" ? "CreateContainerError" : "RunContainerError", message: errorWords(error), retryAtMs };
}
