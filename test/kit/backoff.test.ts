import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffDelayMs } from "../../kit/backoff.ts";

const policy = { initialMs: 10, maxMs: 1000, factor: 2, jitter: 0 };

for (const [attempt, expected] of [[0, 10], [1, 20], [5, 320], [7, 1000], [5000, 1000]] as const) {
  test(`attempt ${attempt} waits ${expected} ms`, () => assert.equal(backoffDelayMs(policy, attempt, () => 0.5), expected));
}

test("the delay stays between its fixed share and the maximum, whatever the jitter", () => {
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 0.999999, noNaN: true }), (attempt, jitter, drawn) => {
      const delayMs = backoffDelayMs({ ...policy, jitter }, attempt, () => drawn);
      const full = Math.min(1000, 10 * 2 ** attempt);
      return delayMs >= full * (1 - jitter) - 1e-6 && delayMs <= full + 1e-6;
    }),
  );
});

test("a policy that cannot be is refused", () => {
  assert.throws(() => backoffDelayMs({ ...policy, initialMs: 2000 }, 0, Math.random), /initialMs <= maxMs/);
  assert.throws(() => backoffDelayMs({ ...policy, factor: 0.5 }, 0, Math.random), /factor >= 1/);
});
