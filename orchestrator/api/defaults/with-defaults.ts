// pure
import type { EndpointSlice } from "../types/endpoint-slice.ts";
import type { ApiObject } from "../types/meta.ts";
import type { Namespace } from "../types/namespace.ts";
import type { Secret } from "../types/secret.ts";
import { encodeUtf8Base64 } from "../validate/base64.ts";
import { isKind } from "../validate/validate-object.ts";
import { podWithDefaults } from "./pod.ts";
import { serviceWithDefaults } from "./service.ts";

/**
 * Fills in what the Kubernetes API server (and its default admission plug-ins) would: a new object, the given one unchanged.
 * Applying it twice gives the same as once, and the defaults of a valid object are valid. Kinds unknown here come back as they
 * are. The object has passed validateObject. The status, and what else the server owns, is not touched.
 *
 * Not filled in, because nothing here would act on them: the two NoExecute tolerations of 300 seconds that a real cluster adds
 * to every Pod, and the volume of a service account's token.
 */
export function withDefaults(object: ApiObject): ApiObject {
  if (isKind(object, "Pod")) return podWithDefaults(object);
  if (isKind(object, "Service")) return serviceWithDefaults(object);
  if (isKind(object, "Secret")) return secretWithDefaults(object);
  if (isKind(object, "Namespace")) return namespaceWithDefaults(object);
  if (isKind(object, "EndpointSlice")) return sliceWithDefaults(object);
  return object;
}

/** stringData is a way to write only: it wins over `data` and is never read back. */
function secretWithDefaults(secret: Secret): Secret {
  const { stringData, ...rest } = secret;
  if (stringData === undefined) return { ...rest, type: secret.type ?? "Opaque" };
  const added = Object.fromEntries(Object.entries(stringData).map(([key, value]) => [key, encodeUtf8Base64(value)]));
  return { ...rest, type: secret.type ?? "Opaque", data: { ...secret.data, ...added } };
}

function namespaceWithDefaults(namespace: Namespace): Namespace {
  const { metadata } = namespace;
  return { ...namespace, metadata: { ...metadata, labels: { ...metadata.labels, "kubernetes.io/metadata.name": metadata.name } } };
}

function sliceWithDefaults(slice: EndpointSlice): EndpointSlice {
  if (slice.ports === undefined) return slice;
  return { ...slice, ports: slice.ports.map((port) => ({ ...port, name: port.name ?? "", protocol: port.protocol ?? "TCP" })) };
}
