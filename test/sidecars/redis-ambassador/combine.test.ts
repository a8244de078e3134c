import assert from "node:assert/strict";
import { test } from "node:test";
import { combine, elementsOf, type Combining } from "../../../sidecars/redis-ambassador/cluster/combine.ts";

const check = (how: Combining, frames: readonly string[], expected: string | RegExp, places?: readonly (readonly number[])[]): void => {
  const got = combine(how, frames.map((frame) => Buffer.from(frame)), places).toString();
  if (typeof expected === "string") assert.equal(got, expected);
  else assert.match(got, expected);
};

test("numbers are added, compared and joined by logic, also beyond what a double holds", () => {
  check("agg_sum", [":1\r\n", ":2\r\n", ":0\r\n"], ":3\r\n");
  check("agg_sum", [":9007199254740993\r\n", ":1\r\n"], ":9007199254740994\r\n");
  check("agg_min", [":3\r\n", ":-1\r\n"], ":-1\r\n");
  check("agg_max", [":3\r\n", ":5\r\n"], ":5\r\n");
  check("agg_logical_and", [":1\r\n", ":0\r\n"], ":0\r\n");
  check("agg_logical_or", [":0\r\n", ":1\r\n"], ":1\r\n");
});

test("lists of numbers are joined element by element", () => {
  check("agg_logical_and", ["*2\r\n:1\r\n:1\r\n", "*2\r\n:1\r\n:0\r\n"], "*2\r\n:1\r\n:0\r\n");
  check("agg_min", ["*2\r\n:1\r\n:2\r\n", "*2\r\n:0\r\n:7\r\n"], "*2\r\n:0\r\n:2\r\n");
  check("agg_min", ["*2\r\n:1\r\n:2\r\n", "*1\r\n:0\r\n"], /^-ERR podkit ambassador: /);
  check("agg_sum", ["+OK\r\n", "+OK\r\n"], /^-ERR podkit ambassador: /);
});

test("elements come in the order of the keys, whatever they are", () => {
  check("by-key", ["*2\r\n$1\r\na\r\n$-1\r\n", "*1\r\n_\r\n", "*1\r\n*2\r\n:1\r\n$2\r\n\r\n\r\n"], "*4\r\n_\r\n$1\r\na\r\n*2\r\n:1\r\n$2\r\n\r\n\r\n$-1\r\n", [[1, 3], [0], [2]]);
  check("by-key", ["*2\r\n:1\r\n:2\r\n"], /other lengths/, [[0]]);
});

test("lists follow one another, empty ones too, and keep their type", () => {
  check("concat", ["*1\r\n$1\r\na\r\n", "*0\r\n", "*1\r\n$1\r\nb\r\n"], "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  check("concat", ["~1\r\n+a\r\n", "~1\r\n+b\r\n"], "~2\r\n+a\r\n+b\r\n");
});

test("one error makes the whole an error, unless one success is enough", () => {
  check("all_succeeded", ["+OK\r\n", "+OK\r\n"], "+OK\r\n");
  check("all_succeeded", ["+OK\r\n", "-NOPERM no\r\n"], "-NOPERM no\r\n");
  check("agg_sum", [":1\r\n", "-OOM full\r\n"], "-OOM full\r\n");
  check("by-key", ["*1\r\n:1\r\n", "!5\r\nERR x\r\n"], "!5\r\nERR x\r\n", [[0], [1]]);
  check("one_succeeded", ["-NOTBUSY none\r\n", "+OK\r\n"], "+OK\r\n");
  check("one_succeeded", ["-NOTBUSY none\r\n", "-NOTBUSY two\r\n"], "-NOTBUSY none\r\n");
});

test("an attribute before a value does not hide it", () => {
  check("agg_sum", ["|1\r\n+ttl\r\n:9\r\n:1\r\n", ":2\r\n"], ":3\r\n");
  check("all_succeeded", ["+OK\r\n", "|1\r\n+k\r\n*1\r\n:1\r\n-ERR no\r\n"], "|1\r\n+k\r\n*1\r\n:1\r\n-ERR no\r\n");
});

test("what is no list has no elements", () => {
  assert.equal(elementsOf(Buffer.from("*-1\r\n")), undefined);
  assert.equal(elementsOf(Buffer.from("+OK\r\n")), undefined);
});
