import assert from "node:assert/strict";
import { mkdtemp, rename, rm, utimes, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { systemClock } from "../../../kit/clock.ts";
import { createLog } from "../../../kit/log.ts";
import { startExporter, wantedFormat } from "../../../sidecars/format-adapter/exporter/exporter.ts";
import { eventually } from "../../support/eventually.ts";
import { checkExposition } from "./support-exposition.ts";
import { parseConfig } from "./support.ts";

type Scrape = (accept?: string) => Promise<ReadonlyMap<string, string>>;

/** Starts an exporter of these sources (YAML); the result scrapes it and has the text read strictly. */
async function exporting(t: TestContext, sources: string): Promise<Scrape> {
  const outcome = parseConfig(`exporter:\n  listen: 127.0.0.1:0\n  sources:\n${sources}`);
  assert.ok("config" in outcome && outcome.config.exporter !== undefined, "problems" in outcome ? outcome.problems.join("\n") : "");
  const exporter = await startExporter({ config: outcome.config.exporter, clock: systemClock, log: createLog({ role: "test", level: "silent" }) });
  t.after(async () => await exporter.close());
  return async (accept = "application/openmetrics-text") => {
    const response = await fetch(`http://127.0.0.1:${exporter.address.port}/metrics`, { headers: { accept } });
    const format = response.headers.get("content-type")?.startsWith("application/openmetrics-text; version=1.0.0") === true ? "openmetrics" : "prometheus";
    return checkExposition(await response.text(), format);
  };
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "podkit-exporter-"));
  t.after(async () => await rm(folder, { recursive: true }));
  return folder;
}

async function replace(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.tmp`, content);
  await rename(`${path}.tmp`, path);
}

async function serving(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/stats`;
}

const untilUp = async (scrape: Scrape, source: string, value = "1"): Promise<ReadonlyMap<string, string>> => await eventually(async () => {
  const series = await scrape();
  assert.equal(series.get(`podkit_adapter_source_up{source="${source}"}`), value);
  return series;
});

test("a file's records become series with labels, in both formats; a bad file leaves the last good values", async (t) => {
  const folder = await folderOf(t);
  const path = join(folder, "jobs.csv");
  await replace(path, 'queue,depth,done,seconds\n"a""b",3,9007199254740993,1.10\nc\\d,,0,2\n');
  const scrape = await exporting(t, `    - name: jobs
      file: ${path}
      every: 20ms
      in: {format: csv, columns: {seconds: decimal(2)}}
      metrics:
        - {name: jobs_depth, help: "Jobs that \\"wait\\".", value: depth, labels: {queue: queue}}
        - {name: jobs_done_total, type: counter, value: done, labels: {queue: queue, region: {const: EU}}}
        - {name: jobs_busy_seconds, unit: seconds, value: {expr: "seconds * 2", type: decimal(2)}, where: "seconds > 1.5", labels: {queue: queue}}
        - {name: jobs_queue, type: info, labels: {queue: queue}}
`);
  const series = await untilUp(scrape, "jobs");
  assert.equal(series.get('jobs_depth{queue="a\\"b"}'), "3");
  assert.equal(series.get('jobs_depth{queue="c\\\\d"}'), undefined, "an empty value gives no sample");
  assert.equal(series.get('jobs_done_total{queue="a\\"b",region="EU"}'), "9007199254740993");
  assert.deepEqual([...series].filter(([key]) => key.startsWith("jobs_busy")), [['jobs_busy_seconds{queue="c\\\\d"}', "4.00"]]);
  assert.equal(series.get('jobs_queue_info{queue="c\\\\d"}'), "1");
  assert.equal((await scrape("text/plain;version=0.0.4")).get('jobs_done_total{queue="a\\"b",region="EU"}'), "9007199254740993");

  await replace(path, "queue,depth,done,seconds\nx,many,1,1\n");
  const after = await untilUp(scrape, "jobs", "0");
  assert.equal(after.get('jobs_depth{queue="a\\"b"}'), "3", "the last good values stay");

  await replace(path, gzipSync('queue,depth,done,seconds\n"a""b",4,1,1\n'));
  const reset = await untilUp(scrape, "jobs");
  assert.equal(reset.get('jobs_depth{queue="a\\"b"}'), "4");
  assert.equal(reset.get('jobs_done_total{queue="a\\"b",region="EU"}'), "1", "a counter that began anew is told as it is");
  assert.equal(reset.get('podkit_adapter_source_resets_total{source="jobs"}'), "1");
});

test("values that are older than maxAge are no longer told", async (t) => {
  const folder = await folderOf(t);
  const path = join(folder, "old.json");
  await replace(path, '[{"n":1}]');
  const scrape = await exporting(t, `    - {name: old, file: ${path}, every: 20ms, maxAge: 1h, in: {format: json}, metrics: [{name: n, value: n}]}\n`);
  assert.equal((await untilUp(scrape, "old")).get("n{}"), "1");
  const hoursAgo = Date.now() / 1000 - 7200;
  await utimes(path, hoursAgo, hoursAgo);
  await eventually(async () => {
    const series = await scrape();
    assert.equal(series.get("n{}"), undefined);
    assert.equal(series.get('podkit_adapter_source_stale{source="old"}'), "1");
    return true;
  });
});

