import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "../../kit/metrics.ts";

test("all kinds are written in the Prometheus text format", () => {
  const metrics = new MetricRegistry();
  const lines = metrics.counter({ name: "podkit_x_lines_total", help: "Lines.", labels: ["sink"] });
  lines.inc({ sink: 'a"b\\c\nd' }, 3);
  lines.with({ sink: "e" }).inc();
  metrics.gauge({ name: "podkit_x_lag_bytes", help: "Lag\nin bytes." }).set(1.5);
  metrics.histogram({ name: "podkit_x_delay_seconds", help: "Delay.", buckets: [0.1, 1] }).observe(0.5);
  assert.equal(
    metrics.render(),
    `# HELP podkit_x_lines_total Lines.
# TYPE podkit_x_lines_total counter
podkit_x_lines_total{sink="a\\"b\\\\c\\nd"} 3
podkit_x_lines_total{sink="e"} 1
# HELP podkit_x_lag_bytes Lag\\nin bytes.
# TYPE podkit_x_lag_bytes gauge
podkit_x_lag_bytes 1.5
# HELP podkit_x_delay_seconds Delay.
# TYPE podkit_x_delay_seconds histogram
podkit_x_delay_seconds_bucket{le="0.1"} 0
podkit_x_delay_seconds_bucket{le="1"} 1
podkit_x_delay_seconds_bucket{le="+Inf"} 1
podkit_x_delay_seconds_sum 0.5
podkit_x_delay_seconds_count 1
`,
  );
});

test("OpenMetrics names the counter family without _total and ends with # EOF", () => {
  const metrics = new MetricRegistry();
  metrics.counter({ name: "podkit_x_lines_total", help: "Lines." }).inc();
  assert.equal(metrics.renderOpenMetrics(), "# HELP podkit_x_lines Lines.\n# TYPE podkit_x_lines counter\npodkit_x_lines_total 1\n# EOF\n");
});

test("past seriesMax the rest is counted under other, so labels cannot grow memory", () => {
  const metrics = new MetricRegistry();
  const counter = metrics.counter({ name: "x_total", help: "x", labels: ["file"], seriesMax: 2 });
  for (let index = 0; index < 100; index++) counter.inc({ file: `f${index}` });
  assert.match(metrics.render(), /x_total\{file="other"\} 98\n/);
  assert.equal(metrics.render().split("\n").length, 2 + 3 + 1);
});

test("a collected gauge shows only what the last collection gave", () => {
  const metrics = new MetricRegistry();
  let files = ["a", "b"];
  metrics.gauge({ name: "lag_bytes", help: "x", labels: ["file"] }).collect(() => files.map((file) => ({ value: 1, labels: { file } })));
  assert.match(metrics.render(), /file="b"/);
  files = ["a"];
  assert.doesNotMatch(metrics.render(), /file="b"/);
});

test("misuse is refused", () => {
  const metrics = new MetricRegistry();
  assert.throws(() => metrics.counter({ name: "x", help: "x" }), /ends in _total/);
  const counter = metrics.counter({ name: "x_total", help: "x" });
  assert.throws(() => metrics.counter({ name: "x_total", help: "x" }), /registered already/);
  const labelled = metrics.counter({ name: "y_total", help: "y", labels: ["sink"] });
  assert.throws(() => labelled.inc({ sink: "new", colour: "red" }), /were not declared/);
  assert.throws(() => counter.inc(undefined, -1), /never falls/);
});
