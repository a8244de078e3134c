import process from "node:process";
import type { CommandContext } from "../command.ts";

/** Why a wait was cut short. */
export class Interrupted extends Error {
  readonly signalName: "SIGINT" | "SIGTERM";
  constructor(signalName: "SIGINT" | "SIGTERM") {
    super(`interrupted by ${signalName}`);
    this.name = "Interrupted";
    this.signalName = signalName;
  }
}

export type Decision = "leave" | "stop" | "continue";

/**
 * Turns SIGINT and SIGTERM into an aborted signal that can be armed again. While `decide` asks, a second Ctrl-C means stop; while
 * what was started is being removed, one more leaves the rest as it is and ends the process.
 */
export class Interruption {
  readonly #context: CommandContext;
  #controller = new AbortController();
  #onInterrupt: ((name: "SIGINT" | "SIGTERM") => void) | undefined;

  constructor(context: CommandContext) {
    this.#context = context;
    for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => (this.#onInterrupt === undefined ? this.#controller.abort(new Interrupted(name)) : this.#onInterrupt(name)));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on interruptions do this instead of aborting the signal. */
  divert(handle: (name: "SIGINT" | "SIGTERM") => void): void {
    this.#onInterrupt = handle;
  }

  rearm(): void {
    this.#onInterrupt = undefined;
    this.#controller = new AbortController();
  }

  /** Asks on a terminal. Without one there is nobody to ask: leave. */
  async decide(interrupted: Interrupted, options: { readonly mayContinue: boolean }): Promise<Decision> {
    const { stdin, stderr } = this.#context;
    if (interrupted.signalName === "SIGTERM" || !stdin.isTTY || !stderr.isTTY) return "leave";
    stderr.write(`\n${this.#context.stderrPalette.bold("Interrupted.")} [l]eave it running, [s]top and remove what was started${options.mayContinue ? ", [c]ontinue waiting" : ""} (Ctrl-C again stops): `);
    const decision = await this.#readKey(options.mayContinue);
    stderr.write(`${decision}\n`);
    return decision;
  }

  async #readKey(mayContinue: boolean): Promise<Decision> {
    const { stdin } = this.#context;
    stdin.setRawMode(true);
    stdin.resume();
    try {
      return await new Promise<Decision>((resolve) => {
        this.divert(() => resolve("stop"));
        const onKey = (bytes: Buffer): void => {
          const decision = decisionOf(bytes.toString("latin1"), mayContinue);
          if (decision === undefined) return;
          stdin.off("data", onKey);
          resolve(decision);
        };
        stdin.on("data", onKey);
        stdin.once("end", () => resolve("leave"));
      });
    } finally {
      stdin.setRawMode(false);
      stdin.pause();
      stdin.unref();
    }
  }
}

/** Ctrl-C arrives as byte 3 while the terminal is raw. */
export function decisionOf(keys: string, mayContinue: boolean): Decision | undefined {
  for (const key of keys.toLowerCase()) {
    if (key === "l") return "leave";
    if (key === "s" || key === "\u0003") return "stop";
    if (key === "c" && mayContinue) return "continue";
  }
  return undefined;
}
