import assert from "node:assert/strict";
import { test } from "node:test";
import { OutQueue, type Sink } from "../../../sidecars/redis-ambassador/connections/out-queue.ts";
import type { OutChunk } from "../../../sidecars/redis-ambassador/connections/run.ts";

/** Keeps the slices that it is given, as a socket does, so that whatever is written over too early is seen. */
class SlowSink implements Sink {
  writableLength = 0;
  corked = 0;
  #slices: Uint8Array[] = [];
  write(bytes: Uint8Array): void {
    this.#slices.push(bytes);
    this.writableLength += bytes.length;
  }
  cork(): void {
    this.corked += 1;
  }
  uncork(): void {
    this.corked -= 1;
  }
  leave(): string {
    const text = Buffer.concat(this.#slices).toString("latin1");
    this.#slices = [];
    this.writableLength = 0;
    return text;
  }
}

function scene() {
  const sink = new SlowSink(), out = new OutQueue(sink);
  const add = (text: string): OutChunk => {
    const bytes = Buffer.from(`<${text}>`, "latin1");
    return out.addRun(bytes, 1, bytes.length - 1);
  };
  return { sink, out, add };
}

test("requests and raw bytes leave in the order in which they came, in as few writes as possible", () => {
  const { sink, out, add } = scene(), big = "b".repeat(20_000);
  add("one");
  add("two");
  out.addRaw(Buffer.from("raw"));
  add(big);
  add("three");
  assert.equal(out.flush(), 14 + big.length);
  assert.equal(sink.corked, 0);
  assert.equal(sink.leave(), `onetworaw${big}three`);
  assert.equal(out.flush(), 0, "there is nothing left");
});

test("a chunk is filled anew when its runs are answered and its bytes have left, and not before", () => {
  const { sink, out, add } = scene(), first = add("one"), second = add("two");
  assert.equal(second, first);
  out.flush();
  out.runEnded(first, false);
  out.reuseChunk();
  assert.equal(first.used, 6, "a run refers to it");
  out.runEnded(first, false);
  assert.equal(first.used, 6, "the socket has it");
  assert.equal(sink.leave(), "onetwo");
  out.reuseChunk();
  assert.deepEqual([first.used, add("three"), first.used], [0, first, 5]);
});

test("whatever is answered when, nothing is written over that has not left or may be sent again", () => {
  const { sink, out, add } = scene();
  const open: { readonly chunk: OutChunk; readonly end: number; readonly text: string }[] = [];
  let sent = "", left = "", seed = 1;
  const chance = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let step = 0; step < 5_000; step += 1) {
    const text = `${step}:${String.fromCharCode(97 + chance(26)).repeat(chance(10) === 0 ? 16_000 + chance(60_000) : chance(3_000))}`, chunk = add(text);
    open.push({ chunk, end: chunk.used, text });
    sent += text;
    if (chance(3) === 0) out.flush();
    if (chance(4) === 0) left = sink.leave();
    else left = "";
    if (left !== "") {
      assert.ok(sent.startsWith(left), `the bytes of step ${step} are not those that were sent`);
      sent = sent.slice(left.length);
    }
    // Only what has left can be answered.
    for (let mayEnd = sent === "" && open.length > 0; mayEnd && chance(4) > 0; mayEnd = open.length > 0) {
      const run = open.shift();
      assert.equal(run?.chunk.bytes.toString("latin1", run.end - run.text.length, run.end), run?.text);
      if (run !== undefined) out.runEnded(run.chunk, chance(2) === 0);
    }
    const oldest = open[0];
    if (oldest !== undefined) assert.equal(oldest.chunk.bytes.toString("latin1", oldest.end - oldest.text.length, oldest.end), oldest.text);
  }
});
