import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRequest } from "../../../sidecars/redis-ambassador/protocol/inline.ts";
import { readFormOf, type ReadFormKind } from "../../../sidecars/redis-ambassador/commands/offload.ts";
import { RequestScanner } from "../../../sidecars/redis-ambassador/protocol/request-scanner.ts";
import { declaresNoWrites, ScriptRegistry } from "../../../sidecars/redis-ambassador/commands/script-registry.ts";

const scanner = new RequestScanner(() => 1e9);
function formOf(command: string): { readonly request: string; readonly keyIndex: number | undefined } | undefined {
  const words = command.split(" "), bytes = encodeRequest(words);
  scanner.scan(bytes, 0, bytes.length);
  const form = readFormOf((words[0] ?? "").toLowerCase() as ReadFormKind, { bytes, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd });
  return form === undefined ? undefined : { request: form.request.toString(), keyIndex: form.keyIndex };
}

const becomes = (command: string, other: string, keyIndex: number | undefined): void => {
  test(`${command} may be asked as ${other}`, () => assert.deepEqual(formOf(command), { request: encodeRequest(other.split(" ")).toString(), keyIndex }));
};
becomes("SORT l", "SORT_RO l", 1);
becomes("sort l LIMIT 0 10 ALPHA desc", "SORT_RO l LIMIT 0 10 ALPHA desc", 1);
becomes("SORT l BY w_* GET # GET o_*", "SORT_RO l BY w_* GET # GET o_*", undefined);
becomes("SORT l BY STORE", "SORT_RO l BY STORE", undefined);
becomes("GEORADIUS g 1 2 3 km ASC", "GEORADIUS_RO g 1 2 3 km ASC", 1);
becomes("GEORADIUSBYMEMBER g m 3 km", "GEORADIUSBYMEMBER_RO g m 3 km", 1);
becomes("BITFIELD f GET u8 0 get u8 8", "BITFIELD_RO f GET u8 0 get u8 8", 1);
becomes("GETEX k", "GET k", 1);
for (const write of ["SORT l STORE d", "SORT l BY x STORE d", "SORT l BOGUS", "SORT", "GEORADIUS g 1 2 3 km STORE d", "GEORADIUS g 1 2 3 km COUNT 1 storedist d", "GEORADIUSBYMEMBER g m 3 km STORE d",
  "BITFIELD f", "BITFIELD f SET u8 0 1", "BITFIELD f GET u8 0 INCRBY u8 0 1", "BITFIELD f OVERFLOW SAT GET u8 0", "GETEX k PERSIST", "GETEX", "GETEX k EX 10"]) {
  test(`${write} stays as it is`, () => assert.equal(formOf(write), undefined));
}

test("a script that declares no-writes is known by its first line alone", () => {
  for (const [body, expected] of [["#!lua flags=no-writes\nreturn 1", true], ["#!lua name=x flags=allow-stale,no-writes\nreturn 1", true], ["#!lua flags=allow-stale\nreturn 1", false], ["#!lua\nreturn 'flags=no-writes'", false], ["return 1 -- #!lua flags=no-writes", false], ["#!lua flags=no-writes", false]] as const) {
    assert.equal(declaresNoWrites(Buffer.from(body)), expected, body);
  }
});

test("scripts are known by their SHA1 and by where they are loaded, within bounds", () => {
  const scripts = new ScriptRegistry();
  const sha1 = scripts.note(Buffer.from("return 1"), "run-a");
  assert.equal(sha1, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
  assert.equal(scripts.body(sha1)?.toString(), "return 1");
  assert.deepEqual([scripts.isLoaded(sha1, "run-a"), scripts.isLoaded(sha1, "run-b")], [true, false]);
  scripts.forgetNode("run-a");
  assert.equal(scripts.isLoaded(sha1, "run-a"), false);
  for (let index = 0; index < 3000; index += 1) scripts.note(Buffer.from(`return ${index} -- ${"x".repeat(index % 5000)}`), "run-a");
  assert.ok(scripts.size <= 2000);
  assert.equal(scripts.body(sha1), undefined);
  scripts.clear();
  assert.equal(scripts.size, 0);
});
