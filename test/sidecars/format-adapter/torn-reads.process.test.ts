// Reports that change, or go, while they are read.
import assert from "node:assert/strict";
import { appendFileSync, closeSync, openSync, readdirSync, readFileSync, renameSync, truncateSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { copyConfig, end, makePlace, metricsOf, published, read, ready, startFaulty } from "./adapter-process.ts";

/** Rows of about 8 MB in all. The adapter stops itself when it has written one of them, so it is in the middle, however fast it is. */
const largeRows = 500_000;
const stopInTheMiddle = "signal SIGSTOP 1000000";

for (const [what, change, rows] of [
  ["appended to", (path: string) => appendFileSync(path, "1234567890abcde\n"), largeRows + 1],
  ["cut short", (path: string) => truncateSync(path, 2 + 16 * 10), 10],
  ["rewritten in place, at one size", (path: string) => writeAt(path, 2, "XXXXXXXXXXXXXXX\n"), largeRows],
  ["replaced by renaming", (path: string) => {
    writeFileSync(`${path}.tmp`, `a\n${"YYYYYYYYYYYYYYY\n".repeat(7)}`);
    renameSync(`${path}.tmp`, path);
  }, 7],
] as const) {
  test(`a report that is ${what} while it is read is never published as it was half way`, async () => {
    const place = makePlace();
    copyConfig(place, { match: "r.csv" });
    const staged = join(place.reports, "r.csv.tmp");
    writeFileSync(staged, `a\n${"1234567890abcde\n".repeat(largeRows)}`);
    const { adapter, signalled } = await startFaulty(place, stopInTheMiddle);
    await ready(adapter);
    const path = join(place.reports, "r.csv");
    renameSync(staged, path);
    await signalled();
    change(path);
    adapter.child.kill("SIGCONT");
    await eventually(() => published(place).length === 1);
    assert.equal(read(place, "r.csv"), readFileSync(path, "utf8"));
    assert.equal(read(place, "r.csv").split("\n").length, rows + 2);
    assert.match(await metricsOf(adapter), /torn_reads_total [1-9]/);
    await end(adapter);
  });
}

function writeAt(path: string, position: number, text: string): void {
  const file = openSync(path, "r+");
  writeSync(file, text, position);
  closeSync(file);
}

test("a report that is removed while it is read leaves nothing behind", async () => {
  const place = makePlace();
  copyConfig(place, { match: "r.csv" });
  const { adapter, signalled } = await startFaulty(place, stopInTheMiddle);
  await ready(adapter);
  writeFileSync(join(place.reports, "r.csv.tmp"), `a\n${"1234567890abcde\n".repeat(largeRows)}`);
  renameSync(join(place.reports, "r.csv.tmp"), join(place.reports, "r.csv"));
  await signalled();
  unlinkSync(join(place.reports, "r.csv"));
  adapter.child.kill("SIGCONT");
  await eventually(() => readdirSync(place.legacy).length === 0);
  await ready(adapter);
  await end(adapter);
});
