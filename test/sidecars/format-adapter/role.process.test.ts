import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { toCsvReport, toJsonReport } from "../../../manifests/demo/app/orders.ts";
import { checkOldReport } from "../../../manifests/demo/report-reader/old-report.ts";
import { eventually } from "../../support/eventually.ts";
import { runCommand } from "./adapter-command.ts";
import { end, makePlace, orders, published, read, rename, root, start, writeConfig } from "./adapter-process.ts";

test("reports are adapted to exactly the old format, whatever the new one holds", async () => {
  const place = makePlace();
  const adapter = await start(place);
  rename(place, "orders-1.csv", toCsvReport(orders(3)));
  rename(place, "stock-1.json", toJsonReport(orders(2)));
  await eventually(() => published(place).length === 2);
  assert.equal(read(place, "orders-1.csv"), 'order_id,created,name,total,status,region\r\n1,01/01/2026 00:00,Bo Lee,160.38,0,EU\r\n2,01/01/2026 00:00,Zoë Lee,478.14,0,EU\r\n3,01/01/2026 00:00,José Lee,954.28,1,EU\r\n');
  assert.equal(read(place, "stock-1.csv"), "order_id,customer,qty\r\n1,Bo Lee,2\r\n2,Zoë Lee,3\r\n");
  await eventually(async () => (await adapter.get("/readyz")).status === 200);
  await eventually(async () => /podkit_format_adapter_rows_adapted_total\{mapping="v2-to-v1"\} 3\n/.test((await adapter.get("/metrics")).body));
  await end(adapter);
});

test("a report that is written slowly is adapted when it is whole, never before", async () => {
  const place = makePlace();
  const adapter = await start(place);
  const text = toCsvReport(orders(50));
  const cuts = [10, 60, 61, 505, text.length - 1, text.length];
  for (const cut of cuts.slice(0, -1)) assert.notEqual(text[cut - 1], "\n");
  let from = 0;
  for (const to of cuts) {
    appendFileSync(join(place.reports, "orders-slow.csv"), text.slice(from, to));
    from = to;
    if (to === text.length) break;
    await eventually(async () => /podkit_format_adapter_waiting_files\{adapter="orders"\} 1\n/.test((await adapter.get("/metrics")).body));
    // A cut at the end of a line is the one place that "complete" cannot tell from the end; none is in the list.
    assert.deepEqual(published(place), []);
  }
  await eventually(() => published(place).length === 1);
  assert.equal(checkOldReport("orders-slow.csv", read(place, "orders-slow.csv")).kind, "rows");
  await end(adapter);
});

test("a consumer that reads as fast as it can never sees half a report", async () => {
  const place = makePlace();
  const adapter = await start(place);
  const target = join(place.legacy, "orders-hot.csv");
  const sizes = [2000, 100, 3000, 50];
  const wrong = new Set<string>();
  for (let round = 0; round < 12; round++) {
    const count = sizes[round % sizes.length] ?? 1;
    rename(place, "orders-hot.csv", toCsvReport(orders(count, round + 1)));
    await eventually(() => {
      let text: string;
      try {
        text = readFileSync(target, "utf8");
      } catch {
        return false; // not there yet
      }
      const fault = faultOf(text);
      if (fault !== undefined) wrong.add(fault);
      return text.includes(`\r\n${round + 1},`) && text.split("\r\n").length === count + 2;
    }, { intervalMs: 0 });
  }
  assert.deepEqual([...wrong], []);
  await end(adapter);

  function faultOf(text: string): string | undefined {
    const checked = checkOldReport("orders-hot.csv", text);
    if (checked.kind === "wrong") return checked.reason;
    return sizes.includes(checked.rows) ? undefined : `a report of ${checked.rows} rows was never written`;
  }
});

test("a rewrite of the same size and time is seen; the same bytes again are not published again", async () => {
  const place = makePlace();
  const adapter = await start(place);
  const [one, two] = [toCsvReport(orders(1)), toCsvReport(orders(1)).replace("Bo,", "Al,")];
  const path = join(place.reports, "orders-1.csv");
  writeFileSync(path, one);
  await eventually(() => published(place).length === 1 && read(place, "orders-1.csv").includes("Bo Lee"));
  const { atime, mtime } = statSync(path);
  writeFileSync(path, two);
  utimesSync(path, atime, mtime);
  await eventually(() => read(place, "orders-1.csv").includes("Al Lee"));
  const before = statSync(join(place.legacy, "orders-1.csv"), { bigint: true });
  writeFileSync(path, two);
  await eventually(async () => /files_unchanged_total\{mapping="v2-to-v1"\} [1-9]/.test((await adapter.get("/metrics")).body));
  assert.equal(statSync(join(place.legacy, "orders-1.csv"), { bigint: true }).mtimeNs, before.mtimeNs);
  await end(adapter);
});

