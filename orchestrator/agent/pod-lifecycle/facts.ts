// pure
import type { Exited } from "./observed.ts";

/**
 * What the agent must still know after SIGKILL and what no runtime can tell. Kept as one small JSON file per Pod, written before the action
 * that depends on it. Losing the file is survivable: attempts are then counted from the runtime's labels, and hooks of running
 * containers are run again.
 */
export type PodFacts = {
  readonly version: 1;
  readonly sandbox?: Attempted;
  readonly containers: Readonly<Record<string, ContainerFacts>>;
  /** The Pod as a whole is being stopped. */
  readonly stop?: PodStop;
};

export type Attempted = {
  /** The newest attempt that was decided. */
  readonly attempt: number;
  /** It was seen in the runtime. While false, the create is repeated with the same number: a crash before it left nothing behind. */
  readonly seen: boolean;
};

/** All but `backoff` and `ended` speak of the newest attempt and begin afresh with the next. */
export type ContainerFacts = Attempted & {
  readonly postStart?: "done" | "failed";
  readonly preStop?: "done";
  /** The startup probe has passed. */
  readonly startupPassed?: boolean;
  readonly startFailure?: { readonly message: string; readonly atMs: number };
  /** The agent has decided to stop this attempt, for the reason that the Killing event tells. */
  readonly killing?: { readonly message: string; readonly graceSeconds: number };
  readonly backoff?: CrashBackoff;
  /** The newest end that was seen, so that it is remembered when the container object is gone. */
  readonly ended?: Ended;
};

export type Ended = Exited & { readonly attempt: number; readonly sandboxAttempt: number; readonly containerId: string; readonly imageId: string };

export type CrashBackoff = { readonly delayMs: number; readonly lastUpdateMs: number };

export type PodStop = { readonly cause: StopCause; readonly message: string; readonly deadlineMs: number; readonly graceSeconds: number };
/** `completed`: nothing of the Pod will ever run again. */
export type StopCause = "deleted" | "deadline" | "evicted" | "completed";

export const noFacts: PodFacts = { version: 1, containers: {} };
