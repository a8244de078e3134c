import process from "node:process";
import { findCluster, folderOf } from "../cluster/connect.ts";
import type { Command } from "../command.ts";
import { cliExit } from "../exit-codes.ts";

export const version: Command = async (context) => {
  context.print(`podkit ${context.installation.version} (Node ${process.versions.node}, ${process.platform}/${process.arch})`);
  if (context.arguments.on("client")) return cliExit.ok;
  const folder = folderOf(context);
  const cluster = await findCluster(folder);
  if (cluster === undefined) {
    context.print(`control plane of cluster "${folder.name}": not running`);
    return cliExit.ok;
  }
  await cluster.api.close();
  context.print(`control plane of cluster "${folder.name}": podkit ${cluster.holder.version}, process ${cluster.holder.pid}`);
  return cliExit.ok;
};
