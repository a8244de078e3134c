// pure
import { join } from "node:path";

/** Where a Pod's files lie on the host; everything below `root` goes with the Pod. */
export type PodPaths = {
  readonly root: string;
  readonly facts: string;
  readonly volumes: string;
  readonly hosts: string;
  readonly resolvConf: string;
  readonly hostname: string;
  volume(name: string): string;
  terminationLog(container: string, attempt: number): string;
};

export const podsDirectory = (stateDirectory: string): string => join(stateDirectory, "pods");

export function podPaths(stateDirectory: string, uid: string): PodPaths {
  const root = join(podsDirectory(stateDirectory), uid);
  return {
    root,
    facts: join(root, "facts.json"),
    volumes: join(root, "volumes"),
    hosts: join(root, "etc-hosts"),
    resolvConf: join(root, "resolv.conf"),
    hostname: join(root, "hostname"),
    volume: (name) => join(root, "volumes", name),
    terminationLog: (container, attempt) => join(root, "containers", container, `${attempt}.termination`),
  };
}
