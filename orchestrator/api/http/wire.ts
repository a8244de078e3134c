import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError, badRequest, internalError } from "../errors.ts";

/** Kubernetes' limit of a request body. */
export const bodyBytesMax = 3 * 1024 * 1024;

export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : internalError(error);
}

/** JSON of the body; undefined when there is none. Throws ApiError 413, 415 or 400. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readBody(request);
  if (text === "") return undefined;
  const type = (request.headers["content-type"] ?? "application/json").split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== "application/json") throw new ApiError({ code: 415, reason: "UnsupportedMediaType", message: `the body of the request was in an unknown format - accepted media types include: application/json; got ${type}` });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body of the request is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const tooLarge = (): ApiError => new ApiError({ code: 413, reason: "RequestEntityTooLarge", message: `Request entity too large: limit is ${bodyBytesMax}` });
  if (Number(request.headers["content-length"] ?? 0) > bodyBytesMax) throw tooLarge();
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

export function sendJson(response: ServerResponse, code: number, body: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(code, { "content-type": "application/json", "content-length": bytes.length, "cache-control": "no-cache, private" }).end(bytes);
}

export function sendText(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { "content-type": "text/plain; charset=utf-8", "content-length": Buffer.byteLength(text) }).end(text);
}

/** Answers with the Status; once an answer has begun there is only the end of the connection to say that it is not whole. */
export function sendError(request: IncomingMessage, response: ServerResponse, error: ApiError): void {
  if (response.headersSent) { response.destroy(); return; }
  // What is still coming of the body is not read, so the connection cannot serve another request.
  if (!request.complete) response.setHeader("connection", "close");
  sendJson(response, error.code, error.toStatus());
}

/** Writes and waits for room. Rejects when the reader takes nothing for `stallMs`, or is gone. */
export async function writeOut(response: ServerResponse, data: string | Uint8Array, options: { readonly signal: AbortSignal; readonly stallMs: number }): Promise<void> {
  options.signal.throwIfAborted();
  if (!response.write(data)) await once(response, "drain", { signal: AbortSignal.any([options.signal, AbortSignal.timeout(options.stallMs)]) });
}
