// The pipeline that many would write first, to measure against: readline, JSON.parse, fluent-logger with acknowledgements.
// It remembers no position. It sends the files named on the command line, each as soon as it exists, and then waits for its end.
//
//   PORT=24224 node bench/log-shipper/naive.ts FILE…
import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import fluentLogger from "fluent-logger";

const sender = fluentLogger.createFluentSender("app", { host: "127.0.0.1", port: Number(process.env["PORT"]), eventMode: "PackedForward", requireAckResponse: true, flushInterval: 50, sendQueueSizeLimit: 1024 * 1024 });

/** Resolves when every line of the file is acknowledged. */
async function send(path: string): Promise<void> {
  const done = Promise.withResolvers<void>();
  let emitted = 0, acknowledged = 0, ended = false;
  const lines = createInterface({ input: createReadStream(path) });
  lines.on("line", (line) => {
    emitted += 1;
    sender.emit("lines", JSON.parse(line), (error) => {
      if (error instanceof Error) return done.reject(error);
      acknowledged += 1;
      if (ended && acknowledged === emitted) done.resolve();
    });
  });
  lines.on("close", () => (ended = true));
  await done.promise;
}

for (const path of process.argv.slice(2)) {
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 20));
  await send(path);
}
setInterval(() => undefined, 60_000);
