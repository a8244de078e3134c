import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../kit/clock.ts";
import type { ShipperConfig } from "../config.ts";
import { metadataFromFiles, type PodMetadata } from "./metadata.ts";

/**
 * The Pod's metadata as it stands: the downward-API volume, with the environment's values over it. The volume changes when
 * somebody changes the Pod's labels or annotations, so it is read again every few seconds. A missing volume is fine.
 */
export class PodMetadataSource {
  readonly #config: ShipperConfig["metadata"];
  #current: PodMetadata;

  private constructor(config: ShipperConfig["metadata"], current: PodMetadata) {
    this.#config = config;
    this.#current = current;
  }

  static async open(config: ShipperConfig["metadata"]): Promise<PodMetadataSource> {
    return new PodMetadataSource(config, await read(config));
  }

  /** The same object as long as nothing has changed. */
  get current(): PodMetadata {
    return this.#current;
  }

  /** Reads again until the signal aborts. */
  async follow(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(this.#config.refreshMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      const next = await read(this.#config);
      if (JSON.stringify(next) !== JSON.stringify(this.#current)) this.#current = next;
    }
  }
}

async function read(config: ShipperConfig["metadata"]): Promise<PodMetadata> {
  const { directory, pod, namespace, uid, node, ip, container } = config;
  const files = new Map<string, string>();
  const names: readonly string[] = await readdir(directory).catch(() => []);
  for (const name of names) {
    if (name.startsWith(".")) continue;
    files.set(name, await readFile(join(directory, name), "utf8").catch(() => ""));
  }
  const given = { pod_name: pod, namespace_name: namespace, pod_id: uid, host: node, pod_ip: ip, container_name: container };
  return { ...metadataFromFiles(files, config), ...Object.fromEntries(Object.entries(given).filter((each): each is [string, string] => each[1] !== undefined)) };
}
