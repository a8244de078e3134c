import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync, mkdirSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLog } from "../../../../kit/log.ts";
import { FileSink } from "../../../../sidecars/log-shipper/sinks/file-sink.ts";
import { eventually } from "../../../support/eventually.ts";
import { chunkOf, quick } from "./chunks.ts";

function place(): { readonly root: string; readonly path: string } & Disposable {
  const root = mkdtempSync(join(tmpdir(), "podkit-file-sink-"));
  return { root, path: join(root, "out.log"), [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}

const sinkAt = (path: string, options: { readonly rotateBytes?: number; readonly keep?: number } = {}): FileSink => new FileSink({ name: "file", path, rotateBytes: 0, keep: 5, ...options, ...quick });
const numbersIn = (path: string): readonly unknown[] => readFileSync(path, "utf8").split("\n").slice(0, -1).map((line) => (JSON.parse(line) as { record: { n: unknown } }).record.n);

test("Records are lines of JSON with time, tag and record", async () => {
  using at = place();
  const sink = sinkAt(at.path);
  await sink.deliver(chunkOf("a", [{ msg: 'grün "x"', n: 1.5, deep: { b: [1, null] } }], { tag: "t" }));
  await sink.close();
  assert.equal(readFileSync(at.path, "utf8"), '{"time":"2023-11-14T22:13:20.000000000Z","tag":"t","record":{"msg":"grün \\"x\\"","n":1.5,"deep":{"b":[1,null]}}}\n');
});

test("A file that others rename is left, and the next chunk goes to a new one; a truncated file goes on at its start", async () => {
  using at = place();
  const sink = sinkAt(at.path);
  await sink.deliver(chunkOf("a", [{ n: 1 }]));
  renameSync(at.path, `${at.path}.1`);
  await sink.deliver(chunkOf("b", [{ n: 2 }]));
  truncateSync(at.path);
  await sink.deliver(chunkOf("c", [{ n: 3 }]));
  rmSync(at.path);
  await sink.deliver(chunkOf("d", [{ n: 4 }]));
  await sink.close();
  assert.deepEqual(numbersIn(`${at.path}.1`), [1]);
  assert.deepEqual(numbersIn(at.path), [4]);
});

test("By size it is rotated between chunks, each in one file whole, and the oldest files beyond keep go", async () => {
  using at = place();
  const sink = sinkAt(at.path, { rotateBytes: 200, keep: 2 });
  for (let n = 0; n < 12; n += 2) await sink.deliver(chunkOf(`c${n}`, [{ n }, { n: n + 1 }]));
  await sink.close();
  assert.deepEqual(readdirSync(at.root).toSorted(), ["out.log", "out.log.1", "out.log.2"]);
  assert.deepEqual([numbersIn(`${at.path}.2`), numbersIn(`${at.path}.1`), numbersIn(at.path)], [[6, 7], [8, 9], [10, 11]]);
});

test("A file that cannot be written is told once in the log, and so is that it can be again", async () => {
  using at = place();
  const said: string[] = [];
  const log = createLog({ role: "test", level: "info", stream: { write: (line) => void said.push((JSON.parse(line) as { msg: string }).msg) } });
  mkdirSync(at.path);
  const sink = new FileSink({ name: "file", path: at.path, rotateBytes: 0, keep: 5, ...quick, log });
  const delivery = sink.deliver(chunkOf("a", [{ n: 1 }]));
  await eventually(() => sink.problem() !== undefined && said.length > 0);
  rmdirSync(at.path);
  await delivery;
  await sink.close();
  assert.deepEqual(said, ["Cannot write the sink's file; it is tried again for ever, and nothing is lost meanwhile", "The file can be written again"]);
});

test("A chunk larger than the limit has a file to itself", async () => {
  using at = place();
  const sink = sinkAt(at.path, { rotateBytes: 100, keep: 3 });
  await sink.deliver(chunkOf("a", [1, 2, 3, 4].map((n) => ({ n }))));
  await sink.deliver(chunkOf("b", [{ n: 5 }]));
  await sink.close();
  assert.deepEqual([numbersIn(`${at.path}.1`), numbersIn(at.path)], [[1, 2, 3, 4], [5]]);
});

test("A line that a crash has cut off stands alone", async () => {
  using at = place();
  writeFileSync(at.path, '{"time":"2023-');
  const sink = sinkAt(at.path);
  await sink.deliver(chunkOf("a", [{ n: 1 }]));
  await sink.close();
  const [cut, ...rest] = readFileSync(at.path, "utf8").split("\n");
  assert.equal(cut, '{"time":"2023-');
  assert.equal(rest.length, 2);
  assert.match(rest[0] ?? "", /"n":1/);
});

test("While nothing can be written nothing counts as delivered, and the order stays", async () => {
  using at = place();
  // A directory in the file's place: an obstacle also for root.
  mkdirSync(at.path);
  const sink = sinkAt(at.path);
  let done = 0;
  const deliveries = [1, 2].map((n) => sink.deliver(chunkOf(`c${n}`, [{ n }])).then(() => done++));
  await eventually(() => /cannot write/.test(sink.problem() ?? ""));
  assert.equal(done, 0);
  rmdirSync(at.path);
  await Promise.all(deliveries);
  assert.equal(sink.problem(), undefined);
  assert.deepEqual(numbersIn(at.path), [1, 2]);
  await sink.close();
});

test("What another process appends meanwhile is not overwritten", async () => {
  using at = place();
  const sink = sinkAt(at.path);
  await sink.deliver(chunkOf("a", [{ n: 1 }]));
  appendFileSync(at.path, '{"record":{"n":"foreign"}}\n');
  await sink.deliver(chunkOf("b", [{ n: 2 }]));
  await sink.close();
  assert.deepEqual(numbersIn(at.path), [1, "foreign", 2]);
});

test("A sink that is stopped before it could write says so", async () => {
  using at = place();
  mkdirSync(at.path);
  const sink = sinkAt(at.path);
  const delivery = sink.deliver(chunkOf("a", [{ n: 1 }]));
  await eventually(() => sink.problem() !== undefined);
  await sink.close();
  assert.deepEqual(await delivery, { kind: "stopped" });
});
