import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Wait, type StartedTestContainer } from "testcontainers";
import { container, idleContainer, sh, startNetwork } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";

/** The demo receiver counts the numbered lines that reached it through a Forward server written by others. */
async function counted(receiver: StartedTestContainer, kind: "distinct" | "repeated" | "missing"): Promise<number> {
  const response = await fetch(`http://${receiver.getHost()}:${receiver.getMappedPort(9901)}/metrics`);
  const line = (await response.text()).split("\n").find((each) => each.startsWith(`podkit_demo_receiver_lines_${kind} `));
  return Number(line?.split(" ")[1] ?? 0);
}

const config = `
sources:
  - type: tail
    paths: [/var/log/app/app.log]
    format: json
sinks:
  - type: forward
    servers: ["receiver:24224"]
`;

test("An application in another container writes, rotates and ends in the middle of a line; every line arrives, once", { timeout: 300_000 }, async () => {
  const logs = mkdtempSync(join(tmpdir(), "podkit-e2e-log-shipper-"));
  chmodSync(logs, 0o777);
  await using network = await startNetwork();
  const mount = { source: logs, target: "/var/log/app" };
  await using receiver = await container("demo-receiver").withNetwork(network).withNetworkAliases("receiver").withEnvironment({ PODKIT_ADMIN_ADDR: "0.0.0.0:9901" }).withExposedPorts(9901).withWaitStrategy(Wait.forLogMessage(/Receiving/)).start();
  await using app = await idleContainer().withBindMounts([mount]).start();
  const shipper = await container("log-shipper").withNetwork(network).withBindMounts([{ ...mount, mode: "ro" }]).withTmpFs({ "/podkit": "rw,mode=1777" }).withCopyContentToContainer([{ content: config, target: "/etc/podkit/log-shipper.yaml" }]).withWaitStrategy(Wait.forLogMessage(/Connected to the log receiver/)).start();
  let diagnostics = "";
  (await shipper.logs()).on("data", (text) => (diagnostics += String(text)));
  try {
    // seq 1 to 3000 (the receiver counts from 1), a rotation by rename every 100 lines and 0.1 s; all rotated files are kept, as nobody promises how soon they are looked at.
    await sh(app, `cd /var/log/app; s=1; while [ $s -le 3000 ]; do n=0; while [ $n -lt 100 ]; do echo "{\\"run\\":\\"e2e\\",\\"seq\\":$s}" >> app.log; s=$((s+1)); n=$((n+1)); done; i=40; while [ $((i=i-1)) -gt 0 ]; do [ -f app.log.$i ] && mv app.log.$i app.log.$((i+1)); done; mv app.log app.log.1; sleep 0.1; done`);
    await eventually(async () => (await counted(receiver, "distinct")) === 3_000, { what: "3000 distinct lines" }).catch(async (error: unknown) => {
      throw new Error(`${await counted(receiver, "distinct")} of 3000 lines arrived\n${diagnostics}`, { cause: error });
    });
    await sh(app, `printf '{"run":"e2e","seq":3001}\\n{"run":"e2e","seq":3002}' > /var/log/app/app.log`);
    await shipper.stop({ timeout: 20_000, remove: false });
    assert.equal(await counted(receiver, "distinct"), 3_002, diagnostics);
    assert.equal(await counted(receiver, "missing"), 0);
    assert.equal(await counted(receiver, "repeated"), 0);
    assert.match(diagnostics, /Everything is delivered/);
  } finally {
    await shipper.stop({ timeout: 0, remove: true }).catch(() => undefined);
    await sh(app, "rm -rf /var/log/app/*");
    rmSync(logs, { recursive: true, force: true });
  }
});
