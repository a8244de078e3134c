// pure
import type { ConfigMap } from "./config-map.ts";
import type { EndpointSlice } from "./endpoint-slice.ts";
import type { Event } from "./event.ts";
import type { ApiObject, KindDefinition } from "./meta.ts";
import type { Namespace } from "./namespace.ts";
import type { Node } from "./node.ts";
import type { Pod } from "./pod.ts";
import type { Secret } from "./secret.ts";
import type { Service } from "./service.ts";

/** The kinds the API serves. Plural and short names are those of Kubernetes. */
export const pods: KindDefinition<Pod> = { apiVersion: "v1", kind: "Pod", plural: "pods", shortNames: ["po"], namespaced: true };
export const services: KindDefinition<Service> = { apiVersion: "v1", kind: "Service", plural: "services", shortNames: ["svc"], namespaced: true };
export const configMaps: KindDefinition<ConfigMap> = { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", shortNames: ["cm"], namespaced: true };
export const secrets: KindDefinition<Secret> = { apiVersion: "v1", kind: "Secret", plural: "secrets", shortNames: [], namespaced: true };
export const nodes: KindDefinition<Node> = { apiVersion: "v1", kind: "Node", plural: "nodes", shortNames: ["no"], namespaced: false };
export const namespaces: KindDefinition<Namespace> = { apiVersion: "v1", kind: "Namespace", plural: "namespaces", shortNames: ["ns"], namespaced: false };
export const events: KindDefinition<Event> = { apiVersion: "v1", kind: "Event", plural: "events", shortNames: ["ev"], namespaced: true };
export const endpointSlices: KindDefinition<EndpointSlice> = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", plural: "endpointslices", shortNames: [], namespaced: true };

export const allKinds: readonly KindDefinition<ApiObject>[] = [pods, services, configMaps, secrets, nodes, namespaces, events, endpointSlices];

/** Every object the API serves, told apart by `kind`. */
export type KnownObject = Pod | Service | ConfigMap | Secret | Node | Namespace | Event | EndpointSlice;

export function findKind(apiVersion: string, kind: string): KindDefinition<ApiObject> | undefined {
  return allKinds.find((definition) => definition.apiVersion === apiVersion && definition.kind === kind);
}

/** Finds a kind by what a person types on a command line: plural, singular, short name or kind, in any case. */
export function findResource(word: string): KindDefinition<ApiObject> | undefined {
  const wanted = word.toLowerCase();
  return allKinds.find((definition) => definition.plural === wanted || definition.kind.toLowerCase() === wanted || definition.shortNames.includes(wanted));
}
