import { homedir } from "node:os";
import { join } from "node:path";
import { connectDocker } from "../../orchestrator/runtime/docker/docker-runtime.ts";
import { type Runtime, RuntimeError } from "../../orchestrator/runtime/runtime.ts";
import type { CommandContext } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure, messageOf } from "../failure.ts";

/** Connects to the container engine. Throws CliFailure (69) with what to do when it does not answer or may not be used. */
export async function connectEngine(context: Pick<CommandContext, "env">): Promise<Runtime> {
  try {
    return await connectDocker({ dockerHost: context.env["DOCKER_HOST"], configDirectory: context.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker") });
  } catch (error) {
    throw engineFailure(error);
  }
}

/** What the engine refused, as the message of a command; anything else stays what it is. */
export function engineFailure(error: unknown): unknown {
  if (!(error instanceof RuntimeError)) return error;
  return new CliFailure(cliExit.unavailable, messageOf(error), { remedy: error.remedy, cause: error });
}
