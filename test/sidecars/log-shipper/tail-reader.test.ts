import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ChunkMemory } from "../../../sidecars/log-shipper/delivery/chunk-memory.ts";
import { LineEncoder } from "../../../sidecars/log-shipper/encode/line-encoder.ts";
import { noExtraPairs, type RangeEncoder } from "../../../sidecars/log-shipper/encode/range-encoder.ts";
import { MsgpackWriter } from "../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { identityOf } from "../../../sidecars/log-shipper/tail/discover.ts";
import { TailReader, type RangeOptions, type ReadOutcome } from "../../../sidecars/log-shipper/tail/tail-reader.ts";
import { emptyFingerprint, headBytesMax } from "../../../sidecars/log-shipper/tail/tail-state.ts";
import { fingerprintBefore, TrackedFile } from "../../../sidecars/log-shipper/tail/tracked-file.ts";

type Stage = { readonly path: string; readonly file: TrackedFile; readonly next: (onEncode?: () => void) => Promise<ReadOutcome> };

/** A file that is followed from its start, in chunks of about `chunkBytes`; `onEncode` is called when a range has been read and not yet cut. */
async function withFile(content: string, chunkBytes: number, act: (stage: Stage) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "podkit-tail-reader-"));
  const path = join(directory, "app.log");
  writeFileSync(path, content);
  const fd = openSync(path, "r");
  try {
    const file = new TrackedFile({ ...identityOf(statSync(path, { bigint: true })), number: 1, path, generation: 0, content: "c", offset: 0, discarding: false, print: emptyFingerprint }, { replay: [], nowMs: 0 });
    file.fd = fd;
    const reader = new TailReader({ scope: "s", chunkBytes, flushMs: 0, buffer: Buffer.alloc(headBytesMax + chunkBytes + 1_024), memory: new ChunkMemory({ freeBytesMax: 1_024 }) });
    const lines = new LineEncoder({ format: "raw", lineMax: 512, longLines: "split", writer: new MsgpackWriter(64) });
    await act({
      path, file,
      next: async (onEncode) => {
        const encoder: RangeEncoder = { encode: (bytes, request) => (onEncode?.(), lines.encode(bytes, request)) };
        const range: RangeOptions = { tag: "t", extra: noExtraPairs, encoder, encodingByMark: false, holdMs: undefined, shaper: undefined, onDroppedLines: () => undefined };
        return await reader.next(file, range, { final: false, nowMs: 0 });
      },
    });
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  }
}

const text = Array.from({ length: 60 }, (_, index) => `line ${index} ${"x".repeat(index % 23)}\n`).join("");

for (const chunkBytes of [8, 40, 70, 300, 100_000]) {
  test(`in chunks of ${chunkBytes} bytes every line is read, and the fingerprint is the file's at each position`, async () => {
    await withFile(text, chunkBytes, async ({ file, next }) => {
      let outcome = await next();
      for (; outcome.kind === "range"; outcome = await next()) assert.deepEqual(file.print, fingerprintBefore(file.fd ?? -1, file.offset), `at ${file.offset}`);
      assert.deepEqual([outcome.kind, file.offset], ["caught-up", text.length]);
    });
  });

  // Less than a line is read again, with more, and then there are other lines.
  if (chunkBytes > 8) test(`a file that becomes another one between the reading and the cutting of a chunk of ${chunkBytes} bytes keeps the fingerprint of what was read`, async () => {
    await withFile(text, chunkBytes, async ({ path, file, next }) => {
      for (let ranges = 0; ranges < 4 && file.offset < text.length; ranges++) {
        writeFileSync(path, text);
        assert.equal((await next(() => writeFileSync(path, "another content, longer than what was read of the first".repeat(100)))).kind, "range");
        const inMemory = join(path, "..", "as-it-was");
        writeFileSync(inMemory, text);
        const fd = openSync(inMemory, "r");
        assert.deepEqual(file.print, fingerprintBefore(fd, file.offset), `at ${file.offset}`);
        closeSync(fd);
      }
      assert.equal((await next()).kind, "replaced", "what is there now is not what was read");
    });
  });
}
