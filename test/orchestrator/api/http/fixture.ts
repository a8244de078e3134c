import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext } from "node:test";
import { systemClock } from "../../../../kit/clock.ts";
import { createLog } from "../../../../kit/log.ts";
import type { ApiClient } from "../../../../orchestrator/api/client.ts";
import { createApi } from "../../../../orchestrator/api/core.ts";
import { type ApiConnection, connectApi } from "../../../../orchestrator/api/http/client.ts";
import { serveApi } from "../../../../orchestrator/api/http/server.ts";
import type { NodeStreams } from "../../../../orchestrator/api/node-streams.ts";
import { namespaces } from "../../../../orchestrator/api/types/kinds.ts";
import { createMemoryStore } from "../../../../orchestrator/store/memory.ts";
import type { Store } from "../../../../orchestrator/store/store.ts";

const directory = mkdtempSync(join(tmpdir(), "podkit-http-"));
after(() => { rmSync(directory, { recursive: true, force: true }); });
let sockets = 0;

export type HttpFixture = { readonly core: ApiClient; readonly store: Store; readonly socketPath: string; readonly url: string; readonly api: ApiConnection; readonly stop: () => Promise<void> };

/** A server on a Unix socket and one on TCP over the same core, and a client of the first. */
export async function serveForTest(context: TestContext, options: { readonly streams?: NodeStreams; readonly historyRevisions?: number } = {}): Promise<HttpFixture> {
  const store = createMemoryStore(options.historyRevisions === undefined ? {} : { historyRevisions: options.historyRevisions });
  const core = createApi({ store, clock: systemClock, random: Math.random });
  await core.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  const stopping = new AbortController();
  const socketPath = join(directory, `${sockets++}.sock`);
  const common = { client: core, streams: () => options.streams, log: createLog({ role: "test", level: "silent" }), signal: stopping.signal };
  const servers = [await serveApi({ ...common, listen: { socketPath } }), await serveApi({ ...common, listen: { host: "127.0.0.1", port: 0 } })];
  const tcp = servers[1]?.address;
  const api = connectApi({ socketPath });
  const stop = async (): Promise<void> => {
    await api.close();
    stopping.abort();
    await Promise.all(servers.map(async (server) => await server.done));
    await store.close();
  };
  context.after(stop);
  return { core, store, socketPath, url: tcp !== undefined && "port" in tcp ? `http://127.0.0.1:${tcp.port}` : "", api, stop };
}
