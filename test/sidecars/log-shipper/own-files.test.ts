import assert from "node:assert/strict";
import { test } from "node:test";
import { ownFileFaults } from "../../../sidecars/log-shipper/own-files.ts";

type Case = { readonly paths: readonly string[]; readonly exclude?: readonly string[]; readonly files?: readonly string[]; readonly deadLetter?: string };

function check(name: string, { paths, exclude = [], files = [], deadLetter }: Case, expected: readonly RegExp[]): void {
  test(name, () => {
    const faults = ownFileFaults({
      sources: [{ type: "forward" }, { type: "tail", paths, exclude }],
      sinks: [{ type: "stdout", name: "stdout" }, ...files.map((path) => ({ type: "file" as const, name: path, path }))],
      deadLetter: { path: deadLetter },
      state: { directory: "/state" },
    });
    assert.equal(faults.length, expected.length, faults.join("\n"));
    for (const [index, fault] of faults.entries()) assert.match(fault, expected[index] ?? /^$/);
  });
}

check("A file sink beside the logs, outside the patterns, is fine", { paths: ["/logs/*.log"], files: ["/logs/out.ndjson"] }, []);
check("A file sink must not feed the source", { paths: ["/logs/*.log"], files: ["/logs/out.log"] }, [/^sources\[1\]: its paths match \/logs\/out\.log, .*\(sinks\[1\]\.path\).*sources\[1\]\.exclude$/]);
check("The path may be written in other ways", { paths: ["/logs/*.log"], files: ["/logs//sub/../out.log"] }, [/\/logs\/out\.log/]);
check("An excluded one is fine", { paths: ["/logs/*.log"], exclude: ["/logs/out.log"], files: ["/logs/out.log"] }, []);
check("Nor must the dead letters", { paths: ["/logs/*"], deadLetter: "/logs/refused" }, [/deadLetter\.path/]);
check("Nor what the state directory holds", { paths: ["/**"] }, [/dead-letters\.ndjson/, /positions\.log.*state\.directory/]);
check("Two sinks must not write one file", { paths: ["/logs/*.log"], files: ["/out/a", "/out/a"] }, [/^sinks\[2\]\.path: \/out\/a is written by sinks\[1\]\.path as well/]);
check("Nor a sink the dead letters", { paths: ["/logs/*.log"], files: ["/out/a"], deadLetter: "/out/a" }, [/^deadLetter\.path: \/out\/a is written by sinks\[1\]\.path as well/]);
