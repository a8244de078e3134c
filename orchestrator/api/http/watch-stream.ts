import type { ServerResponse } from "node:http";
import type { ApiClient, ListOptions } from "../client.ts";
import type { ApiObject, KindDefinition } from "../types/meta.ts";
import { asApiError, writeOut } from "./wire.ts";

export type WatchRequest = { readonly definition: KindDefinition<ApiObject>; readonly list: ListOptions; readonly resourceVersion: string; readonly bookmarks: boolean; readonly timeoutSeconds: number };

/** A reader that takes nothing for so long is cut off; it resumes from the last revision it saw, or lists again when that is gone. */
const stallMs = 60_000;

/**
 * The answer to watch=1: one JSON object a line until the timeout, the reader's end or a failure, which is sent as an ERROR event with its
 * Status. Nothing is buffered for a slow reader beyond what Node's socket holds: the store's history is the buffer.
 */
export async function streamWatch(client: ApiClient, response: ServerResponse, request: WatchRequest, stop: AbortSignal): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => { gone.abort(); });
  const over = AbortSignal.any([stop, gone.signal, AbortSignal.timeout(request.timeoutSeconds * 1000)]);
  const write = async (event: unknown): Promise<void> => { await writeOut(response, `${JSON.stringify(event)}\n`, { signal: gone.signal, stallMs }); };
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
  response.flushHeaders();
  try {
    for await (const event of client.watch(request.definition, { ...request.list, resourceVersion: request.resourceVersion, signal: over })) {
      if (event.type !== "BOOKMARK") await write(event);
      else if (request.bookmarks) await write({ type: "BOOKMARK", object: { kind: request.definition.kind, apiVersion: request.definition.apiVersion, metadata: { resourceVersion: event.resourceVersion, creationTimestamp: null } } });
    }
  } catch (error) {
    if (gone.signal.aborted) return;
    if (isStall(error)) { response.destroy(); return; }
    const failure = asApiError(error);
    await write({ type: "ERROR", object: failure.toStatus() });
    if (failure.code !== 410) { response.end(); throw failure; }
  }
  response.end();
}

const isStall = (error: unknown): boolean => error instanceof Error && error.name === "AbortError";
