import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "../../../../kit/metrics.ts";
import { registerSinkInfo } from "../../../../sidecars/log-shipper/sinks/guarantee.ts";
import { configOf, temporary } from "../support/shipper.ts";

test("A metric tells for each sink what its word is worth, also after the settings have changed", () => {
  using place = temporary();
  const sinksOf = (sinks: readonly object[]) => configOf(place.root, { sources: [{ type: "tail", paths: ["/logs/*"] }], sinks }).config.sinks;
  let sinks = sinksOf([{ type: "forward", servers: ["a:1"] }, { type: "syslog", servers: ["b:2"] }, { type: "fluent-logger", server: "c:3", required: false }, { type: "file", path: "/x" }, { type: "stdout" }, { type: "loki", endpoints: ["http://d"] }]);
  const registry = new MetricRegistry();
  registerSinkInfo(registry, () => sinks);
  const told = (): readonly string[] => registry.render().split("\n").filter((line) => line.startsWith("podkit_log_shipper_sink_info{")).map((line) => line.replace(/^.*sink="([^"]*)".*delivery="([^"]*)".* 1$/, "$1 $2")).toSorted();
  assert.deepEqual(told(), ["file written", "fluent-logger best-effort", "forward acknowledged", "loki acknowledged", "stdout best-effort", "syslog best-effort"]);
  sinks = sinksOf([{ type: "stdout" }]);
  assert.deepEqual(told(), ["stdout best-effort"]);
});
