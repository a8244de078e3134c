import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeArriving, multiline, type Settings } from "./grouping.ts";

const t = "2026-01-31T12:00:00.123456789Z";
const seconds = Date.UTC(2026, 0, 31, 12) / 1000;
const cri = (stream: string, tag: string, text: string, time = t): string => `${time} ${stream} ${tag} ${text}\n`;
const docker = (stream: string, log: string, time = t): string => `${JSON.stringify({ log, stream, time })}\n`;
const later = (secondsLater: number): string => new Date((seconds + secondsLater) * 1000).toISOString();

/** The records, whose own bytes and the discarded ones must add up to the input, wherever it is divided on arrival. */
const check = (name: string, input: string, expected: readonly Readonly<Record<string, unknown>>[], settings: Settings = {}, more: { readonly discarded?: number; readonly unparsed?: number } = {}): void => {
  test(name, () => {
    const bytes = Buffer.from(input, "latin1");
    const outcome = encodeArriving(bytes, { container: "auto", ...settings });
    assert.deepEqual(outcome.records.map(({ record }) => record), expected);
    assert.equal(outcome.discarded, more.discarded ?? 0);
    assert.equal(outcome.unparsed, more.unparsed ?? 0);
    assert.equal(outcome.records.reduce((sum, { own }) => sum + own, 0) + outcome.discarded, bytes.length, "every byte is counted once");
    const starts = outcome.records.map(({ start }) => start);
    assert.equal(new Set(starts).size, starts.length, "no two records have the same id");
    for (let stop = 0; stop < bytes.length; stop++) {
      const divided = encodeArriving(bytes, { container: "auto", ...settings }, [stop]);
      assert.deepEqual(divided.records, outcome.records);
      assert.ok(divided.entries.equals(outcome.entries));
    }
  });
};

const out = (log: string, more: object = {}): Record<string, unknown> => ({ log, stream: "stdout", ...more });
const err = (log: string, more: object = {}): Record<string, unknown> => ({ log, stream: "stderr", ...more });