test("a bad report is quarantined with its reason and the last good one stays; a corrected one is adapted", async () => {
  const place = makePlace();
  const adapter = await start(place);
  rename(place, "orders-1.csv", toCsvReport(orders(2)));
  await eventually(() => published(place).length === 1);
  const good = read(place, "orders-1.csv");
  rename(place, "orders-1.csv", toCsvReport(orders(2)).replace(",NEW\n2,", ",LOST\n2,"));
  const reasonFile = await eventually(() => {
    const names = readdirSync(place.state, { recursive: true, encoding: "utf8" });
    return names.find((name) => name.endsWith(".reason.json"));
  });
  const reason = JSON.parse(readFileSync(join(place.state, reasonFile), "utf8")) as Record<string, unknown>;
  assert.deepEqual([reason["code"], reason["line"], reason["column"], reason["sample"], reason["mapping"], reason["byteOffsetOfLine"]], ["ENUM", 2, "status", "LOST", "v2-to-v1", "id,created_at,first,last,amount,qty,status\n".length]);
  assert.equal(read(place, "orders-1.csv"), good);
  rename(place, "orders-1.csv", toCsvReport(orders(1, 9)));
  await eventually(() => read(place, "orders-1.csv").includes("\r\n9,"));
  rename(place, "orders-2.csv", "id,other\n1,2\n");
  await eventually(async () => /drift_total\{adapter="orders"\} 2\n/.test((await adapter.get("/metrics")).body));
  rename(place, "orders-3.csv", Buffer.concat([Buffer.from(toCsvReport(orders(1))), Buffer.from([0x31, 0xff, 0x0a])]).toString("latin1"));
  writeFileSync(join(place.reports, "orders-4.csv"), Buffer.concat([Buffer.from(toCsvReport(orders(1))), Buffer.from([0x31, 0xff, 0x0a])]));
  await eventually(async () => /quarantined_total\{reason="ENCODING"\} 1\n/.test((await adapter.get("/metrics")).body));
  await end(adapter);
});

