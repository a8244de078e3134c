import assert from "node:assert/strict";
import { test } from "node:test";
import { editDistance, nearest } from "../../kit/nearest.ts";

const known = ["flushMs", "restartPolicy", "Pod", "image"];
for (const [word, expected] of [["flushms", "flushMs"], ["fulshMs", "flushMs"], ["Pdo", "Pod"], ["restartPolciy", "restartPolicy"], ["imgae", "image"], ["completelyElse", undefined], ["x", undefined]] as const) {
  test(`"${word}" is ${expected === undefined ? "near nothing" : `taken for "${expected}"`}`, () => assert.equal(nearest(word, known), expected));
}

test("the distance counts insertions, deletions, substitutions and swaps", () => {
  assert.equal(editDistance("", "abc"), 3);
  assert.equal(editDistance("abc", "acb"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
});
