import { PassThrough, Writable } from "node:stream";
import type { Duplex } from "node:stream";
import { setTimeout as sleepMs } from "node:timers/promises";
import { RuntimeError } from "../runtime.ts";
import type { ExecOptions, ExecResult, ExecSession } from "../runtime.ts";
import type { EngineHttp } from "./engine-http.ts";
import { flag, integer, text } from "./engine-json.ts";
import { FrameDecoder } from "./multiplexed-frames.ts";

export async function startExec(http: EngineHttp, containerId: string, options: ExecOptions): Promise<ExecSession> {
  const doing = `run "${options.command[0] ?? ""}" in container ${containerId.slice(0, 12)}`;
  const created = await http.call({
    method: "POST", path: `/containers/${containerId}/exec`, doing, kind: "exec",
    body: { AttachStdin: options.stdin, AttachStdout: true, AttachStderr: true, Tty: options.tty, Cmd: options.command },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const execId = text(created.json, "Id");
  const socket = await http.hijack({
    method: "POST", path: `/exec/${execId}/start`, body: { Detach: false, Tty: options.tty }, doing, kind: "exec",
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const stdout = new PassThrough(), stderr = new PassThrough();
  const ended = pump(socket, { tty: options.tty, stdout, stderr, ...(options.signal === undefined ? {} : { signal: options.signal }) });
  const exitCode = ended.then(async () => await exitCodeOf(http, execId, doing));
  // A caller that reads only the streams must not bring the process down by an exit code nobody asked for.
  exitCode.catch(() => undefined);
  return {
    stdin: options.stdin ? stdinOf(socket) : undefined,
    stdout, stderr, exitCode,
    resize: async ({ columns, rows }) => {
      await http.call({ method: "POST", path: `/exec/${execId}/resize`, query: { w: columns, h: rows }, doing: `resize the terminal of "${options.command[0] ?? ""}"`, timeoutMs: 10_000 });
    },
  };
}

export async function runExec(http: EngineHttp, containerId: string, options: { readonly command: readonly string[]; readonly timeoutMs: number; readonly outputBytesMax: number }): Promise<ExecResult> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const stdout = new Collector(options.outputBytesMax), stderr = new Collector(options.outputBytesMax);
  const output = (): { stdout: string; stderr: string } => ({ stdout: stdout.text, stderr: stderr.text });
  try {
    const session = await startExec(http, containerId, { command: options.command, tty: false, stdin: false, signal: timeout });
    session.stdout.on("data", (chunk: Uint8Array) => stdout.add(chunk));
    session.stderr.on("data", (chunk: Uint8Array) => stderr.add(chunk));
    const exitCode = await session.exitCode;
    return { kind: "exited", exitCode, ...output() };
  } catch (error) {
    if (timeout.aborted) return { kind: "timeout", ...output() };
    throw error;
  }
}

/** Keeps the first bytes and drops the rest, so that a chatty probe costs no memory. */
class Collector {
  readonly #chunks: Uint8Array[] = [];
  #room: number;

  constructor(bytesMax: number) {
    this.#room = bytesMax;
  }

  add(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, this.#room);
    this.#room -= kept.length;
    if (kept.length > 0) this.#chunks.push(kept);
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

/** Resolves when the engine has ended the stream and all of it was handed on. Reading is paused while a reader is slow. */
async function pump(socket: Duplex, o: { tty: boolean; stdout: PassThrough; stderr: PassThrough; signal?: AbortSignal }): Promise<void> {
  const decoder = new FrameDecoder();
  const onAbort = (): void => {
    socket.destroy();
  };
  o.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    for await (const chunk of socket) {
      if (!(chunk instanceof Uint8Array)) continue;
      const pieces = o.tty ? [{ stream: "stdout" as const, bytes: chunk }] : decoder.push(chunk);
      for (const { stream, bytes } of pieces) await hand(stream === "stdout" ? o.stdout : o.stderr, bytes, o.signal);
    }
    if (!decoder.atFrameBoundary) throw new RuntimeError("Unreachable", "The connection to the engine ended in the middle of a command's output");
    o.stdout.end();
    o.stderr.end();
  } catch (error) {
    const reason: unknown = o.signal?.aborted === true ? o.signal.reason : error;
    const failure = reason instanceof Error ? reason : new Error(String(reason));
    // Who only awaits the exit code listens to no stream; without a listener a destroyed stream would end the process.
    for (const stream of [o.stdout, o.stderr]) {
      stream.on("error", () => undefined);
      stream.destroy(failure);
    }
    throw failure;
  } finally {
    o.signal?.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

async function hand(stream: PassThrough, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  if (stream.destroyed || stream.write(bytes)) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      stream.off("drain", go).off("close", go);
      signal?.removeEventListener("abort", go);
      resolve();
    };
    stream.on("drain", go).on("close", go);
    signal?.addEventListener("abort", go, { once: true });
  });
}

/** Ending it half-closes the connection: the command reads end of file, its output still arrives. */
function stdinOf(socket: Duplex): Writable {
  const stdin = new Writable({
    write: (chunk, _encoding, done) => {
      socket.write(chunk, done);
    },
    final: (done) => {
      socket.end(done);
    },
  });
  socket.once("close", () => stdin.destroy());
  return stdin;
}

/** The stream's end and the exit code are recorded apart, so the code may come a moment later. */
async function exitCodeOf(http: EngineHttp, execId: string, doing: string): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const { json } = await http.call({ method: "GET", path: `/exec/${execId}/json`, doing, timeoutMs: 30_000 });
    if (!flag(json, "Running")) return integer(json, "ExitCode");
    await sleepMs(Math.min(20 * (attempt + 1), 500));
  }
  throw new RuntimeError("Timeout", `Cannot ${doing}: its output ended, but the engine still says it runs`);
}
