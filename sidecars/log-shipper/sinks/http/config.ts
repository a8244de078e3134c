// pure
import { boolean, choice, durationMs, integer, list, map, object, secret, string, type ConfigOf } from "../../../../kit/config/schema.ts";
import { templateFault } from "../template.ts";
import { indexFault } from "./index-name.ts";
import { credentialFields, gzipField, httpFields, oneCredential, template } from "./common-config.ts";

const templateText = (doc: string) => string({ doc, check: templateFault });
/** A label's name as Prometheus has it. */
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export const lokiSinkSpec = object(
  {
    ...httpFields({ name: "loki", path: "/loki/api/v1/push" }),
    ...credentialFields,
    compression: gzipField,
    tenant: string({ doc: "sent as X-Scope-OrgID", optional: true }),
    labels: map(templateText("text with fields in braces, such as {kubernetes.pod_name}; left out where no field is there"), {
      doc: "labels of the streams; few and with few values each, since every combination is a stream",
      default: { namespace: "{kubernetes.namespace_name}", pod: "{kubernetes.pod_name}", container: "{kubernetes.container_name}", tag: "{tag}" },
      check: (labels) => Object.keys(labels).length > 0 && Object.keys(labels).every((name) => labelName.test(name)) ? undefined : "at least one label, each named with letters, digits and _",
    }),
    streamsMax: integer({ doc: "most streams; in further ones every label that comes from a record has the value other", default: 1_000, min: 1 }),
    structuredMetadata: map(templateText("text with fields in braces; {id} is the record's own id"), { doc: "values kept with each line without being labels; needs Loki 3 or a limit that allows them", default: {} }),
    omit: list(string({ doc: "a field of the record" }), { doc: "fields left out of the line, because they are labels", default: ["kubernetes"] }),
    lineField: string({ doc: "a record that has, beside omitted fields, this one alone is shipped as its text; all others as JSON", default: "log" }),
    spreadTimes: boolean({ doc: "add to times that are coarser than a nanosecond where the line stands in its file: Loki takes equal lines of equal time for one, and orders by time alone", default: true }),
  },
  { doc: "Grafana Loki, by its push API", check: oneCredential },
);

export const elasticsearchSinkSpec = object(
  {
    ...httpFields({ name: "elasticsearch", path: "/_bulk" }),
    ...credentialFields,
    compression: gzipField,
    index: string({ doc: "index or data stream; {yyyy.MM.dd} is the record's day (UTC; yyyy, MM, dd, HH and what stands between them), {tag} its tag in small letters", default: "podkit-{yyyy.MM.dd}", check: indexFault }),
    pipeline: string({ doc: "ingest pipeline of the destination", optional: true }),
    timeField: string({ doc: "field with the record's time; a record that has it itself keeps its own", default: "@timestamp" }),
    tagField: string({ doc: "field with the tag; none if empty", default: "" }),
    apiKey: secret({ doc: "sent as Authorization: ApiKey", optional: true }),
  },
  { doc: "Elasticsearch or OpenSearch, by the bulk API; each record has an id of its own and is created once, however often it is sent", check: oneCredential },
);

export const otlpSinkSpec = object(
  {
    ...httpFields({ name: "otlp", path: "/v1/logs" }),
    ...credentialFields,
    compression: choice(["none", "gzip", "zstd"], { doc: "compression of requests; the collector takes all, other receivers often gzip alone", default: "none" }),
    resource: map(string({ doc: "value" }), { doc: "resource attributes beside those of Kubernetes, such as service.name", default: {} }),
    bodyFields: list(string({ doc: "a field" }), { doc: "the first of these fields that is text becomes the body, the other fields attributes; without one the whole record is the body", default: ["log", "message", "msg"] }),
    severityFields: list(string({ doc: "a field" }), { doc: "the first of these fields that there is gives the severity", default: ["level", "severity", "lvl"] }),
    recordIds: boolean({ doc: "add each record's id as log.record.uid, by which a receiver can drop what it gets twice", default: true }),
  },
  { doc: "OpenTelemetry collector or any receiver of OTLP/HTTP logs, as JSON", check: oneCredential },
);

export const splunkSinkSpec = object(
  {
    ...httpFields({ name: "splunk", path: "/services/collector/event" }),
    compression: gzipField,
    token: secret({ doc: "token of the HTTP Event Collector" }),
    index: string({ doc: "index; the token's own without it", optional: true }),
    sourcetype: string({ doc: "source type; the token's own without it", optional: true }),
    source: template({ doc: "source, text with fields in braces", default: "{tag}" }),
    host: template({ doc: "host, text with fields in braces", default: "{kubernetes.host}" }),
    fields: map(templateText("text with fields in braces; {id} is the record's own id"), { doc: "indexed fields", default: {} }),
    useAck: boolean({ doc: "count records as delivered only when the indexers have acknowledged them; the token must allow it", default: false }),
    ackPath: string({ doc: "where acknowledgements are asked for", default: "/services/collector/ack" }),
    ackPollMs: durationMs({ doc: "how often", default: 1_000, min: 10 }),
    ackTimeoutMs: durationMs({ doc: "after so long without one the records are sent again", default: 300_000, min: 10 }),
  },
  { doc: "Splunk, by the HTTP Event Collector" },
);

export type LokiSinkConfig = ConfigOf<typeof lokiSinkSpec>;
export type ElasticsearchSinkConfig = ConfigOf<typeof elasticsearchSinkSpec>;
export type OtlpSinkConfig = ConfigOf<typeof otlpSinkSpec>;
export type SplunkSinkConfig = ConfigOf<typeof splunkSinkSpec>;
export type HttpSinkConfig =
  | ({ readonly type: "loki" } & LokiSinkConfig)
  | ({ readonly type: "elasticsearch" } & ElasticsearchSinkConfig)
  | ({ readonly type: "otlp" } & OtlpSinkConfig)
  | ({ readonly type: "splunk" } & SplunkSinkConfig);
