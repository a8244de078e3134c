import type { ApiClient, DeleteOptions, DeleteOutcome, ListOptions, ObjectKey, ObjectList, UpdateOptions, UpdateOutcome, WatchEvent } from "../client.ts";
import { fieldOf, textOf } from "../core-lifecycle.ts";
import { ApiError, errorFromStatus, internalError, serviceUnavailable } from "../errors.ts";
import type { NodeStreams, PodExecOptions, PodExecSession, PodLogOptions } from "../node-streams.ts";
import { pods } from "../types/kinds.ts";
import type { ApiObject, KindDefinition } from "../types/meta.ts";
import { splitLines } from "./lines.ts";
import { collectionPath, objectPath } from "./paths.ts";
import { type Endpoint, Transport } from "./transport.ts";

export type { Endpoint } from "./transport.ts";
export type ServerVersion = { readonly gitVersion: string; readonly podkit: string };
export type ApiConnection = ApiClient & NodeStreams & {
  /** Throws ApiError ServiceUnavailable when nobody answers: the cheapest way to ask whether a control plane runs. */
  version(): Promise<ServerVersion>;
  /** Whether the control plane is ready, and if not why. */
  ready(): Promise<{ readonly ready: boolean; readonly reasons: readonly string[] }>;
  /** Cuts what is still open. */
  close(): Promise<void>;
};

const eventCharactersMax = 16 * 1024 * 1024;

/** The API over HTTP: the same contract as the in-process core. Connects with the first call. */
export function connectApi(endpoint: Endpoint): ApiConnection {
  return new HttpClient(endpoint);
}

