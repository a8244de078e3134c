import { once } from "node:events";
import process from "node:process";
import type { Readable } from "node:stream";
import type { PodExecSession } from "../../orchestrator/api/node-streams.ts";
import { withApi } from "../cluster/connect.ts";
import type { Command, CommandContext } from "../command.ts";
import { usageFailure } from "../failure.ts";
import { chooseContainer, requirePod } from "../pods.ts";

/** Runs a command in a container with this process's streams; its exit code becomes ours. */
export const exec: Command = async (context) => {
  const [podWord = ""] = context.arguments.positionals;
  const command = context.arguments.rest;
  if (command.length === 0) throw usageFailure('"podkit exec" needs a command behind --', "podkit exec POD -- COMMAND");
  const stdin = context.arguments.on("stdin");
  const tty = context.arguments.on("tty") && context.stdin.isTTY;
  if (context.arguments.on("tty") && !tty) context.remark("Standard input is no terminal: running without one");
  return await withApi(context, async (api) => {
    const pod = await requirePod(context, api, podWord);
    const container = chooseContainer(context, pod, context.arguments.text("container"));
    const session = await api.exec({ namespace: pod.metadata.namespace ?? "default", pod: pod.metadata.name, container, command, tty, stdin });
    return await connectStreams(context, session, { stdin, tty });
  });
};

async function connectStreams(context: CommandContext, session: PodExecSession, options: { readonly stdin: boolean; readonly tty: boolean }): Promise<number> {
  const restore = options.tty ? takeTerminal(context, session) : () => undefined;
  try {
    if (options.stdin && session.stdin !== undefined) {
      session.stdin.on("error", () => undefined); // the command ended without reading all of it, which its exit code tells
      context.stdin.pipe(session.stdin);
    }
    const [code] = await Promise.all([session.exitCode, copy(session.stdout, context.stdout), copy(session.stderr, context.stderr)]);
    return code;
  } finally {
    restore();
    context.stdin.unpipe();
    context.stdin.pause();
    context.stdin.unref?.();
  }
}

/** Raw mode, so that every key reaches the command, and its size, now and whenever it changes. Returns what undoes it. */
function takeTerminal(context: CommandContext, session: PodExecSession): () => void {
  const resize = (): void => {
    const { columns, rows } = context.stdout;
    if (columns > 0 && rows > 0) void session.resize({ columns, rows }).catch(() => undefined); // a size that comes too late matters to nobody
  };
  const restore = (): void => void context.stdin.setRawMode(false);
  context.stdin.setRawMode(true);
  process.on("exit", restore);
  context.stdout.on("resize", resize);
  resize();
  return () => {
    restore();
    process.off("exit", restore);
    context.stdout.off("resize", resize);
  };
}

async function copy(from: Readable, to: NodeJS.WritableStream): Promise<void> {
  for await (const chunk of from as AsyncIterable<Uint8Array>) if (!to.write(chunk)) await once(to, "drain");
}
