import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { parseMetrics } from "../../cli/activity/metrics-text.ts";
import { readActivity } from "../../cli/activity/read.ts";
import { renderActivity } from "../../cli/activity/render.ts";
import { tellActivity, workFamilies } from "../../cli/activity/sentences.ts";
import { metricsTargets, type MetricsTarget } from "../../cli/activity/targets.ts";
import { noColours } from "../../cli/print/palette.ts";
import { podOf } from "./objects.ts";

test("metrics text is read with labels, escapes, exponents, timestamps and exemplars", () => {
  const text = '# HELP a b\n# TYPE a counter\na 1\nb{x="1",y="q\\"\\\\\\n}"} 2.5e3 1700000000\nc{le="+Inf"} +Inf\nd_total{k="v"} 4 # {trace="1"} 0.5\nnot a metric line at all\n\ne NaN\n';
  assert.deepEqual(parseMetrics(text), [
    { name: "a", labels: {}, value: 1 },
    { name: "b", labels: { x: "1", y: 'q"\\\n}' }, value: 2500 },
    { name: "c", labels: { le: "+Inf" }, value: Infinity },
    { name: "d_total", labels: { k: "v" }, value: 4 },
  ]);
});

const check = (what: string, text: string, expected: readonly string[]): void => {
  test(`activity tells ${what}`, () => assert.deepEqual(tellActivity(parseMetrics(text), { everything: true }), expected));
};
check("lines by sink", 'podkit_log_shipper_lines_shipped_total{sink="central"} 1234567', ["1,234,567 lines shipped (central)"]);
check("commands by class and node, the most first",
  'podkit_redis_ambassador_commands_total{node="r1:6379",class="read"} 2\npodkit_redis_ambassador_commands_total{node="p:6379",class="write"} 7\npodkit_redis_ambassador_commands_total{node="r2:6379",class="read"} 3\npodkit_redis_ambassador_commands_total{node="r3:6379",class="read"} 0\npodkit_redis_ambassador_commands_total{node="",class="local"} 1',
  ["13 commands", "  write: 7 p:6379", "  read: 3 r2:6379, 2 r1:6379", "  local: 1"]);
check("files and rows", 'podkit_format_adapter_rows_adapted_total 40\npodkit_format_adapter_files_adapted_total{mapping="sales"} 2', ["2 reports adapted (sales)", "40 rows adapted"]);
check("a known counter even at zero", 'podkit_log_shipper_lines_shipped_total{sink="central"} 0', ["0 lines shipped"]);
check("unknown podkit counters by their name, and not at zero", 'podkit_new_role_things_done_total{kind="a"} 3\npodkit_new_role_faults_total 0\npodkit_new_role_size_bytes 9\nother_total 5', ["new role things done 3 (a)"]);
check("other counters in one sentence without the role's name", 'podkit_build_info{version="1",role="log-shipper"} 1\npodkit_log_shipper_lines_shipped_total{sink="central"} 5\npodkit_log_shipper_resends_total{sink="central"} 2\npodkit_log_shipper_acks_total 1', ["5 lines shipped (central)", "also: acks 1; resends 2 (central)"]);
check("nothing about the process itself", 'podkit_config_reload_total{result="ok"} 3\nprocess_cpu_seconds_total 4', []);

test("beside what is known, other counters are told only when everything is asked for", () => {
  const samples = parseMetrics("podkit_log_shipper_lines_shipped_total 5\npodkit_log_shipper_acks_total 1");
  assert.deepEqual(tellActivity(samples, { everything: false }), ["5 lines shipped"]);
});

test("a long sentence goes on below itself", () => {
  const activity = { target: { namespace: "default", pod: "web", container: "a", url: "" }, sentences: [`  read: ${"12 node-1:6379, ".repeat(4)}`], busy: true, trouble: undefined };
  assert.deepEqual(renderActivity([activity], noColours, 40), ["web", "  a    read: 12 node-1:6379, 12", "         node-1:6379, 12 node-1:6379,", "         12 node-1:6379,"]);
});

test("a counter at zero is no work", () => {
  assert.equal(workFamilies(parseMetrics("podkit_x_total 0")).some((family) => family.total > 0), false);
  assert.equal(workFamilies(parseMetrics("podkit_x_total 1")).some((family) => family.total > 0), true);
});

test("targets are the containers with a metrics port of Pods that have an address", () => {
  const spec = { initContainers: [{ name: "side", image: "i", restartPolicy: "Always" as const, ports: [{ name: "metrics", containerPort: 9901 }] }], containers: [{ name: "app", image: "i", ports: [{ name: "http", containerPort: 80 }] }, { name: "b", image: "i", ports: [{ name: "metrics-b", containerPort: 9902 }] }] };
  assert.deepEqual(metricsTargets([podOf({ spec, status: { podIP: "10.0.0.9" } }), podOf({ spec })]), [
    { namespace: "default", pod: "web", container: "side", url: "http://10.0.0.9:9901/metrics" },
    { namespace: "default", pod: "web", container: "b", url: "http://10.0.0.9:9902/metrics" },
  ]);
});

test("a target that does not answer is told, the others are shown all the same", async () => {
  const server = createServer((request, response) => void response.writeHead(request.url === "/metrics" ? 200 : 404).end("podkit_log_shipper_lines_shipped_total 3\n"));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const target = (container: string, url: string): MetricsTarget => ({ namespace: "shop", pod: "web", container, url });
  try {
    const activities = await readActivity([target("a", `http://127.0.0.1:${address.port}/metrics`), target("long-name", `http://127.0.0.1:${address.port}/other`), target("gone", "http://127.0.0.1:1/metrics")], { everything: true, timeoutMs: 60_000 });
    const lines = renderActivity(activities, noColours, 120);
    assert.deepEqual(lines.slice(0, 3), ["shop/web", "  a          3 lines shipped", `  long-name  no metrics from http://127.0.0.1:${address.port}/other: it answered 404`]);
    assert.match(lines[3] ?? "", /^ {2}gone {7}no metrics from .*ECONNREFUSED/);
  } finally {
    server.close();
  }
});
