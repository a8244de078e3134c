import { rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { label, type Labels } from "../../runtime/runtime.ts";
import { podPaths } from "../pod-paths.ts";
import type { AgentContext } from "./context.ts";

/** Where cgroup v1 and v2 keep the groups; only the folders of our own Pods are ever touched. */
const cgroupRoots = ["/sys/fs/cgroup", ...["cpu,cpuacct", "memory", "pids", "cpuset", "blkio", "devices", "freezer", "net_cls,net_prio", "perf_event", "hugetlb", "systemd", "unified", "rdma", "misc", "cpu", "cpuacct", "net_cls", "net_prio"].map((name) => `/sys/fs/cgroup/${name}`)];

/** Removes every container, sandbox, volume, folder and cgroup of a Pod, running or not. Safe to repeat. */
export async function removePodRemains(agent: AgentContext, uid: string): Promise<void> {
  const labels: Labels = { [label.cluster]: agent.cluster, [label.podUid]: uid };
  const objects = await agent.runtime.list(labels);
  const sandboxes = objects.filter((object) => object.labels[label.kind] === "sandbox");
  await Promise.all(objects.filter((object) => !sandboxes.includes(object)).map(async (object) => await agent.runtime.remove(object.id)));
  await Promise.all(sandboxes.map(async (object) => await agent.runtime.remove(object.id)));
  for (const volume of await agent.runtime.listVolumes(labels)) await agent.runtime.removeVolume(volume.name);
  await removeFolder(agent, podPaths(agent.stateDirectory, uid).root);
  if (agent.podCgroups) await removePodCgroups(uid);
}

/**
 * An agent that is not root cannot remove what root wrote in a container. That must not keep the Pod for ever: the folder stays, is told of
 * with the remedy, and is tried again by the next agent.
 */
async function removeFolder(agent: AgentContext, path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "EACCES" && code !== "EPERM") throw error;
    agent.log.warn({ err: error, path }, "Cannot remove a Pod's folder: files in it belong to another user; remove it as root, or run podkit as root");
  }
}

/** Docker leaves the parent group's directory behind. An absent one, one in use, or one that we may not remove, is let be. */
export async function removePodCgroups(uid: string): Promise<void> {
  for (const root of cgroupRoots) await rmdir(join(root, "podkit", uid)).catch(() => undefined);
}
