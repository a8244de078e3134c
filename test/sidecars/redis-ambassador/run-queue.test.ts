import assert from "node:assert/strict";
import { test } from "node:test";
import { nobody, runWithoutBytes, type Run, type RunOwner } from "../../../sidecars/redis-ambassador/connections/run.ts";
import { byOwner, RunQueue } from "../../../sidecars/redis-ambassador/connections/run-queue.ts";

const owner = (): RunOwner => ({ ...nobody });
const runOf = (whose: RunOwner, more: Partial<Run> = {}): Run => ({ ...runWithoutBytes(whose, undefined, 0), handed: false, onlyReads: true, ...more });

function queueOf(...runs: readonly Run[]): RunQueue {
  const queue = new RunQueue();
  for (const run of runs) queue.push(run);
  return queue;
}

test("runs come out in their order, however many there are and however many are left", () => {
  const one = owner(), runs = Array.from({ length: 10_000 }, () => runOf(one)), queue = new RunQueue();
  let next = 0;
  for (const [sent, run] of runs.entries()) {
    queue.push(run);
    // One is answered for every two that are sent.
    if (next * 2 < sent) {
      assert.equal(queue.first, runs[next]);
      queue.shift();
      next += 1;
    }
  }
  assert.equal(queue.length, runs.length - next);
  assert.deepEqual([queue.takeAll().length, queue.length, queue.first], [runs.length - next, 0, undefined]);
});

test("what is taken away after some were answered begins with the first unanswered", () => {
  const one = owner(), first = runOf(one), second = runOf(one), third = runOf(one), queue = queueOf(first, second, third);
  queue.shift();
  assert.deepEqual(queue.takeAll(), [second, third]);
});

test("what was queued since the last time is handed over", () => {
  const one = owner(), first = runOf(one), second = runOf(one), queue = queueOf(first);
  queue.handOver();
  queue.push(second);
  assert.deepEqual([first.handed, second.handed], [true, false]);
  queue.handOver();
  assert.equal(second.handed, true);
});

test("a connection serves one owner only when all others have left", () => {
  const one = owner(), other = owner(), queue = queueOf(runOf(one), runOf(other), runOf(one));
  assert.deepEqual([queue.servesOnly(one), queue.servesOnly(other)], [false, false]);
  queue.disown(other);
  assert.equal(queue.servesOnly(one), true);
});

test("only owners who have asked for reads alone and have got nothing yet lose their runs", () => {
  const keeper = owner(), reader = owner(), writer = owner(), answered = owner(), partly = owner();
  const runs = [
    runOf(keeper), runOf(reader, { count: 2 }), runOf(writer), runOf(answered, { count: 2, replied: 1 }), runOf(partly, { partial: true }), runOf(nobody), runOf(reader), runOf(writer, { onlyReads: false }),
  ];
  const queue = queueOf(...runs), shed = queue.shedReads(keeper);
  assert.deepEqual([...shed], [[reader, [runs[1], runs[6]]]]);
  assert.equal(runs[1]?.owner, reader, "the owner gets its runs as they were");
  const left = queue.takeAll();
  assert.deepEqual(left.map((run) => run.owner), [keeper, nobody, writer, answered, partly, nobody, nobody, writer]);
  assert.deepEqual(left.map((run) => run.count), runs.map((run) => run.count), "as many replies are awaited as before");
});

test("the runs of each owner stay in their order", () => {
  const one = owner(), other = owner(), runs = [runOf(one), runOf(other), runOf(one)];
  assert.deepEqual([...byOwner(runs)], [[one, [runs[0], runs[2]]], [other, [runs[1]]]]);
});
