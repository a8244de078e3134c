import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { systemClock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import { connectApi } from "../../../orchestrator/api/http/client.ts";
import { serveApi } from "../../../orchestrator/api/http/server.ts";
import { namespaces } from "../../../orchestrator/api/types/kinds.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { apiClientContract } from "./api-client-contract.ts";

const directory = mkdtempSync(join(tmpdir(), "podkit-api-"));
after(() => { rmSync(directory, { recursive: true, force: true }); });
let sockets = 0;

apiClientContract("over HTTP", async () => {
  const store = createMemoryStore();
  const core = createApi({ store, clock: systemClock, random: Math.random });
  await core.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  const stop = new AbortController();
  const socketPath = join(directory, `${sockets++}.sock`);
  const server = await serveApi({ client: core, streams: () => undefined, listen: { socketPath }, log: createLog({ role: "test", level: "silent" }), signal: stop.signal });
  const client = connectApi({ socketPath });
  return {
    client, compact: async () => { await store.compact(store.currentRevision()); },
    close: async () => {
      await client.close();
      stop.abort();
      await server.done;
      await store.close();
    },
  };
});
