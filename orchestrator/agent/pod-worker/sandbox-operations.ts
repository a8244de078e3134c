import { mkdir, readFile, writeFile } from "node:fs/promises";
import { memoryVolumeName, sandboxSpec } from "../container-build.ts";
import { hostNetworkHostsFile, hostsFile, podHostname } from "../pod-files.ts";
import { mountVolumes, type MountedVolumes } from "../volumes/mount-volumes.ts";
import { loadReferences } from "./references.ts";
import { cgroupParent, fieldContext, type PodScope } from "./scope.ts";
import { resolvConfFile } from "./resolv-conf.ts";

/** Makes the Pod's folder, the files that all its containers share and its volumes. */
export async function mountPodVolumes(scope: PodScope): Promise<MountedVolumes> {
  const { agent, pod, paths } = scope;
  await mkdir(paths.root, { recursive: true, mode: 0o700 });
  const [referenced, resolvConf] = await Promise.all([loadReferences(agent.client, pod), resolvConfFile(pod, agent.dns)]);
  const [mounted] = await Promise.all([
    mountVolumes({ cluster: agent.cluster, pod, paths, runtime: agent.runtime, referenced, fields: fieldContext(scope) }),
    writeFile(paths.hostname, `${podHostname(pod, agent.dns).hostname}\n`),
    writeHosts(scope, scope.podIp),
    writeFile(paths.resolvConf, resolvConf),
  ]);
  return mounted;
}

export async function createSandbox(scope: PodScope, attempt: number): Promise<void> {
  const { agent, pod } = scope;
  const uid = pod.metadata.uid ?? "";
  const memoryVolumes = (pod.spec.volumes ?? []).filter((volume) => volume.emptyDir?.medium === "Memory").map((volume) => memoryVolumeName(agent.cluster, uid, volume.name));
  const spec = sandboxSpec({ cluster: agent.cluster, pod, attempt, image: agent.pauseImage, network: agent.networkName, dns: agent.dns, cgroupParent: cgroupParent(agent, uid), memoryVolumes });
  await agent.limiter.run(async () => await agent.runtime.createSandbox(spec));
}

export async function startSandbox(scope: PodScope, id: string): Promise<void> {
  const status = await scope.agent.limiter.run(async () => await scope.agent.runtime.startSandbox(id));
  await writeHosts(scope, status.ip);
}

/** In place: the file is bind-mounted, and a replaced one would not be seen. */
async function writeHosts(scope: PodScope, ip: string | undefined): Promise<void> {
  const { pod, paths, agent } = scope;
  if (pod.spec.hostNetwork === true) await writeFile(paths.hosts, hostNetworkHostsFile(pod, await readFile("/etc/hosts", "utf8").catch(() => "127.0.0.1\tlocalhost\n")));
  else await writeFile(paths.hosts, hostsFile(pod, ip ?? "127.0.0.1", agent.dns));
}
