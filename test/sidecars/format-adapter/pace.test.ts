import assert from "node:assert/strict";
import { test } from "node:test";
import { convertReport } from "../../../sidecars/format-adapter/convert.ts";
import { Pace } from "../../../sidecars/format-adapter/pace.ts";
import { mappingOf } from "./support.ts";

/** The sizes of the blocks that a conversion of this many bytes asks for, when it takes so many ms for a KiB. */
async function blocksOf(bytes: number, msPerKib: number): Promise<{ readonly blocks: readonly number[]; readonly text: string }> {
  const text = Buffer.from(`a\n${"12345678\n".repeat(Math.floor(bytes / 9))}`);
  let nowMs = 0;
  let at = 0;
  const blocks: number[] = [];
  const pieces: Buffer[] = [];
  // Time passes only between the two looks at the clock that enclose the work.
  let isWork = false;
  const pace = new Pace(() => {
    if (isWork) nowMs += ((blocks.at(-1) ?? 0) / 1024) * msPerKib;
    isWork = !isWork;
    return nowMs;
  });
  await convertReport({
    mapping: mappingOf({ in: "{format: csv}", fields: "{b: a}" }), takeUnfinished: false, signal: new AbortController().signal, pace,
    source: { read(room) {
      const count = text.copy(room, 0, at);
      at += count;
      if (count > 0) blocks.push(count);
      return Promise.resolve(count);
    } },
    write: (piece) => Promise.resolve(void pieces.push(Buffer.from(piece))),
  });
  return { blocks, text: Buffer.concat(pieces).toString() };
}

test("blocks become larger while they are quick and smaller while they are slow, and the output does not depend on them", async () => {
  const quick = await blocksOf(8_000_000, 0.001);
  const slow = await blocksOf(8_000_000, 0.5);
  assert.ok(Math.max(...quick.blocks) > 500_000, quick.blocks.join(" "));
  // At 0.5 ms per KiB 32 KiB take 16 ms: neither slow nor quick.
  assert.ok(slow.blocks.slice(3).every((bytes) => bytes <= 32_768), slow.blocks.join(" "));
  assert.equal(quick.text, slow.text);
  assert.equal(quick.text.length, 2 + 9 * Math.floor(8_000_000 / 9));
});
