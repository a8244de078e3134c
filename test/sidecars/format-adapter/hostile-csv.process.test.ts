// Reports that are made to fill memory. Each is converted by a process of its own, whose most memory is told; the content is made while it is read.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { entry } from "./adapter-process.ts";

type Converted = { readonly outcome: string; readonly read: number; readonly written: number; readonly peakMiB: number };
type Report = { readonly settings?: string; readonly fields?: string; readonly start: string; readonly more?: string; readonly length?: number; readonly end?: string };

function convert({ settings = "", fields = "{a: a, b: b}", start, more = "", length = 0, end = "" }: Report): Converted {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(import.meta.dirname, "hostile-csv-child.ts"), settings, fields, start, more, String(length), end], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Converted;
}

const mebi = 1_048_576;
const gibi = 1024 * mebi;
/** The process itself, and what a record of 16 MiB may take: in bytes for the engine and once as characters when the words for its fault are sought, in copies for the reader. */
const idle = convert({ start: "a,b\n1,2\n" }).peakMiB;
const paths = [["engine", "", 110], ["reader", ', comment: "\\u0001\\u0001"', 190]] as const;

for (const [path, settings, moreMiB] of paths) {
  const check = (report: Report, outcome: string): Converted => {
    const converted = convert({ ...report, settings });
    assert.equal(converted.outcome, outcome);
    assert.ok(converted.peakMiB < idle + moreMiB, `${converted.peakMiB} MiB, ${idle} of them idle`);
    return converted;
  };
  test(`an open quote before two gigabytes is refused with its line when a record may be no longer, ${path}`, () => {
    const { read } = check({ start: 'a,b\n1,2\n3,"', more: "x,y\n", length: 2 * gibi }, "LIMIT line 3");
    assert.ok(read < 19 * mebi, `${read} bytes were read`);
  });
  test(`an open quote that the report ends in, ${path}`, () => {
    check({ start: 'a,b\n1,2\n3,"', more: "x,y\n", length: 15 * mebi }, "INCOMPLETE line 3");
  });
  test(`a field of 64 MB is refused, ${path}`, () => {
    check({ start: "a,b\n1,2\n3,", more: "x", length: 64 * mebi, end: "\n" }, "LIMIT line 3");
  });
  test(`a field of 15 MB passes, ${path}`, () => {
    const { written } = check({ start: 'a,b\n1,"', more: "x,", length: 15 * mebi, end: '"\n' }, "1 rows");
    assert.equal(written, 15 * mebi + 'a,b\n1,""\n'.length);
  });
}

test("ten thousand columns over 40 MB take no more memory than over one", () => {
  const names = Array.from({ length: 10_000 }, (_, index) => `c${index}`).join(",");
  const report = (rows: number): Converted => convert({ fields: "{a: c0, b: c9999}", start: `${names}\n`, more: `${"x,".repeat(9_999)}x\n`, length: rows * 20_000 });
  const [few, many] = [report(50), report(2_000)];
  assert.deepEqual([few.outcome, many.outcome], ["50 rows", "2000 rows"]);
  assert.ok(many.peakMiB < few.peakMiB + 30, `${many.peakMiB} MiB, with few records ${few.peakMiB}`);
});

test("a report of two gigabytes with an open quote goes to quarantine with its line, in little memory, without its copy", { timeout: 120_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "podkit-csv-hostile-"));
  try {
    const [reports, legacy, state, config] = ["reports", "legacy", "state", "config.yaml"].map((name) => join(directory, name)) as [string, string, string, string];
    for (const each of [reports, legacy]) mkdirSync(each);
    writeFileSync(config, `stateDirectory: ${state}\nwatch: {dir: ${reports}, match: "*.csv"}\nmappings:\n  m:\n    in: {format: csv}\n    out: {format: csv, file: "${legacy}/{name}.csv"}\n    fields: {a: a, b: b}\n`);
    // Behind the quote a hole: NULs, which are characters like others inside of quotes.
    const file = openSync(join(reports, "open.csv"), "w");
    writeSync(file, 'a,b\n1,2\n3,"');
    ftruncateSync(file, 2 * gibi);
    closeSync(file);
    const child = spawn(process.execPath, [entry, "run", "--once", "--config", config], { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, PODKIT_LOG_LEVEL: "error" } });
    let peakKiB = 0;
    const look = setInterval(() => {
      try {
        peakKiB = Math.max(peakKiB, Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid ?? 0}/status`, "utf8"))?.[1] ?? 0));
      } catch {
        peakKiB = Math.max(peakKiB, 0); // it has ended
      }
    }, 20);
    const [code] = (await once(child, "exit")) as [number | null];
    clearInterval(look);
    assert.equal(code, 75);
    assert.ok(peakKiB > 0 && peakKiB < 256 * 1024, `${peakKiB} KiB`);
    assert.deepEqual(readdirSync(legacy), []);
    const quarantine = readdirSync(join(state, "quarantine"), { recursive: true, encoding: "utf8" });
    const [reason] = quarantine.filter((name) => name.endsWith(".reason.json"));
    assert.deepEqual(quarantine.filter((name) => /open\.csv\.[0-9a-f]+$/.test(name)), []);
    assert.match(readFileSync(join(state, "quarantine", reason ?? ""), "utf8"), /"code": "LIMIT"[\s\S]*"line": 3/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
