import fluentLogger from "fluent-logger";

type SenderOptions = Parameters<typeof fluentLogger.createFluentSender>[1];
type Sender = Pick<ReturnType<typeof fluentLogger.createFluentSender>, "emit"> & { end(): void };

/**
 * fluent-logger as an application would use it, with acks. `enableReconnect` and an `end` without arguments exist but are missing
 * in its types; without the former its 10-minute timer keeps the test process alive.
 */
export function createSender(port: number, options: SenderOptions): Sender {
  const quiet = { enableReconnect: false, internalLogger: { info: () => undefined, error: () => undefined } };
  const sender: object = fluentLogger.createFluentSender("app", { host: "127.0.0.1", port, requireAckResponse: true, ackResponseTimeout: 5_000, ...options, ...quiet });
  return sender as Sender;
}
