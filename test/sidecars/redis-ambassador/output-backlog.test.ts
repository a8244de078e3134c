import assert from "node:assert/strict";
import { test } from "node:test";
import { giveBackBuffer, takeBuffer } from "../../../sidecars/redis-ambassador/protocol/big-buffers.ts";
import { OutputBacklog, type BackloggedOutput } from "../../../sidecars/redis-ambassador/connections/output-backlog.ts";
import { endOfSimpleReply, ReplyScanner } from "../../../sidecars/redis-ambassador/protocol/reply-scanner.ts";

class Output implements BackloggedOutput {
  waitingBytes: number;
  givenUp = 0;
  constructor(waitingBytes: number) {
    this.waitingBytes = waitingBytes;
  }
  giveUp(): void {
    this.givenUp += 1;
  }
}

test("when too much waits for all clients together, the one with the most is ended and the others stay", () => {
  const backlog = new OutputBacklog(10, 100), small = new Output(20), great = new Output(50), late = new Output(31);
  backlog.note(small);
  backlog.note(great);
  assert.deepEqual([small.givenUp, great.givenUp], [0, 0]);
  backlog.note(late);
  assert.deepEqual([small.givenUp, great.givenUp, late.givenUp], [0, 1, 0]);
});

test("what the kernel has taken meanwhile counts no more, and neither does who has gone", () => {
  const backlog = new OutputBacklog(10, 100), first = new Output(90), second = new Output(60);
  backlog.note(first);
  first.waitingBytes = 30;
  backlog.note(second);
  assert.deepEqual([first.givenUp, second.givenUp], [0, 0]);
  backlog.forget(second);
  backlog.note(new Output(70));
  assert.equal(first.givenUp, 0);
});

test("one client alone above the limit is ended once", () => {
  const backlog = new OutputBacklog(10, 100), output = new Output(101);
  backlog.note(output);
  assert.equal(output.givenUp, 1);
});

test("a buffer that was given back is used again, by requests of its size alone", () => {
  const buffer = takeBuffer(40_000);
  assert.equal(buffer.length, 65_536);
  giveBackBuffer(buffer);
  assert.notEqual(takeBuffer(70_000), buffer);
  assert.equal(takeBuffer(65_536), buffer);
  assert.notEqual(takeBuffer(65_536), buffer);
  assert.equal(takeBuffer(5_000_000).length, 5_000_000);
});

test("replies of the commonest shapes end where the scanner says, and what is cut or of another shape is left to it", () => {
  const replies = ["+OK\r\n", ":-12\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "$3\r\nabc\r\n", "$0\r\n\r\n", "$-1\r\n", `$120\r\n${"x".repeat(120)}\r\n`];
  for (const reply of replies) {
    const bytes = Buffer.from(`${reply}+next\r\n`), scanner = new ReplyScanner();
    assert.equal(endOfSimpleReply(bytes, 0, bytes.length), reply.length, reply);
    assert.equal(scanner.advance(bytes, 0, bytes.length), reply.length, reply);
    // What stands after the end is of an earlier read.
    for (let end = 0; end < reply.length; end += 1) assert.equal(endOfSimpleReply(bytes, 0, end), -1, `${JSON.stringify(reply)} cut at ${end}`);
  }
  for (const other of ["-ERR no\r\n", "$-x\r\n", "*1\r\n:1\r\n", "$?\r\n;0\r\n", "$\r\n\r\n", "=7\r\ntxt:abc\r\n", ">1\r\n:1\r\n"]) {
    const bytes = Buffer.from(other);
    assert.equal(endOfSimpleReply(bytes, 0, bytes.length), -1, other);
  }
});
