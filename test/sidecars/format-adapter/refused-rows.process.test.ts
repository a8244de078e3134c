import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { end, makePlace, published, read, rename, start } from "./adapter-process.ts";

test("wrong records are left out, counted and kept with their reasons; too many refuse the report", async () => {
  const place = makePlace();
  writeFileSync(place.config, `stateDirectory: ${place.state}
watch: {dir: ${place.reports}, match: "*.csv", reconcile: 100ms}
mappings:
  rows:
    in: {format: csv, columns: {a: int64, kind: string}}
    out: {format: csv, file: "${place.legacy}/{name}.csv"}
    where: kind != 'test'
    fields: {a: a, kind: {from: kind, map: {new: N}}}
    onError: {quarantine-row: {max: 2}}
`);
  const adapter = await start(place);
  rename(place, "some.csv", "a,kind\n1,new\nx,new\n2,odd\n3,test\n4,new\n");
  await eventually(() => published(place).length === 1);
  assert.equal(read(place, "some.csv"), "a,kind\n1,N\n4,N\n");
  const quarantine = join(place.state, "quarantine");
  const name = await eventually(() => readdirSync(quarantine).find((each) => each.endsWith(".rows.ndjson")));
  const rows = readFileSync(join(quarantine, name), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as unknown);
  assert.deepEqual(rows, [
    { line: 3, code: "CAST", message: "the value is not int64", column: "a", sample: "x", record: { a: "x", kind: "new" } },
    { line: 4, code: "ENUM", message: "the value is none of new", column: "kind", sample: "odd", record: { a: "2", kind: "odd" } },
  ]);
  const { body } = await adapter.get("/metrics");
  for (const line of ['podkit_format_adapter_rows_refused_total{mapping="rows"} 2', 'podkit_format_adapter_rows_filtered_total{mapping="rows"} 1', 'podkit_format_adapter_drift_total{adapter="adapter-1"} 1']) assert.ok(body.includes(`${line}\n`), line);
  rename(place, "many.csv", "a,kind\nx,new\ny,new\nz,new\n");
  await eventually(() => adapter.output().includes("more than 2 records are wrong; the first: the value is not int64"));
  assert.deepEqual(published(place), ["some.csv"]);
  await end(adapter);
});
