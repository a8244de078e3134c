import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setMaxListeners } from "node:events";
import type { AddressInfo } from "node:net";
import type { Clock } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import { ConversionError } from "../conversion-error.ts";
import { renderExposition, type ExpositionFormat, type Family, type MetricType } from "../formats/exposition.ts";
import type { ExportedSource, ExporterConfig } from "./exporter-config.ts";
import { readExported, type SourceReading } from "./read-source.ts";
import { countResets } from "./series.ts";

export type Exporter = {
  readonly address: { readonly host: string; readonly port: number };
  close(): Promise<void>;
};

/** What is known of a source: its last good values stay when a reading fails, until they are too old. */
type SourceState = { readonly source: ExportedSource; last: SourceReading | undefined; isUp: boolean; resets: number };

const connectionsMax = 32;

/**
 * Serves `/metrics` made of the configured sources, each read at its own pace, however often the metrics are asked for. Rejects with the listen
 * error.
 */
export async function startExporter({ config, clock, log }: { readonly config: ExporterConfig; readonly clock: Clock; readonly log: Log }): Promise<Exporter> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const states = config.sources.map((source): SourceState => ({ source, last: undefined, isUp: false, resets: 0 }));
  const server = createServer((request, response) => answer(request, response, (format) => renderExposition(currentFamilies(states, clock.nowMs()), format)));
  server.maxConnections = connectionsMax;
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  await listen(server, config.listen);
  const loops = states.map(async (state) => await keepReading(state, { clock, log, signal: stop.signal }));
  const { address: host, port } = server.address() as AddressInfo;
  log.info({ host, port, sources: states.length }, "Serving the metrics of the application");
  return {
    address: { host, port },
    async close() {
      stop.abort();
      await Promise.all(loops);
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function listen(server: Server, { host, port }: ExporterConfig["listen"]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function keepReading(state: SourceState, { clock, log, signal }: { readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal }): Promise<void> {
  const { source } = state;
  let told = "";
  while (!signal.aborted) {
    try {
      const reading = await readExported(source, () => clock.nowMs(), signal);
      state.resets += countResets(state.last, reading);
      if (reading.dropped > 0 && state.last?.dropped !== reading.dropped) log.warn({ source: source.name, dropped: reading.dropped, maxSeries: source.maxSeries }, "More series than maxSeries; the others are left out");
      if (!state.isUp) log.info({ source: source.name, series: reading.series }, "The source gives values");
      state.last = reading;
      state.isUp = true;
      told = "";
    } catch (error) {
      if (signal.aborted) return;
      state.isUp = false;
      const message = error instanceof Error ? error.message : String(error);
      const place = error instanceof ConversionError ? { code: error.code, line: error.line, column: error.column, sample: error.sample } : {};
      log[told === message ? "debug" : "warn"]({ source: source.name, ...place }, `Cannot read the source: ${message}; its last good values stay for ${source.maxAgeMs / 1000} s`);
      told = message;
    }
    await clock.sleep(source.everyMs, signal).catch(() => undefined); // ended
  }
}

/** The adapter's own first, then those of the sources, without what is too old. */
function currentFamilies(states: readonly SourceState[], nowMs: number): readonly Family[] {
  const isFresh = ({ source, last }: SourceState): boolean => last !== undefined && nowMs - last.atMs <= source.maxAgeMs;
  const own = (name: string, type: MetricType, help: string, value: (state: SourceState) => string | undefined): Family => ({
    name: `podkit_adapter_source_${name}`, type, help, unit: name.endsWith("_seconds") ? "seconds" : undefined,
    samples: states.flatMap((state) => {
      const text = value(state);
      return text === undefined ? [] : [{ name: `podkit_adapter_source_${name}${type === "counter" ? "_total" : ""}`, labels: [["source", state.source.name]] as const, value: text, timestamp: undefined }];
    }),
  });
  return [
    own("up", "gauge", "Whether the last reading of the source succeeded.", (state) => (state.isUp ? "1" : "0")),
    own("stale", "gauge", "Whether the source has no values that are young enough to be told.", (state) => (isFresh(state) ? "0" : "1")),
    own("values_timestamp_seconds", "gauge", "When the values of the source were true.", ({ last }) => (last === undefined ? undefined : String(last.atMs / 1000))),
    own("series", "gauge", "Series of the last good reading.", ({ last }) => String(last?.series ?? 0)),
    own("series_dropped", "gauge", "Series beyond maxSeries in the last good reading.", ({ last }) => String(last?.dropped ?? 0)),
    own("resets", "counter", "Counters that were found smaller than before.", (state) => String(state.resets)),
    ...states.flatMap((state) => (isFresh(state) ? (state.last?.families ?? []).filter((family) => family.samples.length > 0) : [])),
  ];
}

const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

function answer(request: IncomingMessage, response: ServerResponse, render: (format: ExpositionFormat) => string): void {
  const path = (request.url ?? "/").split("?", 1)[0];
  const isRead = request.method === "GET" || request.method === "HEAD";
  if (path !== "/metrics" || !isRead) {
    response.writeHead(path === "/metrics" ? 405 : 404, { "content-type": "text/plain; charset=utf-8", ...(path === "/metrics" ? { allow: "GET, HEAD" } : {}) });
    response.end(path === "/metrics" ? "method not allowed\n" : "no such path; there is /metrics\n");
    return;
  }
  const format = wantedFormat(request.headers.accept ?? "");
  const body = Buffer.from(render(format));
  response.writeHead(200, { "content-type": contentTypes[format], "content-length": body.length, vary: "Accept" });
  response.end(request.method === "HEAD" ? undefined : body);
}

/** OpenMetrics when it is wished for at least as much as plain text. */
export function wantedFormat(accept: string): ExpositionFormat {
  const weights = new Map(accept.toLowerCase().split(",").map((part) => {
    const [type = "", ...parameters] = part.split(";").map((word) => word.trim());
    const quality = Number(/^q=([01](?:\.\d{1,3})?)$/.exec(parameters.find((word) => word.startsWith("q=")) ?? "q=1")?.[1] ?? 0);
    return [type, quality] as const;
  }));
  const open = weights.get("application/openmetrics-text") ?? 0;
  return open > 0 && open >= (weights.get("text/plain") ?? 0) ? "openmetrics" : "prometheus";
}
