import { spawn } from "node:child_process";
import { once } from "node:events";

const main = new URL("../../../../sidecars/log-shipper/main.ts", import.meta.url).pathname;

export type ShipperProcess = {
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
  readonly stderr: () => string;
  kill(signal: "SIGKILL" | "SIGTERM"): void;
};

/** The shipper as its own process, as in a container. The admin server listens on a port of the system's choice. */
export function spawnShipper(configFile: string, flags: readonly string[] = []): ShipperProcess {
  const child = spawn(process.execPath, [main, "--config", configFile, "--admin-address", "127.0.0.1:0", ...flags], { stdio: ["ignore", "ignore", "pipe"], env: { PATH: process.env["PATH"] ?? "" } });
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += String(text)));
  const exited = once(child, "exit").then(([code, signal]: (number | string | null)[]) => code ?? signal ?? "nothing");
  return { exited, stderr: () => stderr, kill: (signal) => void child.kill(signal) };
}
