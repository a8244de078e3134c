import { endControlPlane } from "../cluster/background.ts";
import { folderOf } from "../cluster/connect.ts";
import { readHolder } from "../cluster/lock.ts";
import type { Command } from "../command.ts";
import { cliExit } from "../exit-codes.ts";

export const stopGraceMs = 20_000;

export const stop: Command = async (context) => {
  const folder = folderOf(context);
  const holder = await readHolder(folder.lockPath);
  if (holder === undefined) {
    context.print(`No control plane runs for cluster "${folder.name}"`);
    return cliExit.ok;
  }
  await endControlPlane(holder, { clock: context.clock, graceMs: stopGraceMs });
  context.print(`The control plane of cluster "${folder.name}" (process ${holder.pid}) has ended; its Pods keep running`);
  return cliExit.ok;
};
