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
  const open: { readonly chunk: OutChunk; readonly end: number; readonly text: string; handed: boolean }[] = [];
  let toLeave = "", seed = 1;
  const chance = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const isWhole = ({ chunk, end, text }: (typeof open)[number]): boolean => chunk.bytes.toString("latin1", end - text.length, end) === text;
  for (let step = 0; step < 5_000; step += 1) {
    const text = `${step}:${String.fromCharCode(97 + chance(26)).repeat(chance(10) === 0 ? 16_000 + chance(60_000) : chance(3_000))}`, chunk = add(text);
    open.push({ chunk, end: chunk.used, text, handed: false });
    toLeave += text;
    if (chance(3) === 0) {
      out.flush();
      for (const run of open) run.handed = true;
    }
    const left = chance(4) === 0 ? sink.leave() : "";
    assert.ok(toLeave.startsWith(left), `at step ${step} other bytes leave than were sent`);
    toLeave = toLeave.slice(left.length);
    out.reuseChunk();
    // A reply comes to what has left; an error may come before, and for some time does.
    for (let run = open[0]; run?.handed === true && (toLeave === "" ? chance(4) > 0 : chance(8) > 0 && step % 50 < 10); run = open[0]) {
      assert.ok(isWhole(run), `at step ${step} an unanswered request is written over`);
      out.runEnded(run.chunk, toLeave !== "" || chance(2) === 0);
      open.shift();
    }
    const [oldest] = open;
    assert.ok(oldest === undefined || isWhole(oldest), `at step ${step} an unanswered request is written over`);
  }
});

test("a full chunk whose bytes have not left is not used again, though all its requests were refused", () => {
  const { sink, out, add } = scene(), texts = ["a", "b", "c", "d"].map((letter) => letter.repeat(15_000));
  const chunks = texts.map(add);
  out.flush();
  for (const chunk of chunks) out.runEnded(chunk, true);
  // Each of these chunks would be the one that was given back last.
  for (const letter of "efghijklm") texts.push(letter.repeat(15_000));
  for (const text of texts.slice(4)) add(text);
  out.flush();
  assert.equal(sink.leave() === texts.join(""), true);
});
