import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { destination } from "pino";
import { StdoutSink } from "../../../../sidecars/log-shipper/sinks/stdout-sink.ts";
import { eventually } from "../../../support/eventually.ts";
import { chunkOf, quick } from "./chunks.ts";

/** A pipe that holds 64 KiB and whose writer is told at once when it is full. */
function fullablePipe(): { readonly write: number; readonly readAll: () => string } & Disposable {
  const root = mkdtempSync(join(tmpdir(), "podkit-stdout-sink-"));
  const path = join(root, "pipe");
  execFileSync("mkfifo", [path]);
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const write = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(1 << 20);
  return {
    write,
    readAll: () => {
      try {
        return buffer.toString("utf8", 0, readSync(read, buffer));
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "EAGAIN") return "";
        throw error;
      }
    },
    [Symbol.dispose]: () => {
      closeSync(read);
      rmSync(root, { recursive: true });
    },
  };
}

const big = chunkOf("big", Array.from({ length: 2_000 }, (_, n) => ({ n, filler: "x".repeat(80) })));

test("The flush of pino's asynchronous destination calls back before the bytes are written", async () => {
  using pipe = fullablePipe();
  const stream = destination({ dest: pipe.write, sync: false });
  stream.write("x".repeat(200_000));
  await new Promise<void>((resolve, reject) => stream.flush((error) => (error instanceof Error ? reject(error) : resolve())));
  let read = "";
  let drained = false;
  stream.on("drain", () => (drained = true));
  await eventually(() => {
    read += pipe.readAll();
    return read.length > 0;
  });
  assert.ok(read.length < 200_000, "the pipe cannot have held it all");
  assert.equal(drained, false, "the event that the sink waits for has not come");
  await eventually(() => {
    read += pipe.readAll();
    return drained;
  });
  read += pipe.readAll();
  assert.equal(read.length, 200_000);
  stream.end();
});

test("A chunk counts as delivered when the pipe has taken all of it, not before", async () => {
  using pipe = fullablePipe();
  const sink = new StdoutSink({ name: "stdout", fd: pipe.write, ...quick });
  let outcome = "";
  void sink.deliver(big).then(({ kind }) => (outcome = kind));
  const after = sink.deliver(chunkOf("after", [{ n: "after" }]));
  let read = "";
  await eventually(() => {
    if (outcome === "") read += pipe.readAll();
    return outcome !== "";
  });
  assert.ok(read.length > 65_536);
  assert.equal(outcome, "delivered");
  assert.equal((await after).kind, "delivered");
  read += pipe.readAll();
  const numbers = read.split("\n").slice(0, -1).map((line) => (JSON.parse(line) as { record: { n: unknown } }).record.n);
  assert.deepEqual(numbers, [...Array(2_000).keys(), "after"]);
  await sink.close();
});

test("A pipe that nobody reads keeps the chunk, and the end does not wait for it", async () => {
  using pipe = fullablePipe();
  const sink = new StdoutSink({ name: "stdout", fd: pipe.write, ...quick });
  const delivery = sink.deliver(big);
  await new Promise((resolve) => void setImmediate(resolve));
  await sink.close();
  assert.deepEqual(await delivery, { kind: "stopped" });
});

test("A broken pipe is reported and nothing counts as delivered", async () => {
  const pipe = fullablePipe();
  const sink = new StdoutSink({ name: "stdout", fd: pipe.write, ...quick });
  pipe[Symbol.dispose]();
  const delivery = sink.deliver(chunkOf("a", [{ n: 1 }]));
  await eventually(() => /EPIPE/.test(sink.problem() ?? ""));
  await sink.close();
  assert.deepEqual(await delivery, { kind: "stopped" });
});