check("A CRI line gives its text and its stream", cri("stdout", "F", "hello world") + cri("stderr", "F", ""), [out("hello world"), err("")]);
check("Both formats may stand in one file", cri("stdout", "F", "one") + docker("stderr", "two\n"), [out("one"), err("two")]);
check("Parts of a CRI line become one line, each stream for itself", cri("stdout", "P", "a1 ") + cri("stderr", "P", "b1 ") + cri("stdout", "P", "a2 ") + cri("stderr", "F", "b2") + cri("stdout", "F", "a3"), [out("a1 a2 a3"), err("b1 b2")]);
check("Parts of a Docker line become one line", docker("stdout", "a1 ") + docker("stderr", "b\n") + docker("stdout", "a2\n"), [out("a1 a2"), err("b")]);
check("Docker's escapes, quotes and line ends are undone", docker("stdout", 'say "\u00c3\u00a9\u0001" \\ \t\r\n') + docker("stdout", "\n"), [out('say "\u00e9\u0001" \\ \t'), out("")]);
check("Docker's attributes are kept", `{"log":"x\\n","stream":"stdout","attrs":{"tag":"web"},"time":"${t}"}\n`, [out("x", { attrs: { tag: "web" } })]);
check("Tags after the first are passed over, and a text may be missing with its blank", `${t} stdout F:x:y hi\n${t} stdout F\n`, [out("hi"), out("")]);
check("A CR before the end of a line is taken off, but not between its parts", cri("stdout", "P", "a\r") + cri("stdout", "F", "b\r"), [out("a\rb")]);
check("A time with an offset is understood", cri("stdout", "F", "x", "2026-01-31T14:00:00.5+02:00"), [out("x")]);
check("What is not of the format is shipped as it is and counted", `plain\n{"log":1}\n${t} stdin F x\n${t} stdout X x\nyesterday stdout F x\n${cri("stdout", "F", "fine")}`, [{ log: "plain" }, { log: '{"log":1}' }, { log: `${t} stdin F x` }, { log: `${t} stdout X x` }, { log: "yesterday stdout F x" }, out("fine")], {}, { unparsed: 5 });
check("The application's line goes through its parser", cri("stdout", "P", '{"n":') + cri("stdout", "F", "1}") + cri("stdout", "F", "oops"), [{ n: 1, stream: "stdout" }, out("oops")], { format: "json" }, { unparsed: 1 });
check("The stream can be left out", cri("stdout", "F", "x"), [{ log: "x" }], { streamField: "" });
check("A line that is never finished is shipped at the end, flagged", cri("stdout", "P", "begun"), [out("begun", { log_partial: true })]);
check("A line cut off in the file is shipped at the end", cri("stdout", "F", "begun").slice(0, -3), [out("beg")]);
check("Parts too long together are divided between them", cri("stdout", "P", "12345678") + cri("stdout", "P", "9abcdefgh") + cri("stdout", "F", "xyz"), [out("12345678", { log_partial: true }), out("9abcdefghxyz")], { lineMax: 16 });
check("A part too long by itself is divided between characters", cri("stdout", "F", `${"x".repeat(15)}\u00c3\u00a9${"y".repeat(20)}`), [out("x".repeat(15), { log_partial: true }), out(`\u00e9${"y".repeat(14)}`, { log_partial: true }), out("yyyyyy")], { lineMax: 16 });
check("Cut, the rest of its parts is passed over", cri("stdout", "P", "12345678") + cri("stdout", "P", "9abcdefghi") + cri("stderr", "F", "other") + cri("stdout", "P", "rest") + cri("stdout", "F", "rest") + cri("stdout", "F", "next"), [out("123456789abcdefg", { log_cut: true }), err("other"), out("next")], { lineMax: 16, tooLong: "cut" }, { discarded: cri("stdout", "P", "rest").length * 2 });
check("Dropped, all of it is", cri("stdout", "P", "12345678") + cri("stderr", "F", "other") + cri("stdout", "P", "9abcdefghi") + cri("stdout", "F", "rest") + cri("stdout", "F", "next"), [err("other"), out("next")], { lineMax: 16, tooLong: "drop" }, { discarded: (cri("stdout", "P", "12345678") + cri("stdout", "P", "9abcdefghi") + cri("stdout", "F", "rest")).length });
check("The rest is passed over also when it goes on beside an open record of the other stream", cri("stdout", "P", "12345678") + cri("stdout", "P", "9abcdefghi") + cri("stderr", "F", "java.lang.Error") + cri("stdout", "P", "rest") + cri("stdout", "F", "rest") + cri("stderr", "F", "\tat a.B") + cri("stdout", "F", "next"), [out("123456789abcdefg", { log_cut: true }), err("java.lang.Error\n\tat a.B"), out("next")], { lineMax: 16, tooLong: "cut", multiline: multiline({ presets: ["java"] }) }, { discarded: cri("stdout", "P", "rest").length * 2 });
check("An unfinished line is given up when the other stream is five seconds ahead", cri("stdout", "P", "a") + cri("stderr", "F", "b", later(4)) + cri("stderr", "F", "c", later(6)) + cri("stdout", "F", "d", later(7)), [out("a", { log_partial: true }), err("b"), err("c"), out("d")]);
check("Stack traces are put together inside a container's lines, stream by stream", cri("stderr", "P", "java.io.IOExc") + cri("stderr", "F", "eption: no") + cri("stdout", "F", "meanwhile") + cri("stderr", "P", "\tat a.B.c(") + cri("stderr", "F", "B.java:1)") + cri("stderr", "F", "done"), [err("java.io.IOException: no\n\tat a.B.c(B.java:1)"), out("meanwhile"), err("done")], { multiline: multiline({ presets: ["java"] }) });
check("Lines further apart than flushMs are no record", cri("stdout", "F", "a") + cri("stdout", "F", " b") + cri("stdout", "F", " c", later(2)), [out("a\n b"), out(" c")], { multiline: multiline({ continue: "^ " }) });

test("The time is that of the first part, to the nanosecond", () => {
  const { records } = encodeArriving(Buffer.from(cri("stdout", "P", "a") + cri("stdout", "F", "b", later(1))), { container: "cri" });
  assert.deepEqual(records.map(({ time }) => time), [`${seconds}.123456789`]);
});

test("A record of alternating streams counts its own bytes alone, and what comes before an open one waits for it", () => {
  const parts = [cri("stdout", "P", "a1"), cri("stderr", "F", "b"), cri("stdout", "F", "a2"), cri("stderr", "P", "c")];
  const { records, consumed, waiting } = encodeArriving(Buffer.from(parts.join("")), { container: "cri" }, [], { open: true });
  const [first = "", second = "", third = ""] = parts;
  assert.deepEqual(records.map(({ start, own }) => ({ start, own })), [{ start: 0, own: first.length + third.length }, { start: first.length, own: second.length }]);
  assert.equal(consumed, first.length + second.length + third.length);
  assert.equal(waiting, false, "an unfinished line alone waits for its end, however long it takes");
  const held = encodeArriving(Buffer.from(first + second), { container: "cri" }, [], { open: true });
  assert.deepEqual([held.consumed, held.waiting], [0, true]);
});
