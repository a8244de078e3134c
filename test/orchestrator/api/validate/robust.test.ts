import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isMap } from "../../../../orchestrator/api/validate/schema.ts";
import { validateObject } from "../../../../orchestrator/api/validate/validate-object.ts";
import { fullObjects, fullPods } from "./examples.ts";

/** Every place of a JSON value, as the keys that lead there. */
function places(value: unknown, at: readonly string[] = []): readonly (readonly string[])[] {
  const entries = Array.isArray(value) ? value.map((one: unknown, index) => [String(index), one] as const) : isMap(value) ? Object.entries(value) : [];
  return [at, ...entries.flatMap(([key, one]) => places(one, [...at, key]))];
}

function replaced(value: unknown, at: readonly string[], by: unknown): unknown {
  const [key, ...rest] = at;
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((one: unknown, index) => (String(index) === key ? replaced(one, rest, by) : one));
  return isMap(value) ? { ...value, [key]: replaced(value[key], rest, by) } : value;
}

const junk = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom<unknown>("", "-1", "..", "/../", 0, -1, 1.5, 2 ** 60, Number.NaN, true, null, [], {}, [null], [[]], [{}], { "": null }, "metadata.labels['", "1e99", "x".repeat(70)));
/** A valid object with some of its parts replaced by junk. */
const damaged = fc.constantFrom(...fullPods, ...fullObjects).chain((object) => fc.array(fc.tuple(fc.constantFrom(...places(object)), junk), { minLength: 1, maxLength: 4 }).map((changes) => changes.reduce<unknown>((value, [at, by]) => replaced(value, at, by), object)));

test("whatever part of an object is junk, the answer is faults or a stable object, never an exception", () => {
  fc.assert(
    fc.property(damaged, (value) => {
      const result = validateObject(value);
      if (result.kind === "ok") assert.deepEqual(validateObject(result.object), result);
      else for (const cause of result.causes) assert.ok(cause.message.length > 0 && cause.message.length < 1200, cause.message);
      assert.ok(result.kind === "ok" || result.causes.length > 0);
    }),
    { numRuns: 1500 },
  );
});

/** Every place of the first full Pod, in turn, with a value of no fitting type. */
test("a value of the wrong type is a fault at its very place", () => {
  const [object] = fullPods;
  for (const at of places(object).filter((one) => one.length > 1 && one[0] !== "status")) {
    const path = at.reduce((before, key) => (/^\d+$/.test(key) || /[./]/.test(key) || before.endsWith("labels") || before.endsWith("annotations") || before.endsWith("odeSelector") || /(limits|requests)$/.test(before) ? `${before}[${key}]` : `${before}.${key}`));
    const result = validateObject(replaced(object, at, [[7]]));
    assert.ok(result.kind === "invalid" && result.causes.some((cause) => cause.path.startsWith(path)), path);
  }
});
