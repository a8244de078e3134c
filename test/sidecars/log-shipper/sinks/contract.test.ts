import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileSink } from "../../../../sidecars/log-shipper/sinks/file-sink.ts";
import { StdoutSink } from "../../../../sidecars/log-shipper/sinks/stdout-sink.ts";
import { RecordingReceiver } from "../support/receiver.ts";
import { startSingleSink } from "../support/single-sink.ts";
import { quick } from "./chunks.ts";
import { sinkContract } from "./sink-contract.ts";

// The other sinks keep the contract in their own test files.

for (const settings of [{ balance: "failover" }, { balance: "round-robin" }, { compress: "gzip" }, { compress: "zstd" }]) {
  sinkContract({
    name: `forward, ${Object.values(settings).join()}`,
    confirms: true,
    start: async () => {
      const receiver = new RecordingReceiver();
      await receiver.listen();
      const { port } = receiver;
      const { sink } = startSingleSink({ type: "forward", servers: [`127.0.0.1:${port}`], retryMaxMs: 20, ...settings });
      return {
        sink,
        received: () => JSON.stringify(receiver.all.map(({ log }) => log)),
        down: async () => await receiver.close(),
        up: async () => await receiver.listen(port),
        async [Symbol.asyncDispose]() {
          await sink.close();
          await receiver.close();
        },
      };
    },
  });
}

sinkContract({
  name: "file",
  confirms: true,
  start: async () => {
    const root = mkdtempSync(join(tmpdir(), "podkit-sink-"));
    const sink = new FileSink({ name: "file", path: join(root, "out.log"), rotateBytes: 0, keep: 1, ...quick });
    return await Promise.resolve({
      sink,
      received: () => readFileSync(join(root, "out.log"), "utf8"),
      async [Symbol.asyncDispose]() {
        await sink.close();
        rmSync(root, { recursive: true });
      },
    });
  },
});

sinkContract({
  name: "stdout",
  confirms: false,
  start: async () => {
    const root = mkdtempSync(join(tmpdir(), "podkit-sink-"));
    const fd = openSync(join(root, "out"), "a"); // the sink closes it
    const sink = new StdoutSink({ name: "stdout", fd, ...quick });
    return await Promise.resolve({
      sink,
      received: () => readFileSync(join(root, "out"), "utf8"),
      async [Symbol.asyncDispose]() {
        await sink.close();
        rmSync(root, { recursive: true });
      },
    });
  },
});
