import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { runCommand } from "./adapter-command.ts";
import { copyConfig, end, makePlace, mountTmpfs, published, read, rename, start, type Place } from "./adapter-process.ts";

const needsRoot = process.getuid?.() === 0 ? false : "needs root: it mounts a file system";

type Case = { readonly name: string; readonly skip?: false | string; readonly prepare: (place: Place) => Place; readonly says: RegExp };

const impossible: readonly Case[] = [
  { name: "where no directory can be made", prepare: (place) => ({ ...place, state: "/proc/podkit/state" }), says: /cannot write the ledger \/proc\/podkit\/state\/ledger\.log: ENOENT.*; mount a writable volume at \/proc\/podkit\/state, or name another directory by stateDirectory \(PODKIT_STATE_DIRECTORY\)\n/ },
  {
    name: "whose place a file has",
    prepare(place) {
      writeFileSync(place.state, "");
      return place;
    },
    says: /EEXIST.*; a file stands in the place of .*\/state; remove it, or/,
  },
  {
    name: "on a volume mounted read-only", skip: needsRoot,
    prepare(place) {
      mountTmpfs(place.state, "size=1m,ro");
      return place;
    },
    says: /EROFS.*; mount the volume of .*\/state writable, or/,
  },
];

for (const { name, skip, prepare, says } of impossible) {
  test(`a state directory ${name}: run ends with 78 and the remedy before anything is adapted`, { skip: skip ?? false }, async () => {
    const place = prepare(makePlace());
    copyConfig(place);
    rename(place, "x.csv", "a\n1\n");
    const { code, stdout, told } = await runCommand("run", "--once", "--config", place.config);
    assert.deepEqual([code, stdout], [78, ""], told);
    assert.match(told, says);
    assert.deepEqual(published(place), []);
  });

  test(`a state directory ${name}: the adapter works from memory, is not ready and says the remedy`, { skip: skip ?? false }, async () => {
    const place = prepare(makePlace());
    copyConfig(place);
    rename(place, "x.csv", "a\n1\n");
    const adapter = await start(place);
    await eventually(() => published(place).length === 1);
    const { status, body } = await adapter.get("/readyz?verbose");
    assert.equal(status, 503);
    assert.match(body, says);
    await end(adapter);
  });
}

test("a state directory where none can be made: replay ends with 78 and the remedy, and doctor fails", async () => {
  const place = { ...makePlace(), state: "/proc/podkit/state" };
  copyConfig(place);
  const { code, stdout, told } = await runCommand("replay", "--config", place.config);
  assert.deepEqual([code, stdout], [78, ""], told);
  assert.match(told, /; mount a writable volume at \/proc\/podkit\/state, or/);
  const checked = await runCommand("doctor", "--config", place.config);
  assert.equal(checked.code, 78);
  assert.match(checked.stdout, /^FAIL +\/proc\/podkit\/state/m);
});

test("with a state volume that is full, run adapts what is there and ends with 75 and the remedy", { skip: needsRoot }, async () => {
  const place = makePlace();
  copyConfig(place);
  mountTmpfs(place.state, "size=64k");
  assert.throws(() => writeFileSync(join(place.state, "ballast"), Buffer.alloc(131_072)), { code: "ENOSPC" });
  rename(place, "x.csv", "a\n1\n");
  const { code, told } = await runCommand("run", "--once", "--config", place.config);
  assert.equal(code, 75, told);
  assert.match(told, /cannot write the ledger .*ENOSPC.*; free space on the volume of /);
  assert.equal(read(place, "x.csv"), "a\n1\n");
});
