import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { formatProblem } from "../../kit/config/problem.ts";
import { listConfigFiles, readConfig } from "../../kit/config/read.ts";
import { address, boolean, choice, durationMs, integer, list, map, object, secret, sizeBytes, string, union, type ConfigOf } from "../../kit/config/schema.ts";
import { parseAddress, parseDurationMs, parseSizeBytes } from "../../kit/config/units.ts";
import { readYaml } from "../../kit/config/yaml-source.ts";

const directory = mkdtempSync(join(tmpdir(), "podkit-config-"));
after(() => rmSync(directory, { recursive: true }));

const spec = object({
  flush: object({ intervalMs: durationMs({ doc: "between flushes", default: 1000, min: 10 }), bytesMax: sizeBytes({ doc: "largest batch", default: 1_048_576 }) }, { doc: "flushing" }),
  listen: address({ doc: "where to listen", default: "127.0.0.1:6379" }),
  mode: choice(["pod", "session", "eventual"], { doc: "consistency", default: "pod" }),
  verbose: boolean({ doc: "more words", default: false }),
  nodes: list(string({ doc: "host:port" }), { doc: "upstream nodes", minItems: 1 }),
  labels: map(string({ doc: "value" }), { doc: "labels", default: {} }),
  password: secret({ doc: "password", optional: true }),
  workers: integer({ doc: "workers", default: 1, min: 1, max: 64, check: (value) => (value === 13 ? "a luckier number" : undefined) }),
  sinks: list(union("type", { forward: object({ address: address({ doc: "receiver" }) }), stdout: object({ pretty: boolean({ doc: "for people", default: false }) }) }, { doc: "a sink" }), { doc: "sinks", default: [] }),
});

const read = (text: string | undefined, env: Record<string, string> = {}, argv: string[] = []) => {
  const file = join(directory, "c.yaml");
  if (text !== undefined) writeFileSync(file, text);
  return readConfig(spec, { files: text === undefined ? [] : [file], env, argv });
};
const good = (text: string, env: Record<string, string> = {}, argv: string[] = []): ConfigOf<typeof spec> => {
  const outcome = read(text, env, argv);
  assert.ok(outcome.kind === "ok", outcome.kind === "problems" ? outcome.problems.map((problem) => formatProblem(problem)).join("\n") : "");
  return outcome.config;
};
const faults = (text: string | undefined, env: Record<string, string> = {}, argv: string[] = []): string[] => {
  const outcome = read(text, env, argv);
  assert.ok(outcome.kind === "problems", "expected problems");
  return outcome.problems.map((problem) => formatProblem(problem).replace(`${directory}/`, ""));
};

test("defaults, then file, then environment, then flags", () => {
  const config = good("nodes: [a:1]\nflush: {intervalMs: 2s, bytesMax: 1MiB}\nworkers: 2\nmode: session\n", { PODKIT_FLUSH_INTERVAL_MS: "3s", PODKIT_WORKERS: "3", PODKIT_NODES: "b:1, c:2" }, ["--workers=4", "--verbose", "true"]);
  assert.deepEqual(config.flush, { intervalMs: 3000, bytesMax: 1_048_576 });
  assert.deepEqual([config.workers, config.mode, config.verbose, config.nodes, config.listen], [4, "session", true, ["b:1", "c:2"], { host: "127.0.0.1", port: 6379 }]);
  assert.equal(config.password, undefined);
});

test("all problems are told at once, each with place, path and remedy", () => {
  assert.deepEqual(faults("flush:\n  intervalMS: 5\n  bytesMax: lots\nmode: podd\nworkers: 99\nsinks:\n  - type: forwrad\n  - type: stdout\n    prety: true\n  - {}\n", { PODKIT_LISTEN: "nowhere" }, ["--wrokers=2"]), [
    '--wrokers=2: is not a flag; did you mean "--workers"?',
    'c.yaml:2:3: flush.intervalMS: is not a setting; did you mean "intervalMs"?',
    'c.yaml:3:13: flush.bytesMax: expected a size such as "64KiB" or "8MiB", got "lots"',
    'PODKIT_LISTEN: listen: expected an address such as "127.0.0.1:6379", got "nowhere"',
    'c.yaml:4:7: mode: expected one of pod, session, eventual, got "podd"; did you mean "pod"?',
    "nodes: is required: expected a list of at least 1 (upstream nodes)",
    'c.yaml:5:10: workers: expected a whole number from 1 to 64, got "99"',
    'c.yaml:7:11: sinks[0].type: expected one of forward, stdout, got "forwrad"; did you mean "forward"?',
    'c.yaml:9:5: sinks[1].prety: is not a setting; did you mean "pretty"?',
    "c.yaml:10:5: sinks[2].type: expected one of forward, stdout, got nothing",
  ]);
});

