import { spawn } from "node:child_process";

/**
 * Runs a program to its end, handing each line of its output to `say`.
 * @returns {Promise<{code: number, tail: string, lines: string[]}>} the last 40 lines as `tail`
 */
export async function runQuietly(command, words, { cwd, env, say }) {
  const child = spawn(command, words, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const lines = [];
  const read = (stream) => {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk) => {
      const parts = (rest + chunk).split(/\r?\n/);
      rest = parts.pop() ?? "";
      for (const line of parts) { lines.push(line); say(line); }
    });
    stream.on("end", () => { if (rest !== "") { lines.push(rest); say(rest); } });
  };
  read(child.stdout);
  read(child.stderr);
  const code = await new Promise((resolve) => {
    child.once("error", (error) => { lines.push(error.message); resolve(127); });
    child.once("close", (status, signal) => resolve(status ?? (signal === null ? 1 : 128)));
  });
  return { code, lines, tail: lines.slice(-40).join("\n") };
}

/** Runs a program on this terminal; interrupts reach it, and this process waits for it to end in its own way. Resolves with its exit code. */
export async function runInForeground(command, words, { cwd, env }) {
  const ignore = () => {};
  // The terminal sends Ctrl-C to both; SIGTERM comes to this process alone and is passed on.
  process.on("SIGINT", ignore);
  const child = spawn(command, words, { cwd, env: { ...process.env, ...env }, stdio: "inherit" });
  const pass = () => child.kill("SIGTERM");
  process.on("SIGTERM", pass);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status, signal) => resolve(status ?? (signal === "SIGINT" ? 130 : 143)));
    });
  } finally {
    process.off("SIGINT", ignore);
    process.off("SIGTERM", pass);
  }
}
