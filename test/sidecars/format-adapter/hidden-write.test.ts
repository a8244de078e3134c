// A write that the stat does not show, as before Linux 6.13 when it falls into the tick of the write before.
import assert from "node:assert/strict";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { adaptFile, type AdaptOutcome } from "../../../sidecars/format-adapter/adapt-file.ts";
import { contentHashOf } from "../../../sidecars/format-adapter/hash/content-hash.ts";
import { DirectorySync } from "../../../sidecars/format-adapter/publish/directory-sync.ts";
import { mayHideWrite } from "../../../sidecars/format-adapter/stat-key.ts";
import { parseAdapter } from "./support.ts";

for (const [name, aheadMs, expected] of [
  ["written long before", -1000, false],
  ["written more than a tick before", -21, false],
  ["written a tick before", -20, true],
  ["written just now", 0, true],
  ["written in the future", 86_400_000, true],
] as const) test(`a file ${name}: ${expected ? "its stat may hide the next write" : "its stat shows the next write"}`, () => assert.equal(mayHideWrite(BigInt(1_800_000_000_000 + aheadMs) * 1_000_000n, 1_800_000_000_000.4), expected));

/** What of a FileHandle is taken the place of. */
type Handles = { stat: () => Promise<unknown>; read: (room: Buffer, offset: number, length: number, at: number | null) => Promise<{ readonly bytesRead: number }> };

function isHandles(value: unknown): value is Handles {
  return typeof value === "object" && value !== null && "stat" in value && "read" in value;
}

const rows = 100_000;
const report = (value: string): string => `a\n${`${value}\n`.repeat(rows)}`;

/** Adapts a report that is rewritten, in the same size, when its second block is read; its stat stays what it was. Counts the bytes read. */
async function adaptHidden(context: TestContext, { writtenMsAgo, rewriteTo }: { readonly writtenMsAgo: number; readonly rewriteTo: string }): Promise<{ readonly outcome: AdaptOutcome; readonly output: string | undefined; readonly bytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), "hidden-write-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "r.csv");
  writeFileSync(path, report("1"));
  const handle = await open(path);
  const handles: unknown = Object.getPrototypeOf(handle);
  assert.ok(isHandles(handles));
  const stat = await handle.stat({ bigint: true });
  const { read } = handles;
  await handle.close();
  context.mock.method(handles, "stat", async () => stat);
  let reads = 0;
  let bytes = 0;
  context.mock.method(handles, "read", async function (this: Handles, ...given: Parameters<Handles["read"]>) {
    if (reads++ === 1) {
      const writer = openSync(path, "r+");
      writeSync(writer, rewriteTo);
      closeSync(writer);
    }
    const result = await read.apply(this, given);
    bytes += result.bytesRead;
    return result;
  });
  const adapter = parseAdapter(`watch: {dir: ${folder}, ready: [rename]}\nmappings:\n  m: {in: {format: csv, columns: {a: int64}}, out: {format: csv, file: "${folder}/out/{name}.csv"}, fields: {a: a}}\n`);
  const never = new AbortController();
  const outcome = await adaptFile({
    path, adapter, owner: "00000000", directories: new DirectorySync(), turn: { wait: async () => undefined, pass: () => undefined }, signal: never.signal,
    monotonicMs: () => performance.now(), nowMs: () => Number(stat.mtimeNs / 1_000_000n) + writtenMsAgo, ownerOf: () => undefined, isTaken: () => false, release: () => undefined, mayReplace: () => undefined,
    intend: async () => undefined, isAdapted: () => false,
  });
  context.mock.restoreAll();
  const output = join(folder, "out", "r.csv");
  return { outcome, output: existsSync(output) ? readFileSync(output, "utf8") : undefined, bytes };
}

test("a report written just now, and rewritten while it is read without a trace in its stat, is not published", async (context) => {
  const { outcome, output } = await adaptHidden(context, { writtenMsAgo: 0, rewriteTo: report("2") });
  assert.deepEqual([outcome.kind, output], ["torn", undefined]);
});

test("nor is it refused for what stands there half way", async (context) => {
  const { outcome } = await adaptHidden(context, { writtenMsAgo: 0, rewriteTo: report("x") });
  assert.equal(outcome.kind, "torn");
});

test("a report written just now that stays as it is is published", async (context) => {
  const { outcome, output } = await adaptHidden(context, { writtenMsAgo: 0, rewriteTo: report("1") });
  assert.deepEqual([outcome.kind, output, outcome.kind === "adapted" && outcome.content], ["adapted", report("1"), contentHashOf(Buffer.from(report("1")))]);
});

test("a report written long before is not read twice: its stat would show a write", async (context) => {
  const { outcome, bytes } = await adaptHidden(context, { writtenMsAgo: 60_000, rewriteTo: report("1") });
  assert.deepEqual([outcome.kind, bytes], ["adapted", report("1").length]);
});
