import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { StoreError, type Store, type StoreEvent, type StoreWatch } from "../../../orchestrator/store/store.ts";

export type StoreFactory = (options?: { readonly historyRevisions?: number }) => Promise<Store>;

/** What every store promises. */
export function storeContract(name: string, open: StoreFactory): void {
  const check = (sentence: string, body: (store: Store) => Promise<void>, options: { readonly historyRevisions?: number } = {}): void => {
    test(`${name}: ${sentence}`, { timeout: 180_000 }, async () => {
      const store = await open(options);
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });
  };

  check("each write gets the next revision of the whole store", async (store) => {
    assert.equal(store.currentRevision(), 0);
    assert.deepEqual(await store.create("/a", "1"), { kind: "created", revision: 1 });
    assert.deepEqual(await store.create("/b", "1"), { kind: "created", revision: 2 });
    assert.deepEqual(await store.update("/a", "2", 1), { kind: "updated", revision: 3 });
    assert.deepEqual(await store.delete("/b"), { kind: "deleted", revision: 4, previous: { key: "/b", value: "1", revision: 2 } });
    assert.equal(store.currentRevision(), 4);
  });

  check("what cannot be written takes no revision and says what is there", async (store) => {
    await store.create("/a", "1");
    const current = { key: "/a", value: "1", revision: 1 };
    assert.deepEqual(await store.create("/a", "2"), { kind: "exists", current });
    assert.deepEqual(await store.update("/a", "2", 7), { kind: "conflict", current });
    assert.deepEqual(await store.delete("/a", 7), { kind: "conflict", current });
    assert.deepEqual(await store.update("/x", "2", 1), { kind: "notFound" });
    assert.deepEqual(await store.delete("/x"), { kind: "notFound" });
    assert.equal(store.currentRevision(), 1);
    assert.deepEqual(await store.get("/a"), current);
    assert.equal(await store.get("/x"), undefined);
  });

  check("of many writers that saw the same revision exactly one wins", async (store) => {
    await store.create("/a", "start");
    const results = await Promise.all(Array.from({ length: 20 }, (_, writer) => store.update("/a", `${writer}`, 1)));
    assert.equal(results.filter((result) => result.kind === "updated").length, 1);
    assert.equal(results.filter((result) => result.kind === "conflict").length, 19);
  });

  check("a list gives the entries under the prefix in order of key, and the past while it is kept", async (store) => {
    for (const key of ["/p/b", "/p/a", "/q/a", "/p/c"]) await store.create(key, "1");
    await store.update("/p/a", "2", 2);
    await store.delete("/p/b");
    const now = await store.list("/p/");
    assert.equal(now.revision, 6);
    assert.deepEqual(now.entries, [{ key: "/p/a", value: "2", revision: 5 }, { key: "/p/c", value: "1", revision: 4 }]);
    const past = await store.list("/p/", { atRevision: 4 });
    assert.deepEqual(past.entries, [{ key: "/p/a", value: "1", revision: 2 }, { key: "/p/b", value: "1", revision: 1 }, { key: "/p/c", value: "1", revision: 4 }]);
    await assert.rejects(store.list("/p/", { atRevision: 7 }), isStoreError("FutureRevision"));
  });

  check("a watch yields history since its revision and then what comes, in order, of its prefix alone", async (store) => {
    await store.create("/p/a", "1");
    await store.create("/q/a", "1");
    await store.update("/p/a", "2", 1);
    const reader = read(store.watch("/p/", { afterRevision: 1, signal: AbortSignal.timeout(120_000) }));
    assert.deepEqual(await reader.next(), { kind: "put", key: "/p/a", value: "2", revision: 3, previous: { value: "1", revision: 1 } });
    const waiting = reader.next();
    await store.create("/q/b", "1");
    await store.delete("/p/a");
    assert.deepEqual(await waiting, { kind: "delete", key: "/p/a", value: "2", revision: 5, previous: { value: "2", revision: 3 } });
    await store.create("/p/a", "3");
    assert.deepEqual(await reader.next(), { kind: "put", key: "/p/a", value: "3", revision: 6, previous: undefined });
    await reader.stop();
  });

  check("a watch that is woken and overtaken by other keys in the same turn misses nothing", async (store) => {
    const reader = read(store.watch("/p/", { afterRevision: 0, signal: AbortSignal.timeout(120_000) }));
    for (let round = 0; round < 20; round++) {
      const next = reader.next();
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.all([store.create(`/q/${round}`, "1"), store.create(`/p/${round}`, "1"), store.create(`/r/${round}`, "1"), store.create(`/s/${round}`, "1")]);
      assert.equal((await next).key, `/p/${round}`);
    }
    await reader.stop();
  });

  check("a watch resumed from any event gives exactly the rest", async (store) => {
    for (let index = 0; index < 40; index++) await store.create(`/p/${index}`, "1");
    for (const from of [0, 1, 17, 39]) {
      const reader = read(store.watch("/p/", { afterRevision: from, signal: AbortSignal.timeout(120_000) }));
      const rest: number[] = [];
      while (rest.at(-1) !== 40) rest.push((await reader.next()).revision);
      assert.deepEqual(rest, Array.from({ length: 40 - from }, (_, index) => from + index + 1));
      await reader.stop();
    }
  });

  check("a mark of progress never names an event that was not yet taken", async (store) => {
    const watch = store.watch("/p/", { afterRevision: 0, signal: AbortSignal.timeout(120_000) });
    const reader = read(watch);
    await store.create("/p/a", "1");
    assert.equal((await reader.next()).revision, 1);
    assert.equal(watch.progress(), 0);
    const waiting = reader.next();
    await new Promise((resolve) => setImmediate(resolve));
    await store.create("/q/a", "1");
    assert.equal(watch.progress(), 2);
    await store.create("/p/b", "1");
    assert.equal((await waiting).revision, 3);
    await reader.stop();
  });

  check("a watch from the future is refused", async (store) => {
    await assert.rejects(read(store.watch("/", { afterRevision: 1, signal: AbortSignal.timeout(120_000) })).next(), isStoreError("FutureRevision"));
  });

  check("a watch ends without an error when its signal aborts", async (store) => {
    const stop = new AbortController();
    const seen: StoreEvent[] = [];
    const over = (async () => { for await (const event of store.watch("/", { afterRevision: 0, signal: stop.signal })) seen.push(event); })();
    await store.create("/a", "1");
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await over;
    assert.equal(seen.length, 1);
  });

  check("compaction forgets history but no entry, and a watch from before it is told so", async (store) => {
    await store.create("/a", "1");
    await store.update("/a", "2", 1);
    await store.create("/b", "1");
    await store.delete("/b");
    await store.update("/a", "3", 2);
    await store.compact(4);
    assert.equal(store.compactedRevision(), 4);
    assert.deepEqual((await store.list("/")).entries, [{ key: "/a", value: "3", revision: 5 }]);
    assert.deepEqual((await store.list("/", { atRevision: 4 })).entries, [{ key: "/a", value: "2", revision: 2 }]);
    await assert.rejects(store.list("/", { atRevision: 3 }), isStoreError("Compacted"));
    await assert.rejects(read(store.watch("/", { afterRevision: 3, signal: AbortSignal.timeout(120_000) })).next(), isStoreError("Compacted"));
    const reader = read(store.watch("/", { afterRevision: 4, signal: AbortSignal.timeout(120_000) }));
    assert.deepEqual(await reader.next(), { kind: "put", key: "/a", value: "3", revision: 5, previous: { value: "2", revision: 2 } });
    await reader.stop();
    await store.compact(2);
    assert.equal(store.compactedRevision(), 4);
  });

  check("history is bounded without being asked, and a watcher that does not read is cut off instead of kept in memory", async (store) => {
    const reader = read(store.watch("/", { afterRevision: 0, signal: AbortSignal.timeout(120_000) }));
    await store.create("/a", "0");
    await reader.next();
    let revision = 1;
    for (let index = 0; index < 300; index++) {
      const result = await store.update("/a", `${index}`, revision);
      assert.equal(result.kind, "updated");
      revision = result.kind === "updated" ? result.revision : revision;
    }
    assert.ok(store.currentRevision() - store.compactedRevision() <= 100 + 25, `history is ${store.currentRevision() - store.compactedRevision()}`);
    await assert.rejects((async () => { for (;;) await reader.next(); })(), isStoreError("Compacted"));
  }, { historyRevisions: 100 });

  test(`${name}: a closed store refuses work and ends its watches`, { timeout: 180_000 }, async () => {
    const store = await open();
    const over = (async () => { for await (const _ of store.watch("/", { afterRevision: 0, signal: AbortSignal.timeout(120_000) })); })();
    const last = store.create("/a", "1");
    await store.close();
    assert.deepEqual(await last, { kind: "created", revision: 1 });
    await over;
    await assert.rejects(store.create("/b", "1"), isStoreError("Closed"));
    await assert.rejects(store.get("/a"), isStoreError("Closed"));
  });

  test(`${name}: a hundred random operations leave what a plain map leaves, and a watch from the start replays to the same`, { timeout: 180_000 }, async () => {
    const key = fc.constantFrom("/p/a", "/p/b", "/p/c", "/q/a");
    const operation = fc.oneof(
      fc.record({ verb: fc.constant("create" as const), key, value: fc.string({ maxLength: 5 }) }),
      fc.record({ verb: fc.constant("update" as const), key, value: fc.string({ maxLength: 5 }), stale: fc.boolean() }),
      fc.record({ verb: fc.constant("delete" as const), key, stale: fc.boolean() }),
      fc.record({ verb: fc.constant("compact" as const), back: fc.nat({ max: 20 }) }),
    );
    await fc.assert(fc.asyncProperty(fc.array(operation, { minLength: 100, maxLength: 100 }), async (operations) => {
      const store = await open();
      try {
        await followsModel(store, operations);
      } finally {
        await store.close();
      }
    }), { numRuns: 15 });
  });
}

