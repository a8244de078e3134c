import type { IncomingMessage, ServerResponse } from "node:http";
import type { ApiClient, DeleteOptions, ListOptions, ObjectKey } from "../client.ts";
import { fieldOf, textOf } from "../core-lifecycle.ts";
import { ApiError, badRequest, conflict, groupOf, notFound, resourceName, type Status } from "../errors.ts";
import { pods } from "../types/kinds.ts";
import type { ApiObject, KindDefinition } from "../types/meta.ts";
import { booleanParameter, numberParameter } from "./parameters.ts";
import { readJson, sendJson } from "./wire.ts";
import { streamWatch } from "./watch-stream.ts";

/** The REST verbs on collections and objects. Each throws ApiError; the server turns it into a Status. */
export type Exchange = { readonly client: ApiClient; readonly request: IncomingMessage; readonly response: ServerResponse; readonly query: URLSearchParams; readonly stop: AbortSignal; readonly random: () => number };

export async function serveCollection(exchange: Exchange, definition: KindDefinition<ApiObject>, namespace: string | undefined): Promise<void> {
  const { client, request, response, query } = exchange;
  switch (request.method) {
    case "GET": {
      const list = listOptions(query, namespace);
      if (booleanParameter(query, "watch")) {
        // As the real server: a random end within half an hour and an hour, so that clients do not all come back at once.
        const timeoutSeconds = numberParameter(query, "timeoutSeconds", { min: 1 }) ?? 1800 + Math.floor(exchange.random() * 1800);
        await streamWatch(client, response, { definition, list, resourceVersion: query.get("resourceVersion") ?? "", bookmarks: booleanParameter(query, "allowWatchBookmarks"), timeoutSeconds: Math.min(timeoutSeconds, 86_400) }, exchange.stop);
        return;
      }
      const { items, resourceVersion } = await client.list(definition, list);
      sendJson(response, 200, { kind: `${definition.kind}List`, apiVersion: definition.apiVersion, metadata: { resourceVersion }, items });
      return;
    }
    case "POST": {
      const object = await readObject(request, definition, { namespace, name: undefined });
      sendJson(response, 201, await client.create(definition, object, { dryRun: isDryRun(query) }));
      return;
    }
    case "DELETE": {
      const options = await deleteOptions(request, query);
      const { items, resourceVersion } = await client.list(definition, listOptions(query, namespace));
      for (const item of items) await client.delete(definition, item.metadata, options);
      sendJson(response, 200, { kind: `${definition.kind}List`, apiVersion: definition.apiVersion, metadata: { resourceVersion }, items });
      return;
    }
    default: throw methodNotAllowed();
  }
}

export async function serveObject(exchange: Exchange, definition: KindDefinition<ApiObject>, key: ObjectKey): Promise<void> {
  const { client, request, response, query } = exchange;
  switch (request.method) {
    case "GET": sendJson(response, 200, await existing(client, definition, key)); return;
    case "PUT": await put(exchange, definition, key, undefined); return;
    case "DELETE": {
      const outcome = await client.delete(definition, key, await deleteOptions(request, query));
      switch (outcome.kind) {
        case "deleted": sendJson(response, 200, success(definition, key)); return;
        case "deleting": sendJson(response, 200, outcome.object); return;
        case "notFound": throw notFound(definition, key.name);
        case "conflict": throw conflict(definition, key.name, `Precondition failed: UID in precondition or resourceVersion differs from the object's: ${outcome.current.metadata.uid}, ${outcome.current.metadata.resourceVersion}`);
        default: return outcome satisfies never;
      }
    }
    default: throw methodNotAllowed();
  }
}

export async function serveStatus(exchange: Exchange, definition: KindDefinition<ApiObject>, key: ObjectKey): Promise<void> {
  switch (exchange.request.method) {
    case "GET": sendJson(exchange.response, 200, await existing(exchange.client, definition, key)); return;
    case "PUT": await put(exchange, definition, key, "status"); return;
    default: throw methodNotAllowed();
  }
}

export async function serveBinding({ client, request, response }: Exchange, key: ObjectKey): Promise<void> {
  if (request.method !== "POST") throw methodNotAllowed();
  const nodeName = fieldOf(await readJson(request), "target", "name");
  if (typeof nodeName !== "string" || nodeName === "") throw badRequest('Binding "" is invalid: target.name: Required value');
  const outcome = await client.bind(key, nodeName);
  switch (outcome.kind) {
    case "updated": sendJson(response, 201, success(pods, key)); return;
    case "notFound": throw notFound(pods, key.name);
    case "conflict": throw conflict({ ...pods, plural: "pods/binding" }, key.name, bindingRefusal(outcome.current));
    default: return outcome satisfies never;
  }
}

