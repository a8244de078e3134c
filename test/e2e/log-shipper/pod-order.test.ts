import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Container, PodSpec } from "../../../orchestrator/api/types/pod.ts";
import { eventually } from "../../support/eventually.ts";
import { image } from "../../support/images.ts";
import { shell, TestCluster } from "../pods/support.ts";

const graceSeconds = 30;
/** Longer than what may hold up an application between two of its lines. */
const quietMs = 4_000;
/** Longer than what is quiet enough where nobody can see who writes. */
const silentSeconds = 8;
const written = 200;

/** Numbered lines; the last one of all has no line end. */
const before = `i=0; while [ $i -lt ${written} ]; do echo "line $i" >> /var/log/app/app.log; i=$((i+1)); done;`;
const lastWord = `printf 'line %d' $i >> /var/log/app/app.log;`;

const settings = `
admin: { address: "0.0.0.0:9901" }
sources:
  - { type: tail, paths: [/var/log/app/*.log] }
sinks:
  - { type: file, path: /out/shipped.jsonl }
drain: { quietMs: ${quietMs} }
shutdown: { graceMs: ${graceSeconds * 1000} }
`;

type Scene = { readonly cluster: TestCluster; readonly shipper: Container; readonly app: (script: string) => Container; readonly pod: Pick<PodSpec, "volumes" | "terminationGracePeriodSeconds">; readonly arrived: () => readonly string[] };

/** A Pod of the engine whose shipper writes what it delivers into a directory of the host that outlives the Pod. */
function scene(name: string, act: (scene: Scene) => Promise<void>): void {
  test(name, { timeout: 300_000 }, async () => {
    const out = mkdtempSync(join(tmpdir(), "podkit-e2e-order-"));
    chmodSync(out, 0o777);
    await using cluster = await TestCluster.start();
    try {
      await cluster.putConfigMap("shipper", { "log-shipper.yaml": settings });
      const logs = { name: "logs", mountPath: "/var/log/app" };
      const shipper: Container = {
        name: "log-shipper", image: image("log-shipper"),
        volumeMounts: [logs, { name: "out", mountPath: "/out" }, { name: "state", mountPath: "/podkit" }, { name: "settings", mountPath: "/etc/podkit" }],
        startupProbe: { httpGet: { path: "/readyz", port: 9901 }, periodSeconds: 1, failureThreshold: 30 },
      };
      await act({
        cluster, shipper,
        app: (script) => shell("app", script, { volumeMounts: [logs] }),
        pod: { terminationGracePeriodSeconds: graceSeconds, volumes: [{ name: "logs", emptyDir: {} }, { name: "state", emptyDir: {} }, { name: "out", hostPath: { path: out } }, { name: "settings", configMap: { name: "shipper" } }] },
        arrived: () => {
          const path = join(out, "shipped.jsonl");
          if (!existsSync(path)) return [];
          return readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => (JSON.parse(line) as { readonly record: { readonly log: string } }).record.log);
        },
      });
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  });
}

const numbered = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `line ${index}`);

scene("An application that runs to its end: its last line, unterminated, arrives, every line once, and the shipper ends with 0", async ({ cluster, shipper, app, pod, arrived }) => {
  await cluster.create("job", { ...pod, restartPolicy: "Never", initContainers: [{ ...shipper, restartPolicy: "Always" }], containers: [app(`${before} ${lastWord}`)] });
  await cluster.untilPhase("job", "Succeeded");
  assert.deepEqual(arrived(), numbered(written + 1));
  assert.equal((await cluster.status("job", "log-shipper")).state?.terminated?.exitCode, 0);
});

/** Says a line each 0.1 s for 1.5 s after it was told to end. */
const slowGoodbye = `trap 'n=0; while [ $n -lt 15 ]; do echo "line $i" >> /var/log/app/app.log; i=$((i+1)); n=$((n+1)); sleep 0.1; done; ${lastWord.replaceAll("'", "'\\''")} exit 0' TERM; ${before} sleep 100000 & wait`;

scene("Native order, deletion: what the application writes after SIGTERM arrives, before the shipper is told to end", async ({ cluster, shipper, app, pod, arrived }) => {
  await cluster.create("web", { ...pod, initContainers: [{ ...shipper, restartPolicy: "Always" }], containers: [app(slowGoodbye)] });
  await cluster.untilReady("web");
  await eventually(() => arrived().length === written);
  await cluster.delete("web");
  assert.deepEqual(arrived(), numbered(written + 16));
});

scene("Classic order, deletion: both are told to end at once, and what the application goes on writing arrives, its unterminated last line too", async ({ cluster, shipper, app, pod, arrived }) => {
  await cluster.create("web", { ...pod, containers: [shipper, app(slowGoodbye)] });
  await cluster.untilReady("web");
  await eventually(() => arrived().length === written);
  await cluster.delete("web");
  assert.deepEqual(arrived(), numbered(written + 16));
});

scene("Classic order in a shared process namespace: the application is silent for long before its last line, and the shipper waits for it", async ({ cluster, shipper, app, pod, arrived }) => {
  const silent = `exec 3>>/var/log/app/app.log; trap 'sleep ${silentSeconds}; printf "line %d" $i >&3; exit 0' TERM; ${before} sleep 100000 & wait`;
  await cluster.create("web", { ...pod, shareProcessNamespace: true, containers: [{ ...shipper, securityContext: { runAsUser: 0 } }, app(silent)] });
  await cluster.untilReady("web");
  await eventually(() => arrived().length === written);
  await cluster.delete("web");
  assert.deepEqual(arrived(), numbered(written + 1));
});