type Operation =
  | { readonly verb: "create"; readonly key: string; readonly value: string }
  | { readonly verb: "update"; readonly key: string; readonly value: string; readonly stale: boolean }
  | { readonly verb: "delete"; readonly key: string; readonly stale: boolean }
  | { readonly verb: "compact"; readonly back: number };

async function followsModel(store: Store, operations: readonly Operation[]): Promise<void> {
  const model = new Map<string, { readonly value: string; readonly revision: number }>();
  const stop = new AbortController();
  const replayed = new Map<string, { readonly value: string; readonly revision: number }>();
  const revisions: number[] = [];
  const replay = (async () => {
    for await (const event of store.watch("/", { afterRevision: 0, signal: stop.signal })) {
      assert.deepEqual(event.previous, replayed.get(event.key));
      revisions.push(event.revision);
      if (event.kind === "delete") replayed.delete(event.key);
      else replayed.set(event.key, { value: event.value, revision: event.revision });
    }
  })();
  replay.catch(() => undefined);
  let revision = 0;
  for (const operation of operations) {
    if (operation.verb === "compact") {
      // Wait for the replay, which is no slow watcher here.
      while (revisions.length < revision) await new Promise((resolve) => setImmediate(resolve));
      await store.compact(Math.max(0, revision - operation.back));
      continue;
    }
    const current = model.get(operation.key);
    switch (operation.verb) {
      case "create": {
        const result = await store.create(operation.key, operation.value);
        assert.equal(result.kind, current === undefined ? "created" : "exists");
        if (current === undefined) model.set(operation.key, { value: operation.value, revision: ++revision });
        break;
      }
      case "update": {
        const result = await store.update(operation.key, operation.value, operation.stale ? -1 : (current?.revision ?? 0));
        assert.equal(result.kind, current === undefined ? "notFound" : operation.stale ? "conflict" : "updated");
        if (result.kind === "updated") model.set(operation.key, { value: operation.value, revision: ++revision });
        break;
      }
      case "delete": {
        const result = await store.delete(operation.key, operation.stale ? -1 : undefined);
        assert.equal(result.kind, current === undefined ? "notFound" : operation.stale ? "conflict" : "deleted");
        if (result.kind === "deleted") { model.delete(operation.key); revision++; }
        break;
      }
      default: operation satisfies never;
    }
    assert.equal(store.currentRevision(), revision);
  }
  const { entries } = await store.list("/");
  assert.deepEqual(entries.map(({ key, ...rest }) => [key, rest] as const), [...model].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, { value, revision }]) => [key, { value, revision }] as const));
  while (revisions.length < revision) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await replay;
  assert.deepEqual(revisions, Array.from({ length: revision }, (_, index) => index + 1));
  assert.deepEqual(replayed, model);
}

export const isStoreError = (code: string) => (error: unknown): boolean => error instanceof StoreError && error.code === code;

/** One event at a time; `stop` ends the watch from the reader's side. */
function read(watch: StoreWatch): { next(): Promise<StoreEvent>; stop(): Promise<void> } {
  const iterator = watch[Symbol.asyncIterator]();
  return {
    async next() {
      const result = await iterator.next();
      if (result.done === true) throw new Error("the watch ended");
      return result.value;
    },
    async stop() { await iterator.return?.(); },
  };
}
