import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { harmless } from "../../../sidecars/format-adapter/commands/terminal.ts";
import { runCommand } from "./adapter-command.ts";
import { copyConfig, entry, makePlace, rename, root, running } from "./adapter-process.ts";

const directory = mkdtempSync(join(root, "streams-"));
const put = (name: string, content: string): string => {
  writeFileSync(join(directory, name), content);
  return join(directory, name);
};

test("what lint --reverse prints is a configuration and nothing else; words go to stderr", async () => {
  const place = makePlace();
  copyConfig(place, { ready: "[complete]" });
  const back = await runCommand("lint", "--reverse", "--config", place.config);
  assert.equal(back.code, 0, back.told);
  assert.match(back.told, /The configuration is right: 1 adapter, 1 mapping/);
  assert.match(back.told, /cannot tell a pause at the end of a line/);
  const mapping = put("back.yaml", `watch: {dir: /in}\n${back.stdout}`);
  const checked = await runCommand("lint", "--config", mapping);
  assert.deepEqual([checked.code, checked.told], [0, ""], `${back.stdout}\n${checked.told}`);
  assert.match(checked.stdout, /copy-backwards: every field can be undone/);
});

test("what a command cannot work with is told on stderr alone, with the code for wrong usage", async () => {
  const place = makePlace();
  for (const argv of [["run"], ["lint", "adapter.yaml"], ["replay", "--all"], ["diff", "-", "-", "--format", "csv"]]) {
    const { code, stdout, told } = await runCommand(...argv, ...(argv[0] === "diff" ? [] : ["--config", place.config]));
    assert.deepEqual([code, stdout], [64, ""], argv.join(" "));
    assert.match(told, /run takes --once|takes no argument; a configuration is named by --config|Unknown option '--all'|one report can come by standard input/, argv.join(" "));
  }
});

test("a command whose reader goes away ends quietly", async () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `${index}`).join("\n");
  const child = spawn(process.execPath, [entry, "diff", put("one.csv", `a\n${lines}\n`), put("two.csv", `a\n${lines.replaceAll(/^/gm, "x")}\n`), "--show", "20000"], { env: {}, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const [told] = await Promise.all([text(child.stderr), once(child.stdout, "data").then(() => child.stdout.destroy()), once(child, "close")]);
  assert.deepEqual([child.exitCode, told], [75, ""]);
});

test("a report may come by standard input", async () => {
  const report = put("report.csv", "a,b\n1,2\n");
  const child = spawn(process.execPath, [entry, "diff", report, "-", "--format", "csv"], { env: {}, stdio: ["pipe", "pipe", "inherit"] });
  running.add(child);
  child.stdin.end("a,b\n1,3\n");
  const [printed] = await Promise.all([text(child.stdout), once(child, "close")]);
  assert.equal(child.exitCode, 1);
  assert.match(printed, /b: "2" -> "3"/);
});

test("names and values cannot command a terminal, nor begin lines of their own", async () => {
  assert.equal(harmless("a\u001B[2J\u009B1m\rb\u202Ec\n\td"), "a\\u001b[2J\\u009b1m\\rb\\u202ec\n\td");
  const place = makePlace();
  copyConfig(place);
  const name = "x\nOK    all is well\u001B[1A.csv";
  rename(place, name, "b\n\u001B[2J\n");
  assert.equal((await runCommand("run", "--once", "--config", place.config)).code, 75);
  const { code, stdout } = await runCommand("replay", "--config", place.config);
  assert.equal(code, 75);
  assert.match(stdout, /^x\\nOK {4}all is well\\u001b\[1A\.csv\.[0-9a-f]{8}: refused: COLUMN/);
  const told = await runCommand("diff", join(place.reports, name), put("other.csv", "b,c\n1,2,3\n"));
  assert.equal(told.code, 64);
  assert.ok(!`${stdout}${told.told}`.includes("\u001B"));
});
