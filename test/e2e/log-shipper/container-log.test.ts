import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { test } from "node:test";
import { getContainerRuntimeClient, Wait } from "testcontainers";
import { RecordingReceiver } from "../../sidecars/log-shipper/support/receiver.ts";
import { configOf, startShipper, temporary } from "../../sidecars/log-shipper/support/shipper.ts";
import { container } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";

const lines = 300;
const longBytes = 50_000;
const script = `
i=0; while [ $i -lt ${lines} ]; do echo "out $i größer"; echo "err $i \\"quoted\\"" >&2; i=$((i+1)); done
head -c ${longBytes} /dev/zero | tr '\\0' x; echo " end"
printf 'java.lang.Error: boom\\n\\tat a.B.c(B.java:1)\\n\\tat a.B.d(B.java:2)\\nafter the trace\\n' >&2
printf 'no newline'`;

test("The log that Docker writes of a container: every line of both streams once, long ones put together, a trace as one record", { timeout: 180_000 }, async (context) => {
  const { container: { dockerode } } = await getContainerRuntimeClient();
  await using app = await container("busybox").withCommand(["sh", "-c", script]).withWaitStrategy(Wait.forOneShotStartup()).start();
  const { LogPath: path, HostConfig: { LogConfig: log } } = await dockerode.getContainer(app.getId()).inspect();
  if (log?.Type !== "json-file") return context.skip(`Docker logs by the driver ${log?.Type}`);
  try {
    accessSync(path, constants.R_OK);
  } catch {
    return context.skip(`${path} cannot be read from here`);
  }
  using place = temporary();
  await using receiver = new RecordingReceiver();
  await receiver.listen();
  const { config } = configOf(place.root, { sources: [{ type: "tail", paths: [path], container: "docker", multiline: { presets: ["java"] } }], sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`] }], state: { directory: place.state } });
  const shipper = startShipper(config);
  await eventually(() => receiver.all.length >= lines * 2 + 3, { what: "all records" });
  assert.equal(await shipper.stop(), 0);
  const logsOf = (stream: string): readonly unknown[] => receiver.all.filter((record) => record["stream"] === stream).map((record) => record["log"]);
  assert.deepEqual(logsOf("stdout"), [...Array.from({ length: lines }, (_, index) => `out ${index} größer`), `${"x".repeat(longBytes)} end`, "no newline"]);
  assert.deepEqual(logsOf("stderr"), [...Array.from({ length: lines }, (_, index) => `err ${index} "quoted"`), "java.lang.Error: boom\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)", "after the trace"]);
  assert.equal(shipper.metric("ledger_bytes", 'column="read"'), shipper.metric("ledger_bytes", 'column="acked"'));
});
