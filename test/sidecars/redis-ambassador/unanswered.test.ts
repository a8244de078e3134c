import assert from "node:assert/strict";
import { test } from "node:test";
import { nextWindow } from "../../../sidecars/redis-ambassador/connections/unanswered.ts";

const mebibyte = 1024 * 1024;

for (const [what, window, count, replyBytes, expected] of [
  ["small replies let twice as many requests go", 16, 16, 80, 32],
  ["a run without replies counts as one of small ones", 16, 1, 0, 32],
  ["it grows to a limit", 8192, 8192, 8192, 8192],
  ["replies that come to the limit of bytes keep it", 16, 32, 4 * mebibyte, 32],
  ["big replies let as few go as come to that limit", 64, 64, 64 * mebibyte, 4],
  ["one request may always go", 16, 1, 512 * mebibyte, 1],
  ["it grows again after big replies", 1, 1, 100, 2],
] as const) {
  test(`window of requests under way: ${what}`, () => assert.equal(nextWindow(window, count, replyBytes), expected));
}
