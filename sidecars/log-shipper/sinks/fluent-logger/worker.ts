// The thread of a fluent-logger sink. Whatever befalls fluent-logger, a busy loop or an uncaught exception, befalls this thread alone.
import { parentPort, workerData } from "node:worker_threads";
import fluentLogger from "fluent-logger";
import { plainEntries } from "./plain-entries.ts";
import type { FromWorker, ToWorker, WorkerSettings } from "./worker-messages.ts";

/** The parts of the package that we use, as they are; its own types lack some. */
type Sender = { emit(tag: string, record: object, time: object, callback: (error?: unknown) => void): void; on(event: "error", listener: (error: unknown) => void): void };
type Library = { readonly EventTime: new (seconds: number, nanoseconds: number) => object; createFluentSender(prefix: null, options: object): Sender };

/** Far beyond every deadline of the sink, which ends this thread when one is over. */
const never = 86_400_000;

function main(settings: WorkerSettings): void {
  const untyped: object = fluentLogger;
  const library = untyped as Library;
  const tell = (message: FromWorker): void => parentPort?.postMessage(message, []);
  const fail = (error: unknown): void => tell({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
  const sender = library.createFluentSender(null, {
    host: settings.host, port: settings.port, eventMode: settings.mode, requireAckResponse: settings.ack, ackResponseTimeout: never, flushInterval: 1, sendQueueSizeLimit: Number.MAX_SAFE_INTEGER,
    enableReconnect: false, tls: settings.tls !== undefined, tlsOptions: settings.tls ?? {}, internalLogger: { info: () => undefined, error: fail },
    ...(settings.security === undefined ? {} : { security: settings.security }),
  });
  sender.on("error", fail);
  parentPort?.on("message", ({ id, tag, entries }: ToWorker) => {
    try {
      const list = plainEntries(entries);
      let left = list.length;
      const done = (error?: unknown): void => {
        if (error !== undefined && error !== null) fail(error);
        else if (--left === 0) tell({ kind: "sent", id });
      };
      for (const { seconds, nanoseconds, record } of list) sender.emit(tag, record, new library.EventTime(seconds, nanoseconds), done);
    } catch (error) {
      fail(error);
    }
  });
  tell({ kind: "beat" });
  setInterval(() => tell({ kind: "beat" }), settings.beatMs);
}

main(workerData as WorkerSettings);
