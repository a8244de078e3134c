import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bundleShipper } from "./support/shipper-process.ts";
import { temporary } from "./support/shipper.ts";

const place = temporary();
let program = "";

before(async () => {
  program = await bundleShipper(place.root);
});
after(() => place[Symbol.dispose]());

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command of the shipper as a process of its own. */
async function run(command: string, argv: readonly string[], yaml: string, stdin = ""): Promise<Outcome> {
  const file = join(place.root, "shipper.yaml");
  writeFileSync(file, yaml);
  const child = spawn(process.execPath, [program, command, "--config", file, ...argv], { stdio: ["pipe", "pipe", "pipe"], env: { PATH: process.env["PATH"] ?? "" } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => (stdout += String(text)));
  child.stderr.on("data", (text) => (stderr += String(text)));
  child.stdin.end(stdin);
  const code = await once(child, "close").then(([each]: (number | string | null)[]) => Number(each));
  return { code, stdout, stderr };
}

const settings = (logs: string): string => `
sources:
  - { type: tail, paths: [${logs}/other.txt] }
  - type: tail
    paths: ["${logs}/*.log"]
    tag: "app.{file}"
    format: json
    time: { field: ts }
filters:
  - { type: drop, name: noise, when: { field: level, equals: debug } }
  - { type: redact, fields: [message], patterns: ['token=\\w+'] }
  - { type: rename, fields: { message: msg } }
  - { type: add, fields: { web: true }, tags: [web] }
sinks:
  - { type: stdout }
  - { type: file, name: errors, path: /tmp/errors, match: { when: { field: level, equals: error } } }
metadata: { pod: p1, directory: ${logs}/none }
`;
const line = '{"ts":"2024-02-29T12:34:56.5Z","level":"error","message":"go token=abc"}';

test("Explain tells every stage of a line to people", async () => {
  const { code, stdout, stderr } = await run("explain", ["--path", "/logs/a.log", "--line", line], settings("/logs"));
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.equal(stdout, `record   sources[1], tag app.a.log, bytes 0 to 73
line     ${line}
framing  a whole record
parse    json: 4 fields
         {"ts":"2024-02-29T12:34:56.5Z","level":"error","message":"go token=abc","kubernetes":{"pod_name":"p1"}}
time     2024-02-29T12:34:56.500000000Z from field "ts"
filter 0 drop "noise": passed
filter 1 redact: changed
           message: "go token=abc" -> "go [redacted]"
filter 2 rename: changed
           - message: "go [redacted]"
           + msg: "go [redacted]"
filter 3 add: not for this tag
routes   -> stdout
         -> errors
result   {"ts":"2024-02-29T12:34:56.5Z","level":"error","msg":"go [redacted]","kubernetes":{"pod_name":"p1"}}

`);
});

test("Explain reads lines from standard input, and tells programs as JSON", async () => {
  const { code, stdout } = await run("explain", ["--source=1", "--json"], settings("/logs"), `${line}\n{"level":"debug","ts":"soon"}\nnot {json\nunfinished`);
  assert.equal(code, 0);
  const told = stdout.trimEnd().split("\n").map((each) => JSON.parse(each) as Record<string, unknown> & { readonly time: { readonly found: boolean; readonly present: boolean }; readonly filters: readonly { readonly outcome: string }[]; readonly routes: readonly { readonly gets: boolean }[] });
  assert.deepEqual(told.map(({ from, bytes, text }) => ({ from, bytes, text })), [
    { from: 0, bytes: 73, text: line },
    { from: 73, bytes: 30, text: '{"level":"debug","ts":"soon"}' },
    { from: 103, bytes: 10, text: "not {json" },
    { from: 113, bytes: 10, text: "unfinished" },
  ]);
  assert.deepEqual(told.map(({ time: { found, present } }) => ({ found, present })), [{ found: true, present: true }, { found: false, present: true }, { found: false, present: false }, { found: false, present: false }]);
  assert.deepEqual(told.map(({ filters }) => filters.map(({ outcome }) => outcome)), [["unchanged", "changed", "changed", "other tags"], ["dropped"], ["unchanged", "unchanged", "unchanged", "other tags"], ["unchanged", "unchanged", "unchanged", "other tags"]]);
  assert.deepEqual(told.map(({ routes }) => routes.map(({ gets }) => gets)), [[true, true], [false, false], [true, false], [true, false]]);
  assert.equal(told[1]?.["result"], undefined);
  assert.match(String(told[2]?.["refusal"]), /not valid JSON/);
});

test("Explain tells pieces of over-long lines, and keeps control characters off the terminal", async () => {
  const yaml = `sources: [{ type: tail, paths: [/a.log], format: logfmt }]\nsinks: [{ type: stdout }]\nlines: { maxBytes: 20 }\nmetadata: { directory: /none }`;
  const { stdout } = await run("explain", ["--line", "a=\u001b[31mred", "--line", "x=" + "y".repeat(30)], yaml);
  assert.match(stdout, /^line {5}a=\\u001b\[31mred$/m);
  assert.match(stdout, /a piece of a longer line \(log_partial\)/);
  assert.ok(!stdout.includes("\u001b"));
});

test("Explain says why a pattern takes no line, and takes none at all for an unknown file", async () => {
  const yaml = `sources: [{ type: tail, paths: [/logs/*.log], format: regexp, regexp: { pattern: '^(?<a>\\d+)$', types: { a: integer } } }]\nsinks: [{ type: stdout }]`;
  assert.match((await run("explain", ["--line", "x1"], yaml)).stdout, /regexp: refused, shipped raw: the pattern does not match the line/);
  assert.match((await run("explain", ["--line", "17"], yaml)).stdout, /^ {9}\{"a":17\}$/m);
  const unknown = await run("explain", ["--path", "/other", "--line", "17"], yaml);
  assert.equal(unknown.code, 64);
  assert.match(unknown.stdout, /no source follows "\/other"; there are: sources\[0\] \/logs\/\*\.log/);
  for (const wrong of [["--lines", "x"], ["--line"], ["--source", "first"], ["--source", "7"]]) assert.equal((await run("explain", wrong, yaml)).code, 64, wrong.join(" "));
});

test("Wrong filters are refused with their place, all at once", async () => {
  const yaml = `sources: [{ type: tail, paths: [/a.log] }]
filters:
  - { type: dropp, when: { field: a, exists: true } }
  - { type: drop, when: { field: a, equals: x, in: [y] } }
  - { type: redact, patterns: ['(a+)+'] }
sinks: [{ type: stdout, match: {} }]`;
  const { code, stderr } = await run("explain", ["--line", "x"], yaml);
  assert.equal(code, 78);
  assert.deepEqual(stderr.trimEnd().split("\n").map((each) => each.replace(/^.*shipper\.yaml:/, "")), [
    '3:13: filters[0].type: expected one of keep, drop, redact, sample, rate-limit, rename, remove, add, got "dropp"; did you mean "drop"?',
    '4:45: filters[1].when.equals: can never hold together with in: "x" is not one of y',
    "5:32: filters[2].patterns[0]: expected a pattern without a repetition inside a repetition that can divide one text in many ways: the one that ends at character 5 can take exponential time; put a character between its parts that none of them can match, or repeat only once, got \"(a+)+\"",
    "6:32: sinks[0].match: matches everything: give tags or when, or leave match out",
  ]);
  const apart = await run("explain", ["--line", "x"], `sources: [{ type: tail, paths: [/a.log] }]\nfilters: [{ type: keep, when: { field: a, exists: true } }, { type: drop, when: { field: a, exists: true } }]\nsinks: [{ type: stdout, match: { tags: [web] } }]`);
  assert.equal(apart.code, 78);
  assert.equal(apart.stdout, 'sinks[0].match.tags: web matches the tag of no source, so the sink "stdout" would get nothing; there are "app"\nfilters[1]: together with filters[0] it drops every record: one keeps only what the other drops\n');
});

test("Check tells what becomes of each file's first lines", async () => {
  const logs = join(place.root, "logs");
  mkdirSync(logs);
  writeFileSync(join(logs, "a.log"), `${line}\n{"level":"debug"}\nnot {json\n{"level":"info"}\nunfinished`);
  writeFileSync(join(logs, "b.log"), Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x0a]));
  writeFileSync(join(logs, "c.log"), "");
  writeFileSync(join(logs, "d.log"), `${line}\n`.repeat(2_000));
  const { code, stdout } = await run("check", [], settings(logs));
  assert.equal(code, 0);
  assert.equal(stdout.replaceAll(logs, "LOGS").replaceAll(/the first \d+ records/g, "the first N records").replaceAll(/\b89[78]\b/g, "N"), `sources[0] tail LOGS/other.txt (raw, tag app): 0 files
sources[1] tail LOGS/*.log (json, tag app.{file}): 4 files
  LOGS/a.log  128 bytes
    ASCII; all 5 records
    parsed as json: 3 of 5 (60.0 %)
    first refused, line 3 (byte 91): Unexpected token 'o', "not {json" is not valid JSON
      not {json
    time from field "ts": 1 of 5 (20.0 %)
    filter noise drops 1 of 5 (20.0 %)
    sinks: stdout 4, errors 1
  LOGS/b.log  5 bytes
    not UTF-8, perhaps Latin-1; all 1 record
    parsed as json: 0 of 1 (0.0 %)
    first refused, line 1 (byte 0): Unexpected token 'c', "caf\ufffd" is not valid JSON
      caf\ufffd
    time from field "ts": 0 of 1 (0.0 %)
    sinks: stdout 1, errors 0
    hint: it is not UTF-8: if it is Latin-1, set encoding: latin1
  LOGS/c.log  0 bytes
    empty; no whole line yet
  LOGS/d.log  146000 bytes
    ASCII; the first N records
    parsed as json: N of N (100 %)
    time from field "ts": N of N (100 %)
    sinks: stdout N, errors N
`);
});