function bindingRefusal(pod: ApiObject): string {
  const nodeName = fieldOf(pod, "spec", "nodeName");
  return typeof nodeName === "string" && nodeName !== "" ? `pod ${pod.metadata.name} is already assigned to node "${nodeName}"` : `pod ${pod.metadata.name} is being deleted, cannot be assigned to a host`;
}

async function put({ client, request, response, query }: Exchange, definition: KindDefinition<ApiObject>, key: ObjectKey, subresource: "status" | undefined): Promise<void> {
  const object = await readObject(request, definition, { namespace: key.namespace, name: key.name });
  const outcome = await client.update(definition, object, { dryRun: isDryRun(query), ...(subresource === undefined ? {} : { subresource }) });
  switch (outcome.kind) {
    case "updated": sendJson(response, 200, outcome.object); return;
    case "notFound": throw notFound(definition, key.name);
    case "conflict": throw conflict(definition, key.name);
    default: return outcome satisfies never;
  }
}

async function existing(client: ApiClient, definition: KindDefinition<ApiObject>, key: ObjectKey): Promise<ApiObject> {
  const object = await client.get(definition, key);
  if (object === undefined) throw notFound(definition, key.name);
  return object;
}

/** The body as an object of this place: kind, namespace and name must not contradict the URL. The rest is checked by the core. */
async function readObject(request: IncomingMessage, definition: KindDefinition<ApiObject>, place: { readonly namespace: string | undefined; readonly name: string | undefined }): Promise<ApiObject> {
  const body = await readJson(request);
  const metadata = fieldOf(body, "metadata");
  if (!isRecord(body) || !isRecord(metadata)) throw badRequest("the body of the request must be an object with metadata");
  const { apiVersion, kind } = body;
  if (apiVersion !== definition.apiVersion || kind !== definition.kind)
    throw badRequest(`${JSON.stringify(kind ?? "")} in version ${JSON.stringify(apiVersion ?? "")} cannot be handled as a ${definition.kind} in version "${definition.apiVersion}"`);
  const namespace = metadata["namespace"] === "" ? undefined : metadata["namespace"];
  if (place.namespace !== undefined && namespace !== undefined && namespace !== place.namespace) throw badRequest(`the namespace of the provided object does not match the namespace sent on the request (${textOf(metadata, "namespace")} and ${place.namespace})`);
  if (place.name !== undefined && metadata["name"] !== place.name) throw badRequest(`the name of the object (${textOf(metadata, "name")}) does not match the name on the URL (${place.name})`);
  const name = metadata["name"] ?? "";
  if (typeof name !== "string") throw badRequest("metadata.name must be a string");
  return { ...body, apiVersion: definition.apiVersion, kind: definition.kind, metadata: { ...metadata, name, ...(place.namespace === undefined ? {} : { namespace: place.namespace }) } };
}

async function deleteOptions(request: IncomingMessage, query: URLSearchParams): Promise<DeleteOptions> {
  const body = await readJson(request);
  const inBody = fieldOf(body, "gracePeriodSeconds");
  const graceful = typeof inBody === "number" ? inBody : numberParameter(query, "gracePeriodSeconds", { min: 0 });
  if (graceful !== undefined && !(Number.isInteger(graceful) && graceful >= 0)) throw badRequest(`cannot use gracePeriodSeconds ${graceful}: it must be a whole number of at least 0`);
  const uid = fieldOf(body, "preconditions", "uid");
  const resourceVersion = fieldOf(body, "preconditions", "resourceVersion");
  const dryRun = isDryRun(query) || JSON.stringify(fieldOf(body, "dryRun")) === '["All"]';
  return {
    ...(dryRun ? { dryRun } : {}), ...(graceful === undefined ? {} : { gracePeriodSeconds: graceful }),
    ...(typeof uid === "string" || typeof resourceVersion === "string" ? { preconditions: { ...(typeof uid === "string" ? { uid } : {}), ...(typeof resourceVersion === "string" ? { resourceVersion } : {}) } } : {}),
  };
}

function listOptions(query: URLSearchParams, namespace: string | undefined): ListOptions {
  const labelSelector = query.get("labelSelector");
  const fieldSelector = query.get("fieldSelector");
  return { ...(namespace === undefined ? {} : { namespace }), ...(labelSelector === null ? {} : { labelSelector }), ...(fieldSelector === null ? {} : { fieldSelector }) };
}

function isDryRun(query: URLSearchParams): boolean {
  const value = query.get("dryRun");
  if (value !== null && value !== "All" && value !== "") throw badRequest(`cannot use dryRun="${value}": only "All" is known`);
  return value === "All";
}

function success(definition: KindDefinition<ApiObject>, key: ObjectKey): Status {
  const group = groupOf(definition.apiVersion);
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details: { name: key.name, ...(group === "" ? {} : { group }), kind: resourceName(definition).split(".")[0] ?? "" } };
}

export const methodNotAllowed = (): ApiError => new ApiError({ code: 405, reason: "MethodNotAllowed", message: "the server does not allow this method on the requested resource" });

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);