test("an application's answers are read, whatever it does", async (t) => {
  let answer: RequestListener = (_, response) => response.end('{"data":{"items":[{"id":"x","load":0.5,"on":true}]}}');
  const url = await serving(t, (request, response) => answer(request, response));
  const scrape = await exporting(t, `    - {name: app, url: "${url}", every: 20ms, timeout: 300ms, maxSize: 1KiB, in: {format: yaml, records: data.items}, metrics: [{name: load, value: load, labels: {id: id}}, {name: switched_on, value: "on", labels: {id: id}}]}\n`);
  const series = await untilUp(scrape, "app");
  assert.equal(series.get('load{id="x"}'), "0.5");
  assert.equal(series.get('switched_on{id="x"}'), "1");
  const faults: Readonly<Record<string, RequestListener>> = {
    "an error": (_, response) => response.writeHead(500).end("no"),
    "a redirection": (_, response) => response.writeHead(302, { location: url }).end(),
    "no answer in time": () => undefined,
    "a broken connection": (request) => void request.socket.destroy(),
    "an answer that is too large": (_, response) => response.end(`data: {items: [{id: ${"x".repeat(5000)}, load: 1, on: true}]}\n`),
  };
  for (const [name, fault] of Object.entries(faults)) {
    answer = fault;
    assert.equal((await untilUp(scrape, "app", "0")).get('load{id="x"}'), "0.5", `${name}: the last good value stays`);
    answer = (_, response) => response.end("data: {items: [{id: x, load: 0.5, on: true}]}\n");
    await untilUp(scrape, "app");
  }
});

test("series beyond maxSeries are left out and counted; two records of one series are refused", async (t) => {
  const folder = await folderOf(t);
  await replace(join(folder, "many.csv"), `id,v\n${Array.from({ length: 50 }, (_, index) => `${index},1\n`).join("")}`);
  await replace(join(folder, "double.csv"), "id,v\na,1\na,2\n");
  const scrape = await exporting(t, `    - {name: many, file: ${join(folder, "many.csv")}, every: 20ms, maxSeries: 10, in: {format: csv}, metrics: [{name: m, value: v, labels: {id: id}}]}
    - {name: double, file: ${join(folder, "double.csv")}, every: 20ms, in: {format: csv}, metrics: [{name: d, value: v, labels: {id: id}}]}\n`);
  const series = await untilUp(scrape, "many");
  assert.equal([...series.keys()].filter((key) => key.startsWith("m{")).length, 10);
  assert.equal(series.get('podkit_adapter_source_series_dropped{source="many"}'), "40");
  await untilUp(scrape, "double", "0");
});

test("records become histograms and summaries, in both formats; one that begins anew is a reset", async (t) => {
  const folder = await folderOf(t);
  const path = join(folder, "times.csv");
  await replace(path, "path,fast,medium,slow,sum,n,p50,p99\n/a,3,5,9,1.25,10,0.1,0.9\n/b,0,0,0,0,0,NaN,NaN\n/c,1,,1,1,1,1,1\n");
  const scrape = await exporting(t, `    - name: times
      file: ${path}
      every: 20ms
      in: {format: csv}
      metrics:
        - {name: request_seconds, type: histogram, unit: seconds, help: "How long.", buckets: {"1": medium, "0.1": fast, "2.5": slow}, sum: sum, count: n, labels: {path: path}}
        - {name: own_seconds, type: histogram, cumulative: false, buckets: {"0.1": fast, "1": medium, "+Inf": slow}, sum: sum, labels: {path: path}}
        - {name: latency_seconds, type: summary, quantiles: {"0.5": p50, "0.99": p99}, sum: sum, count: n, labels: {path: path}}
`);
  const series = await untilUp(scrape, "times");
  const of = (from: ReadonlyMap<string, string>, start: string): readonly string[] => [...from].filter(([key]) => key.startsWith(start) && key.includes("/a")).map(([key, value]) => `${key.replace('path="/a"', "").replace("{}", "").replace("{,", "{")} ${value}`);
  const expected = ['request_seconds_bucket{le="0.1"} 3', 'request_seconds_bucket{le="1.0"} 5', 'request_seconds_bucket{le="2.5"} 9', 'request_seconds_bucket{le="+Inf"} 10', "request_seconds_sum 1.25", "request_seconds_count 10"];
  assert.deepEqual(of(series, "request_seconds"), expected);
  assert.deepEqual(of(await scrape("text/plain"), "request_seconds"), expected, "the same series in both formats");
  assert.deepEqual(of(series, "own_seconds"), ['own_seconds_bucket{le="0.1"} 3', 'own_seconds_bucket{le="1.0"} 8', 'own_seconds_bucket{le="+Inf"} 17', "own_seconds_sum 1.25", "own_seconds_count 17"]);
  assert.deepEqual(of(series, "latency_seconds"), ['latency_seconds{quantile="0.5"} 0.1', 'latency_seconds{quantile="0.99"} 0.9', "latency_seconds_sum 1.25", "latency_seconds_count 10"]);
  assert.deepEqual([...series.keys()].filter((key) => key.startsWith("request") && key.includes("/c")), [], "a record in which a value is missing gives no part of a histogram");

  await replace(path, "path,fast,medium,slow,sum,n,p50,p99\n/a,1,1,1,0.01,1,0.1,0.9\n");
  await eventually(async () => {
    assert.equal((await scrape()).get('podkit_adapter_source_resets_total{source="times"}'), "3", "each metric began anew");
    return true;
  });

  for (const [record, message] of [["/a,3,2,9,1.25,10,1,1", "a bucket below the one before"], ["/a,3,5,9,1.25,8,1,1", "a count below a bucket"], ["/a,3,5.5,9,1.25,10,1,1", "half a count"], ["/a,3,5,9,much,10,1,1", "a sum that is no number"]] as const) {
    await replace(path, `path,fast,medium,slow,sum,n,p50,p99\n${record}\n`);
    const kept = await untilUp(scrape, "times", "0");
    assert.equal(kept.get('request_seconds_count{path="/a"}'), "1", `${message}: the last good values stay`);
    await replace(path, "path,fast,medium,slow,sum,n,p50,p99\n/a,1,1,1,0.01,1,0.1,0.9\n");
    await untilUp(scrape, "times");
  }
});

