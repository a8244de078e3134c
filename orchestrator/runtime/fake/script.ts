// pure
/** What a test writes down about the containers, images and faults of the fake engine. */

/** How one container behaves; absent fields mean an obedient process that runs for ever and ends with 143 on SIGTERM at once. */
export type FakeBehaviour = {
  /** Ends by itself this long after its start. */
  readonly exitAfterMs?: number;
  /** Exit code of an end by itself; 0 when absent. */
  readonly exitCode?: number;
  /** An end by itself is the kernel's OOM kill: exit code 137 and oomKilled. */
  readonly oomKilled?: boolean;
  /** SIGTERM has no effect, so only SIGKILL (137) ends it. */
  readonly ignoresSigterm?: boolean;
  /** Time from SIGTERM to the exit. */
  readonly sigtermDelayMs?: number;
  /** Exit code after SIGTERM; 143 when absent. */
  readonly sigtermExitCode?: number;
  /** The engine's words with which every start fails (StartFailed). */
  readonly startError?: string;
  /** Log lines, written this long after the start. */
  readonly output?: readonly { readonly stream: "stdout" | "stderr"; readonly text: string; readonly afterMs?: number }[];
  readonly exec?: (command: readonly string[]) => FakeExecAnswer;
};

/** `afterMs: "never"` hangs until the container ends. */
export type FakeExecAnswer = { readonly exitCode: number; readonly stdout?: string; readonly stderr?: string; readonly afterMs?: number | "never" };

/** The verbs of the Runtime interface that a fault can hit and the journal records. */
export type FakeVerb =
  | "version" | "imageStatus" | "pullImage" | "ensureNetwork" | "removeNetwork" | "ensureVolume" | "removeVolume" | "listVolumes" | "listNetworks"
  | "createSandbox" | "startSandbox" | "createContainer" | "startContainer" | "stop" | "kill" | "remove"
  | "sandboxStatus" | "containerStatus" | "list" | "exec" | "execSync" | "logs" | "events" | "stats";

export type FakeFault = {
  readonly verb: FakeVerb | "any";
  /** Matches the object's or image's name as the journal shows it; every name when absent. */
  readonly target?: string | RegExp;
  /** Hits from this matching call on, counted from 1; 1 when absent. */
  readonly nth?: number;
  /** How many matching calls it hits; 1 when absent. */
  readonly times?: number;
  /** "before": nothing has happened. "after": the effect took place and only the answer is lost. "before" when absent. */
  readonly when?: "before" | "after";
  /** The call is this much slower. */
  readonly delayMs?: number;
  /** Thrown. A fault without an error only delays. */
  readonly error?: Error;
  /** Runs when the fault hits, before its error is thrown: to kill a sandbox at exactly this step, say. */
  readonly act?: () => void;
};

export type JournalEntry = {
  readonly verb: FakeVerb;
  /** Name of the sandbox, container, network, volume or image; the id when no such object exists; empty for calls about none. */
  readonly target: string;
  readonly startedAtMs: number;
  /** Position in one count over all starts and ends of calls: a.endOrder < b.startOrder means that a was over before b began. */
  readonly startOrder: number;
  readonly endOrder: number | undefined;
  /** "running" until the call is over, then "ok" or the error's message. */
  readonly outcome: string;
  /** For exec and execSync the command, for stop the grace in seconds, for kill the signal. */
  readonly detail: string;
};