test("killed at any moment, each report is there once and right after the restart, and no temporary file is seen", async () => {
  const place = makePlace();
  const names = Array.from({ length: 30 }, (_, index) => `orders-${String(index).padStart(3, "0")}.csv`);
  for (const [index, name] of names.entries()) rename(place, name, toCsvReport(orders(400, 1000 * index + 1)));
  for (let round = 0; round < 8; round++) {
    const before = published(place).length;
    const adapter = await start(place);
    await eventually(() => published(place).length > Math.min(before + round, names.length - 1) || published(place).length >= names.length, { intervalMs: 1 });
    adapter.child.kill("SIGKILL");
    await adapter.exit;
    for (const name of published(place)) assert.deepEqual(checkOldReport(name, read(place, name)), { kind: "rows", rows: 400 });
  }
  const adapter = await start(place);
  await eventually(() => published(place).length === names.length);
  await eventually(async () => (await adapter.get("/readyz")).status === 200);
  assert.deepEqual(published(place), names);
  for (const [index, name] of names.entries()) assert.ok(read(place, name).includes(`\r\n${1000 * index + 400},`));
  await end(adapter);
  const again = await start(place);
  await eventually(async () => (await again.get("/readyz")).status === 200);
  assert.doesNotMatch((await again.get("/metrics")).body, /files_adapted_total\{/);
  await end(again);
});

test("without any event the scan finds everything, and says that events missed it", async () => {
  const place = makePlace();
  const mute = join(root, "mute.mjs");
  writeFileSync(mute, 'import fs from "node:fs";\nimport { syncBuiltinESMExports } from "node:module";\nimport { EventEmitter } from "node:events";\nfs.watch = () => Object.assign(new EventEmitter(), { close() {}, ref() {}, unref() {} });\nsyncBuiltinESMExports();\n');
  const adapter = await start(place, { preload: ["--import", mute] });
  await eventually(async () => (await adapter.get("/readyz")).status === 200);
  const missed = async (): Promise<number> => Number(/files_missed_by_events_total\{adapter="orders"\} (\d+)\n/.exec((await adapter.get("/metrics")).body)?.[1] ?? 0);
  // The watcher's own first look at the folder may still find the first ones.
  let early = 0;
  await eventually(async () => {
    rename(place, `orders-early-${early++}.csv`, toCsvReport(orders(1)));
    return (await missed()) > 0;
  }, { intervalMs: 250 });
  await eventually(() => published(place).length === early);
  // A file counts when no event has told of it for two seconds.
  const before = await eventually(async () => ((await missed()) >= early - 1 ? await missed() : false));
  for (let index = 0; index < 5; index++) rename(place, `orders-${index}.csv`, toCsvReport(orders(1, index + 1)));
  await eventually(() => published(place).length === early + 5);
  await eventually(async () => (await missed()) >= before + 5);
  assert.ok((await missed()) <= early + 5);
  await end(adapter);
});

test("a changed mapping adapts again what it affects and nothing else", async () => {
  const place = makePlace();
  const adapter = await start(place);
  rename(place, "orders-1.csv", toCsvReport(orders(1)));
  rename(place, "stock-1.json", toJsonReport(orders(1)));
  await eventually(() => published(place).length === 2);
  const stock = statSync(join(place.legacy, "stock-1.csv"), { bigint: true }).mtimeNs;
  writeConfig(place, { region: "US" });
  await eventually(() => read(place, "orders-1.csv").includes(",US\r\n"));
  assert.equal(statSync(join(place.legacy, "stock-1.csv"), { bigint: true }).mtimeNs, stock);
  await end(adapter);
});

test("a folder that is not there yet shows in readiness with the remedy, and is taken up when it comes", async () => {
  const place = makePlace();
  rmSync(place.reports, { recursive: true });
  const adapter = await start(place);
  const answer = await eventually(async () => {
    const got = await adapter.get("/readyz");
    return got.body.includes("mount the volume") && got;
  });
  assert.equal(answer.status, 503);
  mkdirSync(place.reports);
  rename(place, "orders-1.csv", toCsvReport(orders(1)));
  await eventually(() => published(place).length === 1);
  await end(adapter);
});

test("a burst of six hundred reports is adapted whole, each once", async () => {
  const place = makePlace();
  const adapter = await start(place);
  const text = toJsonReport(orders(1));
  for (let index = 0; index < 600; index++) rename(place, `stock-${index}.json`, text);
  await eventually(() => published(place).length === 600, { timeoutMs: 120_000, intervalMs: 100 });
  await eventually(async () => /files_adapted_total\{mapping="stock"\} 600\n/.test((await adapter.get("/metrics")).body));
  await end(adapter);
});

test("examples that do not hold keep the adapter unready and everything unadapted", async () => {
  const place = makePlace();
  writeFileSync(place.config, `${readFileSync(place.config, "utf8")}        examples: [{in: '[]', out: "something else"}]\n`);
  rename(place, "stock-1.json", toJsonReport(orders(1)));
  const adapter = await start(place);
  await eventually(() => adapter.output().includes("does not hold"));
  assert.match((await adapter.get("/readyz")).body, /\[-\]examples failed: 1 examples/);
  assert.deepEqual(published(place), []);
  await end(adapter);
});

test("the commands test, lint and run --once answer by words and exit code", async () => {
  const place = makePlace();
  rename(place, "orders-1.csv", toCsvReport(orders(1)));
  rename(place, "stock-1.json", "[{}]");
  const command = async (...argv: string[]): Promise<readonly [number | null, string]> => {
    const { code, stdout, told } = await runCommand(...argv, "--config", place.config);
    return [code, `${stdout}${told}`];
  };
  assert.deepEqual(await command("test"), [0, "v2-to-v1 has no examples\nstock has no examples\n0 examples: 0 hold, 0 not\n"]);
  assert.match((await command("lint"))[1], /has no examples; nothing gates its readiness/);
  assert.equal((await command("run"))[0], 64);
  assert.equal((await command("run", "--once"))[0], 75);
  assert.deepEqual(published(place).map((name) => basename(name)), ["orders-1.csv"]);
  rmSync(place.reports, { recursive: true });
  assert.match((await command("run", "--once")).join(": "), /^75: orders: cannot adapt in .*: ENOENT: .*; mount the volume that holds /m);
});