for (const [name, text, expected] of [
  ["a tab in the indentation", "flush:\n\tintervalMs: 1\n", /^c\.yaml:2:1: is not YAML/],
  ["a key written twice", "workers: 1\nworkers: 2\n", /^c\.yaml:2:1: is not YAML: Map keys must be unique/],
  ["two documents", "workers: 1\n---\nworkers: 2\n", /^c\.yaml:2:1: is not YAML: .*multiple documents/],
  ["a map where text belongs", "nodes: [{a: 1}]\n", /^c\.yaml:1:9: nodes\[0\]: expected text, got a map/],
  ["a failed check", "nodes: [a]\nworkers: 13\n", /^c\.yaml:2:10: workers: expected a luckier number, got "13"/],
] as const) {
  test(`${name} is refused with its place`, () => assert.match(faults(text)[0] ?? "", expected));
}

test("of a file that is not YAML the first wrong place is told, neither its echoes nor what it cannot say", () => {
  assert.deepEqual(faults("nodes:\n  - [a\n b: {{{{ ]]\n", {}, ["--wrokers=2"]), [
    "c.yaml:3:2: is not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
    '--wrokers=2: is not a flag; did you mean "--workers"?',
  ]);
  assert.equal(faults("workers: 1\nworkers: 2\nmode: pod\nmode: session\n").length, 2);
});

for (const [text, expected] of [
  ['{1: x, "1": y}', "c.yaml:1:8"],
  ['{true: a, "true": b}', "c.yaml:1:11"],
  ["{a: {&k b: 1, *k : 2}}", "c.yaml:1:15"],
  ["{01: x, 1: y}", ["01", "1"]],
  ["{1.10: x, 1.1: y}", ["1.10", "1.1"]],
  ["{0x10: x, 16: y, '': z}", ["0x10", "16", ""]],
] as const) {
  test(`the keys of a map go by their text: ${text}`, () => {
    const { node, problems } = readYaml("c.yaml", text);
    if (typeof expected === "string") {
      assert.deepEqual(problems.map(({ origin, message }) => [origin, message]), [[expected, "is not YAML: Map keys must be unique"]]);
      return;
    }
    assert.deepEqual(problems, []);
    assert.deepEqual(node?.kind === "map" ? [...node.entries.keys()] : undefined, expected);
  });
}

test("what is wrong between settings is told at the setting that the message is about", () => {
  const range = object({ span: object({ from: integer({ doc: "first", default: 0 }), to: integer({ doc: "last", default: 9 }) }, { doc: "a span", check: ({ from, to }) => (from > to ? [{ path: ["to"], message: "must not be below from" }] : []) }) });
  const problems = (text: string): string[] => {
    writeFileSync(join(directory, "range.yaml"), text);
    const outcome = readConfig(range, { files: [join(directory, "range.yaml")], env: {}, argv: [] });
    return outcome.kind === "ok" ? [] : outcome.problems.map((problem) => formatProblem(problem).replace(/^.*range/, "range"));
  };
  assert.deepEqual(problems("span:\n  from: 5\n  to: 3\n"), ["range.yaml:3:7: span.to: must not be below from"]);
  assert.deepEqual(problems("span:\n  from: 50\n"), ["range.yaml:2:3: span.to: must not be below from"]);
  assert.deepEqual(problems("span: { from: 1 }"), []);
  assert.match(problems("span: { from: x, to: -1 }").join(), /^[^,]*expected a whole number/, "not asked while a single setting is wrong");
});

test("a list may be given as YAML flow in the environment", () => {
  const config = good("nodes: [a]\n", { PODKIT_SINKS: '[{type: forward, address: "h:24224"}]' });
  assert.deepEqual(config.sinks, [{ type: "forward", address: { host: "h", port: 24224 } }]);
});