test("Check names each file once, however many patterns and sources match it", async () => {
  const logs = join(place.root, "overlapping");
  mkdirSync(logs);
  for (const name of ["app.log", "app.log.1", "app.log.2.gz", "other.log"]) writeFileSync(join(logs, name), "x\n");
  const yaml = `sources:\n  - { type: tail, paths: ["${logs}/app.log", "${logs}/app.*"], exclude: ["${logs}/*.1", "${logs}/*.gz"] }\n  - { type: tail, paths: ["${logs}/*", "${logs}/*.log"] }\nsinks: [{ type: stdout }]`;
  const { code, stdout } = await run("check", [], yaml);
  assert.equal(code, 0);
  const files = stdout.split("\n").flatMap((row) => /^ {2}(\S+)  \d+ bytes/.exec(row)?.[1] ?? []);
  assert.deepEqual(files.toSorted(), ["app.log", "app.log.1", "app.log.2.gz", "other.log"].map((name) => join(logs, name)));
});

test("Explain without a path takes a file that is there, or says that the tag has the file's name", async () => {
  const logs = join(place.root, "named");
  const tagOf = async (): Promise<string | undefined> => /tag (\S+),/.exec((await run("explain", ["--source", "1", "--line", line], settings(logs))).stdout)?.[1];
  assert.equal(await tagOf(), "app.{file}");
  mkdirSync(logs);
  writeFileSync(join(logs, "web.log"), "");
  assert.equal(await tagOf(), "app.web.log");
});
