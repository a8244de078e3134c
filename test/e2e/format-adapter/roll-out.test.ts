// A Pod whose application is rolled from one report format to the next, and back, while a consumer that was never upgraded goes on
// reading: at every moment it finds a whole report in the old format, never an older one than before.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container } from "../../../orchestrator/api/types/pod.ts";
import { eventually } from "../../support/eventually.ts";
import { image } from "../../support/images.ts";
import { shell, TestCluster } from "../pods/support.ts";

const rows = 200;

/** Leaves a number under a name, never an empty file: who reads meanwhile finds the one before. */
const tell = 'tell() { echo "$2" > "/control/.$1"; mv "/control/.$1" "/control/$1"; }';

/** Report after report, each in the format of the version that /control/version names at that moment. Total is unit times qty in each. */
const application = `${tell}
until [ -f /control/version ]; do sleep 0.05; done
s=0
while :; do
  s=$((s+1))
  awk -v s=$s -v v=$(cat /control/version) 'BEGIN {
    if (v == 1) print "order_id,total"
    if (v == 2) print "id,unit,qty"
    if (v == 4) print "id,unit,qty,discount"
    for (i = 1; i <= ${rows}; i++) {
      id = s * 1000 + i
      if (v == 1) printf "%d,%d.50\\n", id, 2 * s
      if (v == 2) printf "%d,%d.25,2\\n", id, s
      if (v == 3) printf "{\\"qty\\":2,\\"id\\":%d,\\"unit\\":%d.25}\\n", id, s
      if (v == 4) printf "%d,%d.25,2,0\\n", id, s
    }
  }' > /reports/.next
  mv /reports/.next /reports/current.report
  tell written $s
  sleep 0.05
done`;

/** Reads the old report again and again; what is wrong with it goes to /control/wrong. */
const consumer = `${tell}
last=0; reads=0
while :; do
  if cat /legacy/current.csv > /control/copy 2>/dev/null; then
    seen=$(awk -F, -v last=$last 'BEGIN { RS = "\\r\\n" }
      NR == 1 { if ($0 != "order_id,total") { print "wrong header " $0; bad = 1; exit } next }
      { i = NR - 1; s = int(($1 - i) / 1000); if (NR == 2) first = s
        if (s != first || $1 != s * 1000 + i || $2 != (2 * s) ".50") { print "wrong record " NR ": " $0; bad = 1; exit } }
      END { if (!bad) { if (NR != ${rows + 1}) print "wrong: " NR " records"; else if (first < last) print "wrong: " first " after " last; else print first } }' /control/copy)
    case "$seen" in
      wrong*) echo "$seen" >> /control/wrong ;;
      *) last=$seen; reads=$((reads+1)); tell seen $seen; tell reads $reads ;;
    esac
  elif [ $last -gt 0 ]; then echo "wrong: no report after $last" >> /control/wrong; fi
done`;

const mappingV3 = `
      v3:
        in: {format: ndjson, columns: {id: int64, unit: decimal(2), qty: int64}}
        out: {format: csv, eol: crlf, file: "/legacy/{name}.csv"}
        fields: &fields {order_id: id, total: {expr: "unit * qty", type: decimal(2)}}`;

const configuration = (versions: 2 | 3): string => `
adapters:
  - name: orders
    watch: {dir: /reports, match: "*.report", reconcile: 1s}
    detect:
      - {when: {header: [order_id, total]}, use: v1}${versions === 3 ? "\n      - {when: {header: [qty, id, unit]}, use: v3}" : ""}
      - {when: {header: [id, unit, qty]}, use: v2}
    mappings:
      v1:
        in: {format: csv, columns: {order_id: int64, total: decimal(2)}}
        out: {format: csv, eol: crlf, file: "/legacy/{name}.csv"}
        fields: {order_id: order_id, total: total}
      v2:
        in: {format: csv, columns: {id: int64, unit: decimal(2), qty: int64}}
        out: {format: csv, eol: crlf, file: "/legacy/{name}.csv"}
        fields: {order_id: id, total: {expr: "unit * qty", type: decimal(2)}}
        examples:
          - {in: "id,unit,qty\\n1,1.25,2\\n", out: "order_id,total\\r\\n1,2.50\\r\\n"}${versions === 3 ? mappingV3 : ""}
`;