test("a secret comes from a value, a file named in the file, or NAME_FILE, and is never shown", () => {
  const file = join(directory, "secret");
  writeFileSync(file, "hunter2\n");
  for (const [text, env] of [["nodes: [a]\npassword: hunter2\n", {}], [`nodes: [a]\npassword: {file: ${file}}\n`, {}], ["nodes: [a]\n", { PODKIT_PASSWORD_FILE: file }], ["nodes: [a]\n", { PODKIT_PASSWORD: "hunter2" }]] as const) {
    const outcome = read(text, env);
    assert.ok(outcome.kind === "ok");
    assert.equal(outcome.config.password, "hunter2");
    assert.doesNotMatch(JSON.stringify(outcome.redacted), /hunter2/);
    assert.match(JSON.stringify(outcome.redacted), /"password":"<redacted>"/);
  }
  assert.match(faults("nodes: [a]\npassword: {file: /nowhere/x}\n")[0] ?? "", /cannot read the secret's file "\/nowhere\/x"/);
  assert.doesNotMatch(faults("nodes: [a]\npassword: [hunter2]\n").join(), /hunter2/);
});

test("the hash changes with the effective configuration alone", () => {
  const hash = (text: string, env: Record<string, string> = {}): string => {
    const outcome = read(text, env);
    return outcome.kind === "ok" ? outcome.hash : "";
  };
  assert.equal(hash("nodes: [a]\n"), hash("# words\nnodes:\n  - a\nworkers: 1\n"));
  assert.notEqual(hash("nodes: [a]\n"), hash("nodes: [a]\n", { PODKIT_WORKERS: "2" }));
});

test("an alias bomb is refused", () => {
  const levels = Array.from({ length: 9 }, (_, level) => `l${level + 1}: &l${level + 1} [${Array.from({ length: 9 }, () => `*l${level}`).join(", ")}]`);
  const { problems } = readYaml("bomb.yaml", ["l0: &l0 [x]", ...levels].join("\n"));
  assert.match(problems[0]?.message ?? "", /aliases/);
});

test("scalars keep the text they were written with", () => {
  const config = good("nodes: [00123, 1.10, no, 9007199254740993]\n");
  assert.deepEqual(config.nodes, ["00123", "1.10", "no", "9007199254740993"]);
});

test("a folder gives its YAML files in order of name, without hidden ones", () => {
  const folder = mkdtempSync(join(tmpdir(), "podkit-config-folder-"));
  for (const name of ["b.yaml", "a.yml", "..data.yaml", "notes.txt"]) writeFileSync(join(folder, name), "");
  assert.deepEqual(listConfigFiles(folder), [join(folder, "a.yml"), join(folder, "b.yaml")]);
  assert.deepEqual(listConfigFiles(join(folder, "none")), []);
  rmSync(folder, { recursive: true });
});

for (const [text, expected] of [["500ms", 500], ["1m30s", 90_000], ["1.5s", 1500], ["250", 250], ["5x", undefined], ["", undefined], ["-1s", undefined]] as const) {
  test(`the duration "${text}" is ${expected} ms`, () => assert.equal(parseDurationMs(text), expected));
}
for (const [text, expected] of [["64KiB", 65_536], ["8Mi", 8_388_608], ["1.5GB", 1.5e9], ["4096", 4096], ["1 MB", 1e6], ["1e3", undefined], ["MB", undefined]] as const) {
  test(`the size "${text}" is ${expected} bytes`, () => assert.equal(parseSizeBytes(text), expected));
}
for (const [text, expected] of [["a:1", { host: "a", port: 1 }], ["[::1]:80", { host: "::1", port: 80 }], [":80", { host: "", port: 80 }], ["a:65536", undefined], ["a", undefined], ["::1:80", undefined]] as const) {
  test(`the address "${text}" is ${JSON.stringify(expected)}`, () => assert.deepEqual(parseAddress(text), expected));
}

test("reading any text never throws", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200, unit: fc.constantFrom("a", ":", " ", "\n", "-", "[", "]", "{", "}", "&", "*", '"', "#", "\t", "nodes", "workers") }), (text) => {
      read(text);
    }),
    { numRuns: 500 },
  );
});

test("credentials within an address are not repeated by the fault that it is", () => {
  const [fault] = faults("nodes: [x]\nmode: https://ann:s3cret@logs.example/path\n");
  assert.match(fault ?? "", /https:\/\/\[redacted\]@logs\.example/);
  assert.doesNotMatch(fault ?? "", /s3cret/);
});
