// pure
import type { ConfigMap } from "../../orchestrator/api/types/config-map.ts";
import type { EndpointSlice } from "../../orchestrator/api/types/endpoint-slice.ts";
import type { Event } from "../../orchestrator/api/types/event.ts";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import type { Namespace } from "../../orchestrator/api/types/namespace.ts";
import type { Node } from "../../orchestrator/api/types/node.ts";
import type { Pod } from "../../orchestrator/api/types/pod.ts";
import type { Secret } from "../../orchestrator/api/types/secret.ts";
import type { Service } from "../../orchestrator/api/types/service.ts";

/** The API answers with validated objects only, so `kind` tells the whole shape. */
export const isPod = (object: ApiObject): object is Pod => object.kind === "Pod";
export const isService = (object: ApiObject): object is Service => object.kind === "Service";
export const isConfigMap = (object: ApiObject): object is ConfigMap => object.kind === "ConfigMap";
export const isSecret = (object: ApiObject): object is Secret => object.kind === "Secret";
export const isNode = (object: ApiObject): object is Node => object.kind === "Node";
export const isNamespace = (object: ApiObject): object is Namespace => object.kind === "Namespace";
export const isEvent = (object: ApiObject): object is Event => object.kind === "Event";
export const isEndpointSlice = (object: ApiObject): object is EndpointSlice => object.kind === "EndpointSlice";

/** "pod/web": how messages and `-o name` call an object. */
export const objectName = (object: ApiObject): string => `${object.kind.toLowerCase()}/${object.metadata.name}`;
/** "pod/web" in the namespace default, "pod/web (in shop)" elsewhere. */
export const placedName = (object: ApiObject): string =>
  object.metadata.namespace === undefined || object.metadata.namespace === "default" ? objectName(object) : `${objectName(object)} (in ${object.metadata.namespace})`;
export const keyOf = (object: ApiObject): { readonly namespace?: string; readonly name: string } =>
  object.metadata.namespace === undefined ? { name: object.metadata.name } : { namespace: object.metadata.namespace, name: object.metadata.name };

/** The annotation in which `up` keeps what it applied (up/plan.ts). */
export const appliedAnnotation = "podkit.dev/applied";
