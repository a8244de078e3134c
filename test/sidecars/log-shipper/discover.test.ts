import assert from "node:assert/strict";
import fs, { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Discovery, identityOf, type Look } from "../../../sidecars/log-shipper/tail/discover.ts";
import { inodeKey } from "../../../sidecars/log-shipper/tail/tail-state.ts";

const rotations: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>> = {
  "to a name of its own": [["", ".3"]],
  "to a name that sorts before the others": [["", "-0"]],
  "in a chain, whose oldest goes": [[".1", ".2"], ["", ".1"]],
};

/** What a look finds while something happens after its `nth` listing of a directory or stat; undefined when it makes fewer. */
function lookWhile(t: TestContext, discovery: Discovery, nth: number, happen: () => void): Look | undefined {
  let calls = 0, isHappening = false;
  const after = <T>(result: T): T => {
    if (!isHappening && calls++ === nth) {
      isHappening = true;
      happen();
      isHappening = false;
    }
    return result;
  };
  const { readdirSync, statSync: stat } = fs;
  const mocks = [
    t.mock.method(fs, "readdirSync", (...words: Parameters<typeof readdirSync>) => after(readdirSync(...words))),
    t.mock.method(fs, "statSync", (...words: Parameters<typeof stat>) => after(stat(...words))),
  ];
  syncBuiltinESMExports();
  try {
    const look = discovery.look();
    return calls > nth ? look : undefined;
  } finally {
    for (const mock of mocks) mock.mock.restore();
    syncBuiltinESMExports();
  }
}

for (const [how, moves] of Object.entries(rotations)) {
  test(`a look that finds the next generation of a name finds the last one too, whenever it was rotated ${how}`, (t) => {
    let nth = 0, both = 0;
    for (let look: Look | undefined, isOver = false; !isOver; nth++) {
      const directory = mkdtempSync(join(tmpdir(), "podkit-discover-"));
      try {
        const path = join(directory, "app.log");
        for (const name of ["", ".1", ".2"]) writeFileSync(`${path}${name}`, name);
        const inode = inodeKey(identityOf(statSync(path, { bigint: true })));
        look = lookWhile(t, new Discovery({ patterns: [path], exclude: [] }), nth, () => {
          for (const [from, to] of moves) renameSync(`${path}${from}`, `${path}${to}`);
          writeFileSync(path, "next");
        });
        isOver = look === undefined;
        if (look?.matches.some((found) => found.inode !== inode) !== true) continue;
        both++;
        assert.ok(look.siblings.some((found) => found.inode === inode), `rotated after call ${nth}: ${look.siblings.map((found) => found.path).join(", ")}`);
      } finally {
        rmSync(directory, { recursive: true });
      }
    }
    assert.ok(nth > 5 && both > 0, `${nth} calls, ${both} with the next generation`);
  });
}
