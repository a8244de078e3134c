import assert from "node:assert/strict";
import { test } from "node:test";
import { ensureBaseImages } from "../../images/base-images.ts";
import { debianObstacle } from "../../images/debian/apt.ts";
import type { ImageEngine } from "../../images/engine.ts";
import type { BaseKind } from "../../images/kinds.ts";

const kind: BaseKind = {
  name: "busybox", suite: "trixie", upstream: "busybox:1", title: "A kind", licences: "MIT", packages: ["p"], skip: new Set(), ingredients: () => [], changes: [],
  assemble: async () => [{ path: "a", mode: 0o644, uid: 0, gid: 0, kind: "bytes", bytes: Buffer.from("a") }],
};
const architecture = process.arch === "x64" ? "amd64" : process.arch;

/** An engine that has nothing, and takes what it is given. */
function emptyEngine(): { readonly engine: ImageEngine; readonly done: string[] } {
  const done: string[] = [];
  const drain = async (archive: AsyncIterable<Uint8Array>): Promise<void> => { for await (const _ of archive); };
  const absent = async (): Promise<never> => assert.fail("nobody asks for it");
  return {
    done,
    engine: {
      version: absent, runAndCollect: absent, close: absent, removeIfUnused: async () => undefined, inspect: async () => undefined,
      importArchive: async ({ archive }) => { await drain(archive); done.push("assembled"); },
      build: async ({ context }) => { await drain(context); done.push("labelled"); },
      pull: async () => { done.push("pulled"); },
    },
  };
}

/** Packages that cannot be fetched the first times. */
async function make(failures: number, kinds: readonly BaseKind[] = [kind]): Promise<{ readonly done: string[]; readonly said: string[]; readonly opened: boolean[] }> {
  const { engine, done } = emptyEngine();
  const said: string[] = [], opened: boolean[] = [];
  let tries = 0;
  await ensureBaseImages(kinds, {
    engine, architecture, policy: "auto", version: "1", cacheDirectory: "/nowhere", refresh: false, nowMs: 0, say: (line) => said.push(line), pausesMs: [1, 1],
    open: async ({ refresh }) => {
      opened.push(refresh);
      return { resolve: async () => [], download: async () => { if (++tries <= failures) throw new Error("404 Not Found"); return "/nowhere"; } };
    },
  });
  return { done, said, opened };
}

/** Assembling asks for the tools of a Debian machine before it asks for packages. */
const skip = debianObstacle() ?? false;

test("packages are fetched once where that succeeds", { skip }, async () => {
  assert.deepEqual(await make(0), { done: ["assembled"], said: [], opened: [false] });
});

test("a package that the mirror has taken away is fetched with renewed lists, and that is told", { skip }, async () => {
  assert.deepEqual(await make(1), { done: ["assembled"], said: ["busybox: trying again in 0.001 s: 404 Not Found"], opened: [false, true] });
});

test("what cannot be fetched at all is pulled, and no other kind waits for it again", { skip }, async () => {
  const { done, said, opened } = await make(4, [kind, { ...kind, name: "redis" }]);
  assert.deepEqual([done.toSorted(), opened], [["labelled", "labelled", "pulled", "pulled"], [false, true, true]]);
  assert.equal(said.filter((line) => line.includes("trying again")).length, 2);
});
