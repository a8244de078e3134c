import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Wait } from "testcontainers";
import { container, sh, startNetwork, idleContainer } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";
import { rsyslogObstacle, startRsyslog, type SyslogMessage } from "./rsyslog.ts";

const lines = 500;
const text = 'a "quoted" \\ text of two\nlines, größer';

const configFor = (rsyslog: { readonly plain: string; readonly tls: string }): string => JSON.stringify({
  sources: [{ type: "tail", paths: ["/var/log/app/app.log"], format: "json" }],
  metadata: { pod: "shop-0", container: "app" },
  sinks: [
    { type: "syslog", name: "plain", servers: [rsyslog.plain], facility: "local0", structuredData: { id: "{id}", via: "plain" } },
    { type: "syslog", name: "tls", servers: [rsyslog.tls], facility: "local0", structuredData: { id: "{id}", via: "tls" }, tls: { enabled: true, ca: "/tls/ca.pem", cert: "/tls/cert.pem", key: "/tls/key.pem" } },
    { type: "fluent-logger", server: "receiver:24224" },
  ],
});

test("rsyslog gets every record over TCP and over TLS, a Forward server by fluent-logger's thread in the image", { timeout: 300_000 }, async (context) => {
  const obstacle = rsyslogObstacle();
  if (obstacle !== undefined) return context.skip(obstacle);
  const logs = mkdtempSync(join(tmpdir(), "podkit-e2e-best-effort-"));
  chmodSync(logs, 0o777);
  await using network = await startNetwork();
  await using rsyslog = await startRsyslog(network);
  await using receiver = await container("demo-receiver").withNetwork(network).withNetworkAliases("receiver").withEnvironment({ PODKIT_ADMIN_ADDR: "0.0.0.0:9901" }).withExposedPorts(9901).withWaitStrategy(Wait.forLogMessage(/Receiving/)).start();
  await using app = await idleContainer().withBindMounts([{ source: logs, target: "/var/log/app" }]).start();
  const file = (content: string, target: string): { content: string; target: string; mode: number } => ({ content, target, mode: 0o644 });
  const shipper = await container("log-shipper").withNetwork(network).withBindMounts([{ source: logs, target: "/var/log/app", mode: "ro" }]).withTmpFs({ "/podkit": "rw,mode=1777" })
    .withCopyContentToContainer([file(configFor(rsyslog), "/etc/podkit/log-shipper.yaml"), file(rsyslog.ca, "/tls/ca.pem"), file(rsyslog.client.certificate, "/tls/cert.pem"), file(rsyslog.client.key, "/tls/key.pem")])
    .withWaitStrategy(Wait.forLogMessage(/Connected to the syslog server/)).start();
  let diagnostics = "";
  (await shipper.logs()).on("data", (words) => (diagnostics += String(words)));
  try {
    writeFileSync(join(logs, "app.log"), Array.from({ length: lines }, (_, index) => `${JSON.stringify({ run: "e2e", seq: index + 1, level: index % 2 === 0 ? "warn" : "error", text })}\n`).join(""));
    const via = (way: string): readonly SyslogMessage[] => rsyslog.messages().filter(({ data }) => data.includes(`via="${way}"`));
    await eventually(() => via("plain").length >= lines && via("tls").length >= lines, { what: "all messages" }).catch((error: unknown) => {
      throw new Error(`${via("plain").length} and ${via("tls").length} of ${lines} messages\n${diagnostics}`, { cause: error });
    });
    const distinct = async (): Promise<number> => {
      const answer = await fetch(`http://${receiver.getHost()}:${receiver.getMappedPort(9901)}/metrics`);
      return Number(/^podkit_demo_receiver_lines_distinct (\d+)$/m.exec(await answer.text())?.[1] ?? 0);
    };
    await eventually(async () => (await distinct()) === lines, { what: "all records at the Forward server" });
    for (const way of ["plain", "tls"]) {
      const messages = via(way);
      assert.deepEqual(messages.map(({ msg }) => (JSON.parse(msg) as { seq: number }).seq), Array.from({ length: lines }, (_, index) => index + 1), "each once, in order");
      assert.ok(messages.every(({ host, app: name, msg }) => host === "shop-0" && name === "app" && (JSON.parse(msg) as { text: string }).text === text));
      assert.deepEqual(messages.slice(0, 2).map(({ severity }) => severity), ["warning", "err"]);
      assert.equal(new Set(messages.map(({ data }) => /id="([\w-]{22})"/.exec(data)?.[1])).size, lines, "each record has its own id");
    }
    assert.deepEqual(via("plain").map(({ data }) => data.replace("plain", "tls")), via("tls").map(({ data }) => data), "the same id on every way");
    await shipper.stop({ timeout: 20_000, remove: false });
    assert.match(diagnostics, /Everything is delivered/);
  } finally {
    await shipper.stop({ timeout: 0, remove: true }).catch(() => undefined);
    await sh(app, "rm -rf /var/log/app/*");
    rmSync(logs, { recursive: true, force: true });
  }
});