class HttpClient implements ApiConnection {
  readonly #transport: Transport;
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#transport = new Transport(endpoint);
  }

  async create<T extends ApiObject>(kind: KindDefinition<T>, object: T, options: { readonly dryRun?: boolean } = {}): Promise<T> {
    const path = collectionPath(kind, kind.namespaced ? (object.metadata.namespace ?? "default") : undefined);
    return ofKind(kind, await this.#transport.json({ method: "POST", path: withQuery(path, { dryRun: options.dryRun === true ? "All" : undefined }), body: object }));
  }

  async get<T extends ApiObject>(kind: KindDefinition<T>, key: ObjectKey): Promise<T | undefined> {
    try {
      return ofKind(kind, await this.#transport.json({ method: "GET", path: objectPath(kind, key) }));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async list<T extends ApiObject>(kind: KindDefinition<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const body = await this.#transport.json({ method: "GET", path: withQuery(collectionPath(kind, options.namespace), selectors(options)) });
    const items = fieldOf(body, "items");
    const resourceVersion = fieldOf(body, "metadata", "resourceVersion");
    if (!Array.isArray(items) || typeof resourceVersion !== "string") throw internalError(new TypeError(`the answer is no ${kind.kind}List`));
    return { items: items.map((item: unknown) => ofKind(kind, item)), resourceVersion };
  }

  async update<T extends ApiObject>(kind: KindDefinition<T>, object: T, options: UpdateOptions = {}): Promise<UpdateOutcome<T>> {
    const path = withQuery(objectPath(kind, object.metadata, options.subresource), { dryRun: options.dryRun === true ? "All" : undefined });
    return await this.#outcome(kind, object.metadata, async () => ({ kind: "updated", object: ofKind(kind, await this.#transport.json({ method: "PUT", path, body: object })) }));
  }

  async bind(key: ObjectKey, nodeName: string): Promise<UpdateOutcome<ApiObject>> {
    return await this.#outcome<ApiObject>(pods, key, async () => {
      const body = { apiVersion: "v1", kind: "Binding", metadata: { name: key.name }, target: { apiVersion: "v1", kind: "Node", name: nodeName } };
      await this.#transport.json({ method: "POST", path: objectPath(pods, key, "binding"), body });
      const object = await this.get(pods, key);
      return object === undefined ? { kind: "notFound" } : { kind: "updated", object };
    });
  }

  async delete<T extends ApiObject>(kind: KindDefinition<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<DeleteOutcome<T>> {
    const { dryRun, ...rest } = options;
    const body = { apiVersion: "v1", kind: "DeleteOptions", ...rest, ...(dryRun === true ? { dryRun: ["All"] } : {}) };
    return await this.#outcome<T, DeleteOutcome<T>>(kind, key, async () => {
      const answer = await this.#transport.json({ method: "DELETE", path: objectPath(kind, key), body });
      return fieldOf(answer, "kind") === "Status" ? { kind: "deleted" } : { kind: "deleting", object: ofKind(kind, answer) };
    });
  }

  /** 404 and 409 of a write are outcomes; a conflict tells what is there now, which takes a second request. */
  async #outcome<T extends ApiObject, R = UpdateOutcome<T>>(kind: KindDefinition<T>, key: ObjectKey, write: () => Promise<R>): Promise<R | { readonly kind: "notFound" } | { readonly kind: "conflict"; readonly current: T }> {
    try {
      return await write();
    } catch (error) {
      if (isAbsent(error)) return { kind: "notFound" };
      if (!(error instanceof ApiError && error.reason === "Conflict")) throw error;
      const current = await this.get(kind, key);
      return current === undefined ? { kind: "notFound" } : { kind: "conflict", current };
    }
  }

  async *watch<T extends ApiObject>(kind: KindDefinition<T>, options: ListOptions & { readonly resourceVersion: string; readonly signal: AbortSignal }): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { signal } = options;
    if (signal.aborted) return;
    const path = withQuery(collectionPath(kind, options.namespace), { ...selectors(options), watch: "true", allowWatchBookmarks: "true", resourceVersion: options.resourceVersion });
    try {
      const { body } = await this.#transport.open({ method: "GET", path, signal, endless: true });
      for await (const line of splitLines(body, eventCharactersMax)) yield readEvent(kind, line);
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof ApiError ? error : serviceUnavailable(`the watch of ${kind.plural} was cut: ${error instanceof Error ? error.message : String(error)}`, error);
    }
  }

  async *logs(options: PodLogOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const { follow, previous, timestamps, container, tailLines, sinceSeconds, limitBytes, signal } = options;
    const flag = (value: boolean): string | undefined => (value ? "true" : undefined);
    const path = withQuery(objectPath(pods, { namespace: options.namespace, name: options.pod }, "log"), {
      container, follow: flag(follow), previous: flag(previous), timestamps: flag(timestamps), tailLines: tailLines?.toString(), sinceSeconds: sinceSeconds?.toString(), limitBytes: limitBytes?.toString(),
    });
    try {
      const { body } = await this.#transport.open({ method: "GET", path, endless: true, ...(signal === undefined ? {} : { signal }) });
      for await (const chunk of body) if (chunk instanceof Uint8Array) yield chunk;
    } catch (error) {
      if (signal?.aborted === true) return;
      throw error instanceof ApiError ? error : serviceUnavailable(`the log of ${options.pod} was cut: ${error instanceof Error ? error.message : String(error)}`, error);
    }
  }

  async exec(options: PodExecOptions): Promise<PodExecSession> {
    // Only exec needs a WebSocket; every other call is spared its loading.
    const { openExec } = await import("./exec-client.ts");
    return await openExec(this.#endpoint, options);
  }

  async version(): Promise<ServerVersion> {
    const answer = await this.#transport.json({ method: "GET", path: "/version" });
    return { gitVersion: textOf(answer, "gitVersion"), podkit: textOf(answer, "podkit") };
  }

  async ready(): Promise<{ readonly ready: boolean; readonly reasons: readonly string[] }> {
    try {
      const { body } = await this.#transport.open({ method: "GET", path: "/readyz" });
      await body.text();
      return { ready: true, reasons: [] };
    } catch (error) {
      if (error instanceof ApiError && error.code === 503 && error.message.startsWith("the server answered 503")) return { ready: false, reasons: error.message.split(": ").slice(1).join(": ").split("\n") };
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }
}

/** A 404 of the object itself; a 404 of its namespace, or of a path the server does not know, is a failure. */
const isAbsent = (error: unknown): boolean => error instanceof ApiError && error.code === 404 && error.details !== undefined;

function ofKind<T extends ApiObject>(kind: KindDefinition<T>, value: unknown): T {
  if (isOfKind(kind, value)) return value;
  throw internalError(new TypeError(`the answer of the API server is no ${kind.kind}: ${JSON.stringify(value)?.slice(0, 200)}`));
}

/** The server has validated what it answers; kind and version are looked at again. */
function isOfKind<T extends ApiObject>(kind: KindDefinition<T>, value: unknown): value is T {
  return fieldOf(value, "kind") === kind.kind && fieldOf(value, "apiVersion") === kind.apiVersion && typeof fieldOf(value, "metadata", "name") === "string";
}

function readEvent<T extends ApiObject>(kind: KindDefinition<T>, line: string): WatchEvent<T> {
  const event: unknown = JSON.parse(line);
  const object = fieldOf(event, "object");
  const type = fieldOf(event, "type");
  switch (type) {
    case "ADDED": case "MODIFIED": case "DELETED": return { type, object: ofKind(kind, object) };
    case "BOOKMARK": return { type, resourceVersion: textOf(object, "metadata", "resourceVersion") };
    default: throw errorFromStatus(object, 500);
  }
}

function selectors(options: ListOptions): Readonly<Record<string, string | undefined>> {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}

function withQuery(path: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined && (value !== "" || name === "resourceVersion")) query.set(name, value);
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}
