import { openSqliteStore } from "../../../orchestrator/store/sqlite.ts";

/** A child process for the crash test: writes without end, eight at a time, and prints the key and revision of each write only when it was acknowledged. */
const store = openSqliteStore({ path: process.argv[2] ?? "", historyRevisions: 200 });
const writer = async (name: string): Promise<never> => {
  const result = await store.create(`/p/${name}`, JSON.stringify({ count: 0, filler: "x".repeat(500) }));
  let revision = result.kind === "created" ? result.revision : result.current.revision;
  for (let count = 1; ; count++) {
    const written = await store.update(`/p/${name}`, JSON.stringify({ count, filler: "x".repeat(500) }), revision);
    if (written.kind !== "updated") throw new Error(`unexpected ${written.kind}`);
    revision = written.revision;
    process.stdout.write(`${name} ${count} ${revision}\n`);
  }
};
await Promise.all(Array.from({ length: 8 }, (_, index) => writer(`${index}`)));