test("a histogram beyond maxSeries is left out whole", async (t) => {
  const folder = await folderOf(t);
  await replace(join(folder, "h.csv"), "id,a,b,sum\n1,1,2,3\n2,1,2,3\n3,1,2,3\n");
  const scrape = await exporting(t, `    - {name: h, file: ${join(folder, "h.csv")}, every: 20ms, maxSeries: 9, in: {format: csv}, metrics: [{name: h, type: histogram, buckets: {"1": a, "+Inf": b}, sum: sum, labels: {id: id}}]}\n`);
  const series = await untilUp(scrape, "h");
  assert.deepEqual([...series.keys()].filter((key) => key.startsWith("h_count")), ['h_count{id="1"}', 'h_count{id="2"}']);
  assert.equal(series.get('podkit_adapter_source_series_dropped{source="h"}'), "4");
});

const problem = (source: string, expected: RegExp): void => {
  test(`refused: ${source}`, () => {
    const outcome = parseConfig(`exporter:\n  sources:\n    - ${source}\n`);
    assert.ok("problems" in outcome);
    assert.match(outcome.problems.join("\n"), expected);
  });
};
problem("{url: http://10.1.2.3/x, in: {format: json}, metrics: []}", /"10\.1\.2\.3" is another machine.*allowRemote/);
problem("{url: http://localhost.evil.example/x, in: {format: json}, metrics: []}", /another machine/);
problem("{url: https://127.0.0.1/x, in: {format: json}, metrics: []}", /expected a URL/);
problem("{file: x.csv, in: {format: csv}, metrics: []}", /expected an absolute path/);
problem("{in: {format: csv}, metrics: []}", /needs either "file" or "url"/);
problem("{file: /x, in: {format: csv}, metrics: [{name: 1a, value: v}]}", /not the name of a metric/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, value: v, unit: seconds}]}", /must end with the unit, as in a_seconds/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, value: v, labels: {__x: y}}]}", /not the name of a label/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a}]}", /needs "value"/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, value: v}, {name: a, value: w}]}", /the metric "a" is made by "source-1" already/);

problem("{file: /x, in: {format: csv}, metrics: [{name: a, type: histogram, sum: s, count: n}]}", /needs "buckets"/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, type: histogram, buckets: {'1': b}, sum: s}]}", /needs "count", or a bucket "\+Inf"/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, type: histogram, buckets: {'1': b}, count: n}]}", /needs "sum"/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, type: histogram, buckets: {'1': b, '1.0': c}, sum: s, count: n}]}", /the bound 1\.0 is given twice/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, type: histogram, buckets: {x: d}, sum: s, count: n}]}", /expected an upper bound such as "0\.5" or "\+Inf", got "x"/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, type: histogram, buckets: {'1': b}, sum: s, count: n, labels: {le: x}}]}", /the label "le" is the histogram's own/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, type: summary, quantiles: {'50': b}}]}", /expected a quantile from 0 to 1, got "50"/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, type: summary, quantiles: {'0.5': b}, sum: s}]}", /needs both "sum" and "count"/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, value: v, buckets: {'1': b}}]}", /has a meaning for histogram and summary alone, not for a gauge/);
problem("{file: /x, in: {format: csv}, metrics: [{name: a, type: summary, sum: s, count: n}, {name: a_sum, value: v}]}", /the metric "a_sum" is made by "source-1" already/);

test("a scraper gets OpenMetrics when it wishes for it at least as much", () => {
  assert.equal(wantedFormat(""), "prometheus");
  assert.equal(wantedFormat("*/*"), "prometheus");
  assert.equal(wantedFormat("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"), "openmetrics");
  assert.equal(wantedFormat("application/openmetrics-text;q=0.2,text/plain;q=0.5"), "prometheus");
  assert.equal(wantedFormat("application/openmetrics-text;q=0"), "prometheus");
});
