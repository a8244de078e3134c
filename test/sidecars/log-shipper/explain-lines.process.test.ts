import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { spawnShipper } from "./support/shipper-process.ts";
import { configOf, temporary } from "./support/shipper.ts";

const cri = (stream: string, tag: string, text: string): string => `2026-01-31T12:00:00.5Z ${stream} ${tag} ${text}`;

test("Explain tells how lines are put together, and whose time a record has", { timeout: 150_000 }, async () => {
  using place = temporary();
  const { file } = configOf(place.root, {
    sources: [{ type: "stdin", container: "cri", multiline: { presets: ["java"] } }, { type: "tail", paths: ["/logs/*.log"], encoding: "utf-16le" }],
    sinks: [{ type: "stdout" }], state: { directory: place.state },
  });
  const lines = [cri("stdout", "F", "java.lang.Error: x"), cri("stdout", "P", "\tat a.B"), cri("stdout", "F", ".c(B.java:1)"), "odd"];
  const text = spawnShipper(file, ["--json", ...lines.flatMap((line) => ["--line", line])], { command: "explain" });
  assert.equal(await text.exited, 0, text.stderr());
  const [trace, odd] = text.stdout().split("\n").slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([trace?.["source"], trace?.["lines"], trace?.["timeOf"], trace?.["fileTime"], trace?.["fields"]], ["sources[0]", 3, "container", "2026-01-31T12:00:00.500000000Z", { log: "java.lang.Error: x\n\tat a.B.c(B.java:1)", stream: "stdout" }]);
  assert.deepEqual([odd?.["lines"], odd?.["timeOf"], odd?.["refusal"]], [1, "reading", 'the line is not of the container format "cri"']);
  const people = spawnShipper(file, ["--source", "0", ...lines.slice(0, 3).flatMap((line) => ["--line", line])], { command: "explain" });
  assert.equal(await people.exited, 0);
  assert.match(people.stdout(), /framing {2}a whole record of 3 lines\n.*\n.*\ntime {5}2026-01-31T12:00:00\.500000000Z \(of the container's line; no time is configured\)/);
  const wide = spawnShipper(file, ["--path", "/logs/a.log", "--json", "--line", "grün"], { command: "explain" });
  assert.equal(await wide.exited, 0);
  assert.match(wide.stdout(), /"bytes":10,.*"text":"grün".*"log":"grün"/);
});

test("Check reads files as they are configured to be, and hints at what is missing", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const { file } = configOf(place.root, {
    sources: [{ type: "tail", paths: [join(place.logs, "*.log")], container: "auto", format: "json" }, { type: "tail", paths: [join(place.logs, "*.txt")], multiline: { continue: "^ " } }],
    sinks: [{ type: "stdout" }], state: { directory: place.state },
  });
  writeFileSync(join(place.logs, "a.log"), `${cri("stdout", "P", '{"n"')}\n${cri("stderr", "F", '{"m":1}')}\n${cri("stdout", "F", ":1}")}\n${cri("stdout", "F", "oops")}\nnothing\n`);
  writeFileSync(join(place.logs, "b.txt"), Buffer.from("\ufeffa\n b\nc\n", "utf16le"));
  writeFileSync(join(place.logs, "c.txt"), Buffer.from("a\n b\nc\nno mark\n", "utf16le"));
  const check = spawnShipper(file, [], { command: "check" });
  assert.equal(await check.exited, 0, check.stderr());
  const told = check.stdout();
  assert.match(told, /a\.log.*\n {4}ASCII; all 4 records\n {4}of several lines: 1 of 4.*\n {4}parsed as json: 2 of 4.*\n {4}first refused, line 4 /);
  assert.match(told, /b\.txt.*\n {4}UTF-16LE with a byte order mark; all 2 records\n {4}of several lines: 1 of 2/);
  assert.match(told, /c\.txt[^]*hint: it looks like UTF-16 and is read as utf-8: set encoding: utf-16le/);
});
