import { createMemoryStore } from "../../../orchestrator/store/memory.ts";
import { storeContract } from "./store-contract.ts";

storeContract("memory", async (options) => createMemoryStore(options));
