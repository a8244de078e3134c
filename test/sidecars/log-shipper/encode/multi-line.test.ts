import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Encoding } from "../../../../sidecars/log-shipper/encode/encoding.ts";
import type { LongLines } from "../../../../sidecars/log-shipper/encode/framing.ts";
import { presetNames, presetRules, type PresetName } from "../../../../sidecars/log-shipper/encode/multi-line-presets.ts";
import { patternFault } from "../../../../sidecars/log-shipper/parse/pattern.ts";
import { encodeArriving, multiline, type Outcome, type Settings } from "./grouping.ts";

const textsOf = ({ records }: Outcome): readonly unknown[] => records.map(({ record }) => record["log"]);

/** The records' texts; they must be the same wherever the bytes are divided on arrival. */
const check = (name: string, settings: Settings, input: string, expected: readonly string[]): void => {
  test(name, () => {
    const bytes = Buffer.from(input);
    const outcome = encodeArriving(bytes, settings);
    assert.deepEqual(textsOf(outcome), expected);
    assert.equal(outcome.records.reduce((sum, { own }) => sum + own, 0) + outcome.discarded, bytes.length);
    for (let stop = 0; stop < bytes.length; stop++) assert.deepEqual(encodeArriving(bytes, settings, [stop]).records, outcome.records);
  });
};

const patterns = (settings: Parameters<typeof multiline>[0]): Settings => ({ multiline: multiline(settings) });
check("With start every other line goes on", patterns({ start: "^\\d" }), "1 a\nb\n\n2 c\n", ["1 a\nb\n", "2 c"]);
check("What comes before the first start is a record", patterns({ start: "^\\d" }), "b\nc\n1\n", ["b\nc", "1"]);
check("With continue a line that matches goes on", patterns({ continue: "^\\s" }), "a\n b\nc\n", ["a\n b", "c"]);
check("With both, start is stronger", patterns({ start: "^ \\d", continue: "^ " }), "a\n b\n 1\n c\nd\n", ["a\n b", " 1\n c", "d"]);
check("CR before LF is taken off every line", patterns({ continue: "^\\s" }), "a\r\n b\r\n", ["a\n b"]);
check("A record of as many lines as may be ends there", patterns({ continue: "^ ", maxLines: 2 }), "a\n b\n c\n d\ne\n", ["a\n b", " c\n d", "e"]);
check("A record of as many bytes as may be ends there", patterns({ continue: "^ ", maxBytes: 16 }), "0123456789\n abcde\n c\n", ["0123456789\n abcde", " c"]);
check("A line too long is no part of a record", { ...patterns({ continue: "^ " }), lineMax: 16 }, `a\n ${"b".repeat(30)}\n c\n`, ["a", ` ${"b".repeat(15)}`, `${"b".repeat(15)}\n c`]);

test("A record that has reached a limit is flagged and not parsed", () => {
  const { records } = encodeArriving(Buffer.from('{"a":\n 1}\n{"a":\n 1,\n "b":2}\n'), { format: "json", multiline: multiline({ continue: "^ ", maxLines: 3 }) });
  assert.deepEqual(records.map(({ record }) => record), [{ a: 1 }, { log: '{"a":\n 1,\n "b":2}', log_partial: true }]);
});

