import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { openSqliteStore } from "../../../orchestrator/store/sqlite.ts";
import { storeContract } from "./store-contract.ts";

const directory = mkdtempSync(join(tmpdir(), "podkit-store-"));
after(() => { rmSync(directory, { recursive: true, force: true }); });
let files = 0;
storeContract("sqlite", async (options) => openSqliteStore({ path: join(directory, `${files++}.sqlite`), ...options }));
