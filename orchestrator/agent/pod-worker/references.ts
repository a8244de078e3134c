import type { ApiClient } from "../../api/client.ts";
import { configMaps, secrets } from "../../api/types/kinds.ts";
import type { Pod } from "../../api/types/pod.ts";
import { references, type Referenced } from "../env/environment.ts";

/** Reads every ConfigMap and Secret that the Pod names from the API: a cache might not have heard of one made just before the Pod. */
export async function loadReferences(client: ApiClient, pod: Pod): Promise<Referenced> {
  const namespace = pod.metadata.namespace ?? "default";
  const names = references(pod);
  const [maps, hidden] = await Promise.all([
    Promise.all([...names.configMaps].map(async (name) => [name, await client.get(configMaps, { namespace, name })] as const)),
    Promise.all([...names.secrets].map(async (name) => [name, await client.get(secrets, { namespace, name })] as const)),
  ]);
  return { configMaps: new Map(maps), secrets: new Map(hidden) };
}
