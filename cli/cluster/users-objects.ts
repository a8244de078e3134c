import { allKinds } from "../../orchestrator/api/types/kinds.ts";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import type { Connection } from "./connect.ts";

/** Kinds and objects that the control plane makes for itself. */
const ownKinds: ReadonlySet<string> = new Set(["Node", "Event", "EndpointSlice"]);
const ownNamespaces: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public", "kube-node-lease"]);

function isUsers(object: ApiObject): boolean {
  if (object.kind === "Namespace") return !ownNamespaces.has(object.metadata.name);
  if (object.kind === "ConfigMap") return object.metadata.name !== "kube-root-ca.crt";
  return !(object.kind === "Service" && object.metadata.name === "kubernetes" && object.metadata.namespace === "default");
}

/** Everything in the cluster that somebody put there. */
export async function usersObjects(api: Connection): Promise<readonly ApiObject[]> {
  const lists = await Promise.all(allKinds.filter((kind) => !ownKinds.has(kind.kind)).map(async (kind) => (await api.list(kind)).items));
  return lists.flat().filter(isUsers);
}
