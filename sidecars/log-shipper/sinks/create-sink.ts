import type { RoleContext } from "../../../kit/process.ts";
import type { ShipperConfig, SinkConfig } from "../config.ts";
import type { DeadLetters } from "../delivery/dead-letter.ts";
import type { ShipperMetrics } from "../shipper-metrics.ts";
import { FileSink } from "./file-sink.ts";
import { FluentLoggerSink } from "./fluent-logger/fluent-logger-sink.ts";
import { ForwardSink } from "./forward/forward-sink.ts";
import { createHttpSink } from "./http/create-http-sink.ts";
import type { Sink } from "./sink.ts";
import { clientTls } from "../tls/tls.ts";
import { StdoutSink } from "./stdout-sink.ts";
import { SyslogSink } from "./syslog/syslog-sink.ts";

export type SinkContext = Pick<RoleContext<ShipperConfig>, "log" | "clock" | "random"> & { readonly metrics: ShipperMetrics; readonly pod: string; readonly config: ShipperConfig; readonly deadLetters: DeadLetters };

const upTo = (maxMs: number) => ({ initialMs: Math.min(100, maxMs), factor: 2, jitter: 1, maxMs });

/** The sink of each type of settings. */
export function createSink(sink: SinkConfig, { pod, clock, random, log, metrics, config, deadLetters }: SinkContext): Sink {
  const backoff = upTo(10_000);
  switch (sink.type) {
    case "stdout":
      return new StdoutSink({ name: sink.name, backoff, clock, random, log });
    case "file":
      return new FileSink({ ...sink, backoff, clock, random, log });
    case "syslog":
      return new SyslogSink({ ...sink, clock, random, log, tls: sink.tls.enabled ? clientTls(sink.tls, `sinks[${sink.name}].tls`, clock) : undefined, backoff: upTo(sink.retryMaxMs), onEvent: (event) => metrics.sinkEvent(sink.name, event) });
    case "fluent-logger":
      return createFluentLogger(sink, { pod, clock, random, log, metrics });
    case "loki":
    case "elasticsearch":
    case "otlp":
    case "splunk":
      return createHttpSink(sink, { clock, random, log, deadLetters, metadataField: config.metadata.field, onEvent: (event) => metrics.sinkEvent(sink.name, event) });
    default:
      return new ForwardSink({
        ...sink, clock, random, log,
        tls: sink.tls.enabled ? clientTls(sink.tls, `sinks[${sink.name}].tls`, clock) : undefined,
        hostname: sink.hostname ?? pod,
        credentials: sink.sharedKey === undefined ? undefined : { sharedKey: sink.sharedKey, username: sink.username, password: sink.password },
        backoff: upTo(sink.retryMaxMs),
        onEvent: (event) => metrics.sinkEvent(sink.name, event),
      });
  }
}

function createFluentLogger(sink: Extract<SinkConfig, { readonly type: "fluent-logger" }>, { pod, clock, random, log, metrics }: Pick<SinkContext, "pod" | "clock" | "random" | "log" | "metrics">): Sink {
  const { name, server, mode, ack, sharedKey, username, password, hostname = pod, tls, queueBytes, timeoutMs, heartbeatMs, retryMaxMs } = sink;
  return new FluentLoggerSink({
    name, queueBytes, timeoutMs, heartbeatMs, clock, random, log,
    settings: { host: server.host, port: server.port, mode, ack, security: sharedKey === undefined ? undefined : { clientHostname: hostname, sharedKey, username, password } },
    tls: tls.enabled ? clientTls(tls, `sinks[${name}].tls`, clock) : undefined,
    backoff: upTo(retryMaxMs),
    onEvent: (event) => metrics.sinkEvent(name, event),
  });
}