const python = ["Traceback (most recent call last):", '  File "/app/a.py", line 7, in f', "    g()", "    ~^^", '  File "/app/a.py", line 3, in g', '    raise ValueError("x")', "ValueError: x"];
const traces: Readonly<Record<string, readonly [PresetName, readonly string[]]>> = {
  "a Java exception with causes": ["java", ['Exception in thread "main" java.lang.IllegalStateException: outer', "\tat a.B.c(B.java:10)", "\tat java.base/java.lang.Thread.run(Thread.java:840)", "\tSuppressed: java.io.IOException: closing", "\t\tat a.B.d(B.java:3)", "Caused by: java.lang.NullPointerException", "\tat a.B.e(B.java:7)", "\t... 3 more", "Caused by: a.Deep: d", "\t... 12 common frames omitted"]],
  "a Java exception in a log line": ["java", ["2026-01-31 12:00:00 ERROR [main] a.B - failed: java.sql.SQLException: no", "    at a.B.c(B.java:10) ~[app.jar:1.0]", "    at a.B.d(B.java:11)"]],
  "a .NET exception": ["java", ["System.InvalidOperationException: bad", " ---> System.Exception: inner", "   at A.B() in C.cs:line 3", "   --- End of inner exception stack trace ---", "   at A.D()"].filter((line) => !line.includes("--->"))],
  "a Python traceback": ["python", python],
  "chained Python tracebacks": ["python", [...python, "", "During handling of the above exception, another exception occurred:", "", ...python, "", "The above exception was the direct cause of the following exception:", "", ...python]],
  "a Python traceback that begins in a log line": ["python", ["ERROR 12:00 Traceback (most recent call last):", ...python.slice(1, -1), "KeyboardInterrupt"]],
  "a Go panic": ["go", ["panic: runtime error: index out of range [5] with length 3", "", "goroutine 1 [running]:", "main.main()", "\t/app/main.go:8 +0x1d", "main.(*T).f(0xc000012345, {0x1, 0x2})", "\t/app/t.go:9 +0x2", "created by main.start in goroutine 1", "\t/app/main.go:3 +0x3", "", "goroutine 5 [chan receive, 2 minutes]:", "main.g(...)", "\t/app/main.go:20", "exit status 2"]],
  "a Go signal": ["go", ["panic: runtime error: invalid memory address or nil pointer dereference", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x1]", "", "goroutine 1 [running]:", "main.main()", "\t/app/main.go:8 +0x1d"]],
  "a Go deadlock": ["go", ["fatal error: all goroutines are asleep - deadlock!", "", "goroutine 1 [chan receive]:", "main.main()", "\t/app/main.go:8 +0x1d"]],
  "a Node error": ["node", ["TypeError: Cannot read properties of undefined (reading 'x')", "    at f (/app/a.js:1:2)", "    at async Promise.all (index 0)", "    at node:internal/main/run_main_module:36:49"]],
  "a Node error with a cause": ["node", ["Error: outer", "    at f (/app/a.js:1:2) {", "  [cause]: Error [ERR_X]: inner", "      at g (/app/a.js:3:4)", "      ... 3 lines matching cause stack trace ...", "}"]],
  "an uncaught Node error": ["node", ["/app/a.js:3", "  throw new Error('boom');", "  ^", "", "Error: boom", "    at f (/app/a.js:3:9) {", "  code: 'E_X'", "}", "", "Node.js v24.11.0"]],
  "a Ruby exception": ["ruby", ["a.rb:2:in `b': boom (RuntimeError)", "\tfrom a.rb:5:in `c'", "\tfrom a.rb:8:in `<main>'"]],
  "a Ruby exception of 3.4": ["ruby", ["a.rb:2:in 'Integer#/': divided by 0 (ZeroDivisionError)", "\tfrom a.rb:5:in 'Object#c'"]],
  "a Ruby exception in the other order": ["ruby", ["Traceback (most recent call last):", "\t2: from a.rb:8:in `<main>'", "\t1: from a.rb:5:in `c'", "a.rb:2:in `b': boom (RuntimeError)"]],
  "a Rails exception": ["ruby", ["ActionView::Template::Error (undefined method):", "", "app/views/a.erb:3:in `b'", "app/controllers/c.rb:9:in `d'"]],
};

const every: Settings = { multiline: multiline({ presets: [...presetNames] }) };
for (const [name, [preset, lines]] of Object.entries(traces)) {
  const text = lines.join("\n");
  for (const [how, settings] of [[`by the preset ${preset}`, patterns({ presets: [preset] })], ["by all presets at once", every]] as const) {
    test(`${name} is one record, ${how}, and the lines around it are others`, () => {
      const { records } = encodeArriving(Buffer.from(`before\n${text}\nafter it\n`), settings);
      assert.deepEqual(records.map(({ record }) => record["log"]), ["before", text, "after it"]);
      const twice = encodeArriving(Buffer.from(`${text}\n${text}\n`), settings);
      assert.equal(twice.records.map(({ record }) => record["log"]).join("\n"), `${text}\n${text}`);
    });
  }
}

test("Lines that no preset knows are records of their own at once: nothing is held back", () => {
  const { records, consumed, waiting } = encodeArriving(Buffer.from("GET / 200\nconnected to db:5432\n{\"level\":\"info\"}\n"), every, [], { open: true });
  assert.equal(records.length, 3);
  assert.deepEqual([consumed, waiting], [48, false]);
});

test("A record that may go on is held back, and given at a flush", () => {
  const bytes = Buffer.from("done\nError: x\n    at f (a.js:1:1)\nunfinish");
  const held = encodeArriving(bytes, every, [], { open: true });
  assert.deepEqual([textsOf(held), held.consumed, held.waiting], [["done"], 5, true]);
  const flushed = encodeArriving(bytes, every, [], { open: true, flush: true });
  assert.deepEqual([textsOf(flushed), flushed.consumed], [["done", "Error: x\n    at f (a.js:1:1)"], bytes.length - 8]);
});

test("No preset's pattern can take exponential time", () => {
  for (const rules of Object.values(presetRules)) for (const { pattern } of rules) assert.equal(patternFault(pattern.source), undefined, pattern.source);
});

const words = fc.constantFrom("a", "Error: x", "    at f (a.js:1:1)", "Traceback (most recent call last):", '  File "a.py", line 1', "ValueError: x", "", "panic: x", "goroutine 1 [running]:", "main.main()", "\t/a.go:1 +0x1", "Caused by: x", "\tfrom a.rb:1:in `x'", "é😀".repeat(5), "\0\0hole", "x\r", "long".repeat(12));
const time = (second: number): string => new Date(1_769_860_800_000 + second * 1000).toISOString();
const line = fc.record({ text: words, form: fc.constantFrom("plain", "cri", "docker"), stream: fc.constantFrom("stdout", "stderr"), partial: fc.boolean(), second: fc.nat({ max: 8 }) });
const chosen = fc.record({
  container: fc.constantFrom("none", "auto", "cri") satisfies fc.Arbitrary<"none" | "auto" | "cri">,
  encoding: fc.constantFrom<Encoding>("utf-8", "utf-16le", "utf-16be", "latin1"),
  tooLong: fc.constantFrom<LongLines>("split", "cut", "drop"),
  lineMax: fc.integer({ min: 16, max: 60 }),
  format: fc.constantFrom("raw", "json") satisfies fc.Arbitrary<"raw" | "json">,
  multiline: fc.constantFrom(undefined, multiline({ presets: [...presetNames], maxLines: 4 }), multiline({ continue: "^\\s", maxBytes: 50 }), multiline({ start: "^\\S", flushMs: 3_000 })),
});

function written(lines: readonly { readonly text: string; readonly form: string; readonly stream: string; readonly partial: boolean; readonly second: number }[]): string {
  let second = 0;
  return lines.map(({ text, form, stream, partial, second: more }) => {
    second += more;
    if (form === "plain") return `${text}\n`;
    return form === "cri" ? `${time(second)} ${stream} ${partial ? "P" : "F"} ${text}\n` : `${JSON.stringify({ log: partial ? text : `${text}\n`, stream, time: time(second) })}\n`;
  }).join("");
}

function bytesOf(text: string, encoding: Encoding): Buffer {
  if (encoding === "utf-8") return Buffer.from(text);
  if (encoding === "latin1") return Buffer.from(text, "latin1");
  const bytes = Buffer.from(text, "utf16le");
  return encoding === "utf-16le" ? bytes : bytes.swap16();
}

test("Where the bytes are divided on arrival changes nothing, whatever the lines and settings, and each byte is counted once", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), chosen, fc.boolean(), fc.array(fc.nat(400), { maxLength: 6 }), (lines, settings, terminated, places) => {
      const text = written(lines);
      const bytes = bytesOf(terminated ? text : text.slice(0, -1), settings.encoding);
      const whole = encodeArriving(bytes, settings);
      assert.equal(whole.records.reduce((sum, { own }) => sum + own, 0) + whole.discarded, bytes.length, "each byte is counted once");
      assert.equal(whole.consumed, bytes.length);
      const starts = whole.records.map(({ start }) => start);
      assert.deepEqual(starts, [...new Set(starts)].toSorted((left, right) => left - right), "in order, no start twice");
      const stops = places.map((place) => place % (bytes.length + 1)).toSorted((left, right) => left - right);
      for (const arriving of [stops, Array.from({ length: bytes.length }, (_, index) => index)]) {
        const divided = encodeArriving(bytes, settings, arriving);
        assert.deepEqual(divided.records, whole.records);
        assert.ok(divided.entries.equals(whole.entries));
        assert.deepEqual([divided.discarded, divided.dropped], [whole.discarded, whole.dropped]);
      }
      // In small chunks: what may be divided is remembered with the cuts, but each byte is still counted once.
      const small = encodeArriving(bytes, settings, [], { inputMax: 40, outputMax: 60 });
      assert.equal(small.records.reduce((sum, { own }) => sum + own, 0) + small.discarded, bytes.length);
      assert.ok(small.entries.equals(whole.entries));
    }),
    { numRuns: 400 },
  );
});
