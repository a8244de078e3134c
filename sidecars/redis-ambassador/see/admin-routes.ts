import type { ServerResponse } from "node:http";
import type { Admin } from "../../../kit/admin-server.ts";
import { explain } from "./explain.ts";
import type { Hub } from "../hub.ts";
import { splitInline } from "../protocol/inline.ts";

const commandBytesMax = 16 * 1024;

/** What the ambassador tells to who asks from the Pod itself: keys may be confidential. */
export function addAdminRoutes(admin: Admin, hub: Hub): void {
  const get = (path: string, answer: (query: URLSearchParams) => unknown): void => admin.addRoute({
    method: "GET", path, loopbackOnly: true,
    handle: (request, response) => sendJson(response, answer(new URL(request.url ?? "", "http://localhost").searchParams)),
  });
  get("/hotkeys", () => ({ keys: hub.hotKeysNow() }));
  get("/slowlog", () => ({ total: hub.slowLog.total, entries: hub.slowLog.list() }));
  get("/dryrun", () => ({ dryRun: hub.settings.dryRun, reads: hub.router.dryRun }));
  get("/explain", (query) => explainQuery(hub, query));
}

/** A query that cannot be answered, with what would help. */
class QueryError {
  readonly error: string;
  constructor(error: string) {
    this.error = error;
  }
}

function explainQuery(hub: Hub, query: URLSearchParams): unknown {
  const command = query.get("command") ?? "";
  const words = command.length > commandBytesMax ? undefined : splitInline(Buffer.from(command));
  if (words === undefined || words.length === 0) return new QueryError("expected ?command= with a command as redis-cli takes it, such as /explain?command=GET%20user:1");
  return explain(hub, words.map((word) => Buffer.from(word).toString())) ?? new QueryError("the command table is not loaded yet; see /readyz");
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(body instanceof QueryError ? 400 : 200, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body, undefined, 2)}\n`);
}
