import { randomUUID } from "node:crypto";
import type { Clock, Random } from "../../../../kit/clock.ts";
import type { Log } from "../../../../kit/log.ts";
import type { DeadLetters } from "../../delivery/dead-letter.ts";
import { clientTls } from "../../tls/tls.ts";
import type { HttpSinkConfig } from "./config.ts";
import { BulkEncoder } from "./elasticsearch.ts";
import type { HttpEncoder } from "./encoder.ts";
import { Endpoints } from "./endpoints.ts";
import { HttpSink, type HttpSinkOptions } from "./http-sink.ts";
import { LokiEncoder } from "./loki.ts";
import { OtlpEncoder } from "./otlp.ts";
import { SplunkAcks } from "./splunk-acks.ts";
import { SplunkEncoder } from "./splunk.ts";
import { openTransport } from "./transport.ts";

export type HttpSinkParts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly deadLetters: DeadLetters;
  /** The record field that holds the Pod's metadata. */
  readonly metadataField: string;
  readonly onEvent: (event: "acked" | "resent") => void;
};

/** A sink from its settings. Nothing is loaded and nothing connects before the first chunk. */
export function createHttpSink(config: HttpSinkConfig, parts: HttpSinkParts): HttpSink {
  const { clock, random, log, deadLetters, onEvent } = parts;
  const authorization = authorizationOf(config);
  const tls = clientTls(config.tls, `the tls of sink ${config.name}`, clock);
  const { encoder, confirm } = encoderOf(config, parts, authorization);
  const { name, compression, requestsMax, requestMaxBytes, retryMaxMs, connectTimeoutMs, timeoutMs } = config;
  return new HttpSink({
    name, compression, requestsMax, clock, log, deadLetters, onEvent,
    encoder: { path: encoder.path, contentType: encoder.contentType, answerBytesMax: encoder.answerBytesMax, headers: { ...encoder.headers, ...authorization }, encode: (chunk, chosen) => encoder.encode(chunk, chosen), judge: (...each) => encoder.judge(...each) },
    bodyBytesMax: requestMaxBytes,
    endpoints: new Endpoints({ count: config.endpoints.length, backoff: { initialMs: Math.min(200, retryMaxMs), factor: 2, jitter: 1, maxMs: retryMaxMs }, random }),
    openTransport: () => openTransport({ endpoints: config.endpoints.map(addressOf), connections: requestsMax + 1, connectTimeoutMs, timeoutMs, tls: () => tls.current() }),
    otherProblem: () => deadLetters.problem() ?? tls.problem(),
    redact: redactor(secretsOf(config)),
    ...(confirm === undefined ? {} : { confirm }),
  });
}

type Made = { readonly encoder: HttpEncoder; readonly confirm?: HttpSinkOptions["confirm"] };

function encoderOf(config: HttpSinkConfig, { log, metadataField, clock }: HttpSinkParts, authorization: Readonly<Record<string, string>>): Made {
  switch (config.type) {
    case "loki": {
      let told = false;
      const onTooManyStreams = (): void => {
        if (!told) log.warn({ sink: config.name, streamsMax: config.streamsMax }, "The records make more streams than streamsMax; further ones get the value other for labels that come from fields. Take fields with many values out of the sink's labels");
        told = true;
      };
      return { encoder: new LokiEncoder({ ...config, onTooManyStreams }) };
    }
    case "elasticsearch":
      return { encoder: new BulkEncoder(config) };
    case "otlp":
      return { encoder: new OtlpEncoder({ ...config, metadataField }) };
    case "splunk": {
      if (!config.useAck) return { encoder: new SplunkEncoder({ ...config, channel: undefined }) };
      const encoder = new SplunkEncoder({ ...config, channel: randomUUID() });
      const acks = new SplunkAcks({ path: config.ackPath, headers: { ...encoder.headers, ...authorization }, pollMs: config.ackPollMs, timeoutMs: config.ackTimeoutMs, clock });
      return { encoder, confirm: async (request) => await acks.confirm(request) };
    }
  }
}

function addressOf(endpoint: string): { readonly origin: string; readonly basePath: string } {
  const url = new URL(endpoint);
  return { origin: url.origin, basePath: url.pathname.replace(/\/+$/, "") };
}

/** Headers of the settings, and the credentials as a header. */
function authorizationOf(config: HttpSinkConfig): Readonly<Record<string, string>> {
  const headers = Object.fromEntries(Object.entries(config.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const authorization = credentials(config);
  return authorization === undefined ? headers : { ...headers, authorization };
}

function credentials(config: HttpSinkConfig): string | undefined {
  if (config.type === "splunk") return `Splunk ${config.token}`;
  if (config.type === "elasticsearch" && config.apiKey !== undefined) return `ApiKey ${config.apiKey}`;
  if (config.bearer !== undefined) return `Bearer ${config.bearer}`;
  if (config.username === undefined) return undefined;
  return `Basic ${Buffer.from(`${config.username}:${config.password ?? ""}`, "utf8").toString("base64")}`;
}

function secretsOf(config: HttpSinkConfig): readonly string[] {
  const own = config.type === "splunk" ? [config.token] : [config.password, config.bearer, config.type === "elasticsearch" ? config.apiKey : undefined];
  return [...own, credentials(config)?.split(" ")[1], ...Object.values(config.headers)].flatMap((secret) => (secret === undefined || secret.length < redactedMin ? [] : secret));
}

/** A shorter secret would take harmless text with it. */
const redactedMin = 4;

/** A server may quote what it was sent; secrets go no further. */
function redactor(secrets: readonly string[]): (text: string) => string {
  return (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, "<redacted>"), text);
}
