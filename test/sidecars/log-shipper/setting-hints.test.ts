import assert from "node:assert/strict";
import { test } from "node:test";
import { settingHints } from "../../../sidecars/log-shipper/setting-hints.ts";
import { multiline, plain } from "./encode/grouping.ts";

const java = "started\njava.io.IOException: no\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\n";
const check = (name: string, bytes: Buffer | string, expected: RegExp | undefined, settings: Partial<typeof plain> = {}, encoding: "utf-8" | "utf-16le" = "utf-8"): void => {
  test(name, () => {
    const [hint, ...others] = settingHints({ ...plain, ...settings }, Buffer.from(bytes), encoding);
    assert.deepEqual(others, []);
    if (expected === undefined) assert.equal(hint, undefined);
    else assert.match(hint ?? "", expected);
  });
};
check("Plain lines need nothing", "one\ntwo\n", undefined);
check("JSON lines need nothing", '{"log":1}\n', undefined);
check("UTF-16 without a byte order mark needs the setting", Buffer.from("hello\nworld\n", "utf16le"), /encoding: utf-16le$/);
check("With the setting it needs nothing", Buffer.from("hello\nworld\n", "utf16le"), undefined, { encoding: "utf-16le" }, "utf-16le");
check("What is not UTF-8 may be Latin-1", Buffer.from("gr\u00fcn\n", "latin1"), /encoding: latin1$/);
check("Lines of containerd", "2026-01-31T12:00:00.1Z stdout F x\n", /container: cri$/);
check("Lines of Docker", '{"log":"x\\n","stream":"stdout","time":"2026-01-31T12:00:00.1Z"}\n', /container: docker$/);
check("Stack traces", java, /multiline: \{ presets: \[java\] \}$/);
check("Stack traces with the setting", java, undefined, { multiline: multiline({ presets: ["java"] }) });
