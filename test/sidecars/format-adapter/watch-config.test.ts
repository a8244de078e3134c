import assert from "node:assert/strict";
import { test } from "node:test";
import { watchHints } from "../../../sidecars/format-adapter/watch/watch-hints.ts";
import { parseAdapter, parseConfig } from "./support.ts";

const text = (watch: string, more = "", file = "/o/{name}.csv", format = "csv"): string => `watch: {dir: /in, match: "*.csv"${watch}}\n${more}mappings:\n  m: {in: {format: ${format}}, out: {format: csv, file: "${file}"}, fields: {a: a}}\n`;

for (const [name, config, expected] of [
  ["a done-file without a pattern", text(", ready: [done-file]"), /ready\[0\]: needs a pattern: \{done-file: \{pattern: "\{file\}\.done"\}\}/],
  ["a done-file that is the report", text(', ready: [{done-file: {pattern: "{file}"}}]'), /done-file\.pattern: expected a name such as "\{file\}\.done"/],
  ["a done-file elsewhere", text(', ready: [{done-file: {pattern: "../{file}"}}]'), /expected a name such as/],
  ["one look", text(", ready: [{stable: {checks: 1}}]"), /stable\.checks: expected a whole number from 2 to 100, got "1"/],
  ["two rules in one item", text(", ready: [{stable: {quiet: 1s}, closed: {}}]"), /holds several rules; make each an item of the list/],
  ["append with complete", text(", ready: [complete, append]", "", "/o/{name}.{segment}.csv"), /"append" adapts a report while it grows; only "rename" goes with it/],
  ["append without a segment", text(", ready: [append]"), /needs \{segment\} in \/o\/\{name\}\.csv, as in \{name\}\.\{segment\}\.csv/],
  ["a segment without append", text("", "", "/o/{name}.{segment}.csv"), /has \{segment\} in .*which only "ready: \[append\]" makes/],
  ["append of what has an end", text(", ready: [append]", "", "/o/{name}.{segment}.csv", "json"), /reads json; only csv and ndjson can be adapted while they grow/],
  ["no limit in a retention", text("", "retention: {inputs: {}}\n"), /retention\.inputs: needs maxAge, maxCount or maxBytes/],
  ["a size that is none", text("", "retention: {outputs: {maxBytes: many}}\n"), /maxBytes: expected a size such as 100MiB, got "many"/],
  ["an age that is none", text("", "retention: {outputs: {maxAge: old}}\n"), /maxAge: expected a duration such as 500ms, got "old"/],
  ["too many at a time", text("", "concurrency: 1000\n"), /concurrency: expected a whole number from 1 to 64, got "1000"/],
  ["one manifest for all", text("", "publish: {manifest: manifest.json}\n"), /publish\.manifest: needs \{file\} or \{name\}/],
  ["manifest and done-file of one name", text("", 'publish: {manifest: "{file}.x", done: "{file}.x"}\n'), /publish: manifest and done must have two names/],
  ["an order that is none", text("", "order: size\n"), /order: expected one of name, mtime, none/],
] as const) {
  test(`refused: ${name}`, () => {
    const outcome = parseConfig(config);
    assert.match("problems" in outcome ? outcome.problems.join("\n") : "", expected);
  });
}

test("what is not said has its default, what is said is read", () => {
  const { watch, order, concurrency, onDelete, onMappingChange, retention, publish } = parseAdapter(text(""));
  assert.deepEqual({ watch, order, concurrency, onDelete, onMappingChange, retention, publish }, {
    watch: { directory: "/in", match: "*.csv", reconcileMs: 10_000, ready: { rename: true, complete: true, stable: undefined, doneFile: undefined, closed: undefined, append: undefined } },
    order: "name", concurrency: 4, onDelete: "keep", onMappingChange: "readapt", retention: { inputs: undefined, outputs: undefined }, publish: { manifest: undefined, done: undefined, reads: false },
  });
  const said = parseAdapter(text(', ready: [footer, {stable: {quiet: 2s, checks: 5}}, {done-file: {pattern: "{name}.ok"}}, {closed: {except: [pause, agent]}}]', "retention: {inputs: {maxAge: 1d, maxBytes: 1MiB}, outputs: {maxCount: 3}}\n"));
  assert.deepEqual(said.watch.ready, { rename: false, complete: true, stable: { quietMs: 2_000, checks: 5 }, doneFile: "{name}.ok", closed: { except: ["pause", "agent"] }, append: undefined });
  assert.deepEqual(said.retention, { inputs: { maxAgeMs: 86_400_000, maxCount: undefined, maxBytes: 1_048_576 }, outputs: { maxAgeMs: undefined, maxCount: 3, maxBytes: undefined } });
});

for (const [name, config, expected] of [
  ["complete alone, of lines", text(", ready: [complete]"), /cannot tell a pause at the end of a line/],
  ["nothing at all", text(", ready: []"), /counts as finished as soon as it is there/],
  ["closed", text(", ready: [closed]"), /shareProcessNamespace/],
  ["a short quiet", text(", ready: [{stable: {quiet: 10ms}}]"), /pauses for 10ms/],
  ["retention of inputs", text("", "retention: {inputs: {maxCount: 1}}\n"), /needs the folder mounted writable/],
] as const) {
  test(`lint has a word on ${name}`, () => assert.match(watchHints(parseAdapter(config)).join("\n"), expected));
}

test("lint has nothing to say of the defaults", () => assert.deepEqual(watchHints(parseAdapter(text(""))), []));
