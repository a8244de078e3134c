import type { FakeBehaviour } from "../../../orchestrator/runtime/fake.ts";
import type { ContainerSpec } from "../../../orchestrator/runtime/runtime.ts";

/** What the suite's containers run: a command for busybox, and the same behaviour as a script for the fake engine. */
export type Program = { readonly command: readonly string[]; readonly scripted: FakeBehaviour };

const exec = (command: readonly string[]): { exitCode: number; stdout?: string; stderr?: string; afterMs?: number | "never" } => {
  if (command[0] === "sleep") return { exitCode: 0, afterMs: "never" };
  if (command[0] === "sh") return { exitCode: 3, stdout: "to stdout\n", stderr: "to stderr\n" };
  return { exitCode: 0 };
};

export const programs = {
  /** Ends with 143 on SIGTERM. */
  obedient: { command: ["sh", "-c", "trap 'exit 143' TERM; while :; do sleep 1000 & wait; done"], scripted: { exec } },
  /** PID 1 without a handler: the kernel drops SIGTERM. */
  deaf: { command: ["sleep", "1000"], scripted: { ignoresSigterm: true, exec } },
  exitsSeven: { command: ["sh", "-c", "exit 7"], scripted: { exitAfterMs: 1, exitCode: 7 } },
  prints: {
    command: ["sh", "-c", "echo one; echo two; echo bad >&2; sleep 0.3; echo three"],
    scripted: { exitAfterMs: 40, output: [{ stream: "stdout", text: "one\n" }, { stream: "stdout", text: "two\n" }, { stream: "stderr", text: "bad\n" }, { stream: "stdout", text: "three\n", afterMs: 30 }] },
  },
  missing: { command: ["/no/such/program"], scripted: { startError: 'exec: "/no/such/program": stat /no/such/program: no such file or directory' } },
} satisfies Record<string, Program>;

export function scriptedBehaviour(spec: ContainerSpec): FakeBehaviour | undefined {
  const line = spec.entrypoint?.join(" ");
  return Object.values(programs).find(({ command }) => command.join(" ") === line)?.scripted;
}
