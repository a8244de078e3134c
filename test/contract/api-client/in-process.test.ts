import { systemClock } from "../../../kit/clock.ts";
import { createApi } from "../../../orchestrator/api/core.ts";
import { namespaces } from "../../../orchestrator/api/types/kinds.ts";
import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { apiClientContract } from "./api-client-contract.ts";

apiClientContract("in process", async () => {
  const store = createMemoryStore();
  const client = createApi({ store, clock: systemClock, random: Math.random });
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  return { client, compact: async () => { await store.compact(store.currentRevision()); }, close: async () => { await store.close(); } };
});