const adapter = (): Container & { readonly restartPolicy: "Always" } => ({
  name: "format-adapter", image: image("format-adapter"), restartPolicy: "Always",
  env: [{ name: "PODKIT_ADMIN_ADDR", value: "0.0.0.0:9903" }],
  startupProbe: { httpGet: { path: "/startupz", port: 9903 }, periodSeconds: 1, failureThreshold: 30 },
  readinessProbe: { httpGet: { path: "/readyz", port: 9903 }, periodSeconds: 1 },
  securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
  volumeMounts: [{ name: "reports", mountPath: "/reports", readOnly: true }, { name: "legacy", mountPath: "/legacy" }, { name: "state", mountPath: "/podkit" }, { name: "config", mountPath: "/etc/podkit", readOnly: true }],
});

test("versions roll forth and back, and the consumer of the old reports sees nothing of it", { timeout: 400_000 }, async (t) => {
  await using cluster = await TestCluster.start();
  await cluster.putConfigMap("adapter", { "format-adapter.yaml": configuration(2) });
  const control = { name: "control", mountPath: "/control" };
  await cluster.create("orders", {
    securityContext: { runAsNonRoot: true, runAsUser: 65_532, runAsGroup: 65_532, fsGroup: 65_532 },
    volumes: [{ name: "reports", emptyDir: {} }, { name: "legacy", emptyDir: {} }, { name: "state", emptyDir: {} }, { name: "control", emptyDir: {} }, { name: "config", configMap: { name: "adapter" } }],
    initContainers: [adapter()],
    containers: [
      shell("app", application, { volumeMounts: [{ name: "reports", mountPath: "/reports" }, control] }),
      shell("consumer", consumer, { volumeMounts: [{ name: "legacy", mountPath: "/legacy", readOnly: true }, control] }),
    ],
  });
  await cluster.untilReady("orders");
  const number = async (name: string): Promise<number> => Number((await cluster.exec("orders", "app", "sh", "-c", `cat /control/${name} 2>/dev/null || echo 0`)).trim());
  const metric = async (name: string): Promise<number> => {
    const text = await cluster.exec("orders", "app", "wget", "-q", "-O-", "http://127.0.0.1:9903/metrics");
    return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))].reduce((sum, match) => sum + Number(match[1]), 0);
  };
  const roll = async (version: number): Promise<void> => void (await cluster.exec("orders", "app", "sh", "-c", `echo ${version} > /control/.v && mv /control/.v /control/version`));
  /** Waits until the consumer has a report that was written after now. */
  const arrives = async (what: string): Promise<void> => {
    // One more than is in hand may be of the version before.
    const from = (await number("written")) + 2;
    await eventually(async () => (await number("seen")) >= from, { what: `${what}: report ${from} of the application (${await number("written")} written, ${await number("seen")} seen)\n${(await cluster.logs("orders", "format-adapter")).slice(-3_000)}` });
  };
  const quarantined = async (atLeast: number): Promise<void> => {
    await eventually(async () => (await metric("podkit_format_adapter_drift_total")) >= atLeast, { what: `${atLeast} reports refused for drift` });
  };

  for (const version of [1, 2] as const) {
    await t.test(`version ${version} of the application: reports flow`, async () => {
      await roll(version);
      await arrives(`version ${version}`);
    });
  }

  await t.test("version 3 is unknown yet: an alarm, and the last good report stays", async () => {
    await roll(3);
    await quarantined(3);
    const reading = async (count: number): Promise<void> => {
      const reads = await number("reads");
      await eventually(async () => (await number("reads")) > reads + count, { what: "the consumer reading on" });
    };
    // The read that was under way may have begun before the last good report was there.
    await reading(1);
    const seen = await number("seen");
    await reading(5);
    assert.equal(await number("seen"), seen);
  });

  await t.test("its mapping is added while everything runs: reports flow again", async () => {
    await cluster.putConfigMap("adapter", { "format-adapter.yaml": configuration(3) });
    await arrives("version 3");
  });

  await t.test("version 4 has a column that nobody declared: an alarm, and the last good report stays", async () => {
    const before = await metric("podkit_format_adapter_drift_total");
    await roll(4);
    await quarantined(before + 3);
    assert.match(await cluster.logs("orders", "format-adapter"), /discount/);
  });

  await t.test("rolled back to version 2 reports flow again", async () => {
    await roll(2);
    await arrives("version 2 again");
  });

  await eventually(async () => (await number("reads")) > 50, { what: "enough reads to judge by" });
  assert.equal(await cluster.exec("orders", "app", "sh", "-c", "cat /control/wrong 2>/dev/null || true"), "");
  t.diagnostic(`${await number("written")} reports written, the consumer read ${await number("reads")} times, ${await metric("podkit_format_adapter_drift_total")} were refused for drift`);
});
