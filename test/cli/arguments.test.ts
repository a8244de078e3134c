import assert from "node:assert/strict";
import { test } from "node:test";
import { type ArgumentSpec, parseArguments, parseDurationMs } from "../../cli/arguments.ts";
import { verbs } from "../../cli/verbs.ts";

const spec: ArgumentSpec = {
  name: "try", positionals: { min: 0, max: 2, names: "at most two words" }, rest: true,
  flags: [
    { name: "filename", short: "f", value: "FILE", repeat: true, doc: "" },
    { name: "namespace", short: "n", value: "NAMESPACE", doc: "" },
    { name: "stdin", short: "i", doc: "" },
    { name: "tty", short: "t", doc: "" },
    { name: "output", short: "o", value: "FORMAT", choices: ["json", "yaml"], doc: "" },
  ],
};

type Expected = { readonly positionals?: readonly string[]; readonly rest?: readonly string[]; readonly on?: readonly string[]; readonly texts?: Readonly<Record<string, readonly string[]>> };

const check = (line: string, expected: Expected): void => {
  test(`"${line}" is read as ${JSON.stringify(expected)}`, () => {
    const parsed = parseArguments(spec, line === "" ? [] : line.split(" "));
    assert.equal(parsed.kind, "ok");
    if (parsed.kind !== "ok") return;
    assert.deepEqual(parsed.arguments.positionals, expected.positionals ?? []);
    assert.deepEqual(parsed.arguments.rest, expected.rest ?? []);
    assert.deepEqual(["stdin", "tty"].filter((name) => parsed.arguments.on(name)), expected.on ?? []);
    for (const name of ["filename", "namespace", "output"]) assert.deepEqual(parsed.arguments.texts(name), expected.texts?.[name] ?? [], name);
  });
};
check("", {});
check("a b", { positionals: ["a", "b"] });
check("-f x -f y", { texts: { filename: ["x", "y"] } });
check("-fx --filename=y --filename z", { texts: { filename: ["x", "y", "z"] } });
check("-n=shop a", { positionals: ["a"], texts: { namespace: ["shop"] } });
check("-it pod -- sh -c -n", { positionals: ["pod"], rest: ["sh", "-c", "-n"], on: ["stdin", "tty"] });
check("-itn shop", { on: ["stdin", "tty"], texts: { namespace: ["shop"] } });
check("-", { positionals: ["-"] });
check("-f -", { texts: { filename: ["-"] } });
check("--stdin=false -t", { on: ["tty"] });
check("-o yaml", { texts: { output: ["yaml"] } });

const checkWrong = (line: string, message: string, remedy?: string): void => {
  test(`"${line}" is refused: ${message}`, () => {
    assert.deepEqual(parseArguments(spec, line.split(" ")), { kind: "wrong", message, ...(remedy === undefined ? {} : { remedy }) });
  });
};
checkWrong("--filenam x", '"podkit try" has no option --filenam', "Did you mean --filename?");
checkWrong("-x", '"podkit try" has no option -x');
checkWrong("-f", "-f needs a value: FILE");
checkWrong("--namespace", "--namespace needs a value: NAMESPACE");
checkWrong("-n a -n b", '-n is given twice: "a" and "b"');
checkWrong("--tty=yes", '--tty is a switch and takes no value: got "yes"');
checkWrong("-o yml", 'Cannot use "yml" for -o: must be one of json, yaml', 'Did you mean "yaml"?');
checkWrong("a b c", '"podkit try" takes at most two words: got "a", "b", "c"');

test("--help is found anywhere but behind --", () => {
  assert.equal(parseArguments(spec, ["a", "--help"]).kind, "help");
  assert.equal(parseArguments(spec, ["a", "-h"]).kind, "help");
  assert.equal(parseArguments(spec, ["a", "--", "--help"]).kind, "ok");
});

test("no verb has two options of the same name or letter", () => {
  assert.ok(verbs.length >= 13);
  for (const verb of verbs) {
    const names = verb.flags.map((flag) => flag.name);
    const letters = verb.flags.flatMap((flag) => (flag.short === undefined ? [] : [flag.short]));
    assert.equal(new Set(names).size, names.length, verb.name);
    assert.equal(new Set(letters).size, letters.length, verb.name);
  }
});

test("every verb can be loaded", async () => {
  for (const verb of verbs) assert.equal(typeof (await verb.load()), "function", verb.name);
});

const checkDuration = (text: string, expectedMs: number | undefined): void => {
  test(`the duration "${text}" is ${expectedMs ?? "refused"}`, () => assert.equal(parseDurationMs(text), expectedMs));
};
checkDuration("90", 90_000);
checkDuration("90s", 90_000);
checkDuration("1h30m", 5_400_000);
checkDuration("500ms", 500);
checkDuration("1.5m", 90_000);
checkDuration("2d", 172_800_000);
checkDuration("", undefined);
checkDuration("5 m", undefined);
checkDuration("m", undefined);
checkDuration("-5s", undefined);
