import { ApiError } from "../../orchestrator/api/errors.ts";
import type { ApiConnection } from "../../orchestrator/api/http/client.ts";
import type { CommandContext } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure, messageOf } from "../failure.ts";
import { type ClusterFolder, clusterFolder } from "./folder.ts";
import { type LockHolder, readHolder } from "./lock.ts";

export type Connection = ApiConnection;
export type Cluster = { readonly folder: ClusterFolder; readonly holder: LockHolder; readonly api: Connection };

export const folderOf = (context: CommandContext): ClusterFolder => clusterFolder(context.env, context.arguments.text("cluster"));

/** The control plane that runs and answers; undefined when none runs. Throws CliFailure (69) when one runs and does not answer. */
export async function findCluster(folder: ClusterFolder): Promise<Cluster | undefined> {
  const holder = await readHolder(folder.lockPath);
  if (holder === undefined) return undefined;
  const { connectApi } = await import("../../orchestrator/api/http/client.ts"); // undici takes longer to load than to learn that nobody serves
  const api: Connection = connectApi({ socketPath: folder.socketPath });
  try {
    await api.version();
    return { folder, holder, api };
  } catch (error) {
    await api.close();
    throw new CliFailure(cliExit.unavailable, `The control plane of cluster "${folder.name}" (process ${holder.pid}) does not answer on ${folder.socketPath}: ${messageOf(error)}`, {
      remedy: `it may still be starting, or belong to another user; see ${folder.logPath}, or end it with \`podkit stop\``, cause: error,
    });
  }
}

/** For the verbs that only look: throws CliFailure (69) when no control plane runs. */
export async function requireCluster(context: CommandContext): Promise<Cluster> {
  const folder = folderOf(context);
  const cluster = await findCluster(folder);
  if (cluster !== undefined) return cluster;
  const option = folder.name === "default" ? "" : ` --cluster ${folder.name}`;
  throw new CliFailure(cliExit.unavailable, `No control plane runs for cluster "${folder.name}"`, { remedy: `start Pods with \`podkit up${option} -f FILE\`, or the control plane alone with \`podkit serve${option}\`` });
}

/** Connects, does the work, and closes; failures of the API become messages of the command. */
export async function withApi<T>(context: CommandContext, work: (api: Connection, cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await requireCluster(context);
  try {
    return await work(cluster.api, cluster);
  } catch (error) {
    throw apiFailure(error);
  } finally {
    await cluster.api.close();
  }
}

/** What the API refused, as the message of a command; anything else stays what it is. */
export function apiFailure(error: unknown): unknown {
  if (error instanceof ApiError) {
    const code = error.code === 503 || error.code === 507 ? cliExit.unavailable : error.code === 422 ? cliExit.config : error.code === 500 ? cliExit.bug : cliExit.failed;
    return new CliFailure(code, messageOf(error), { cause: error });
  }
  return error;
}

