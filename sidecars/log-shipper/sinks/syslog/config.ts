// pure
import { address, choice, durationMs, list, map, object, string, type ConfigOf } from "../../../../kit/config/schema.ts";
import { clientTlsSpec } from "../../tls/tls-config.ts";
import { required } from "../common-config.ts";
import { templateFault } from "../template.ts";
import { facilities, severities, structuredNameFault } from "./message.ts";

const template = <const O extends { readonly doc: string; readonly default: string }>(options: O) => string({ ...options, check: templateFault });
/** More fields than these in all templates are not looked for. */
const placesMax = 12;

export const syslogSinkSpec = object(
  {
    name: string({ doc: "name in logs and metrics", default: "syslog" }),
    required,
    servers: list(address({ doc: "a syslog server" }), { doc: "servers; one is used until it fails, then the next", minItems: 1 }),
    tls: clientTlsSpec,
    facility: choice(facilities, { doc: "facility of all messages", default: "user" }),
    severity: choice(severities, { doc: "severity of a record whose level nobody knows", default: "info" }),
    severityFields: list(string({ doc: "a field" }), { doc: "the first of these fields that there is gives the severity; at most 4", default: ["level", "severity", "lvl"], check: (fields) => (fields.length <= 4 ? undefined : "at most 4 fields") }),
    hostname: template({ doc: "HOSTNAME, text with fields in braces; characters that the header cannot have become _", default: "{kubernetes.pod_name}" }),
    appName: template({ doc: "APP-NAME, text with fields in braces, at most 48 characters are used", default: "{kubernetes.container_name}" }),
    procId: template({ doc: "PROCID, text with fields in braces", default: "" }),
    msgId: template({ doc: "MSGID, text with fields in braces, at most 32 characters are used", default: "" }),
    structuredData: map(string({ doc: "text with fields in braces; {id} is the record's own id, {tag} its tag", check: templateFault }), {
      doc: "parameters of one element of structured data, which {id} lets a receiver store each record once by; none is sent without any",
      default: {},
      check: (parameters) => (Object.keys(parameters).every((name) => structuredNameFault(name) === undefined) ? undefined : "names of at most 32 printable characters without space, =, ] and quotes"),
    }),
    structuredDataId: string({ doc: "SD-ID of that element: a name, @ and a private enterprise number; the default has the number reserved for examples", default: "podkit@32473", check: structuredNameFault }),
    omit: list(string({ doc: "a field of the record" }), { doc: "fields left out of the message", default: ["kubernetes"] }),
    lineField: string({ doc: "a record that has, beside omitted fields, this one alone is sent as its text; all others as JSON", default: "log" }),
    confirmMs: durationMs({ doc: "how long a connection must stand after a chunk was handed to the system until the chunk counts as delivered", default: 100, min: 0, max: 60_000 }),
    connectTimeoutMs: durationMs({ doc: "longest wait for a connection, with TLS included", default: 5_000, min: 10 }),
    writeTimeoutMs: durationMs({ doc: "longest time that a chunk may take to leave", default: 30_000, min: 10 }),
    retryMaxMs: durationMs({ doc: "longest delay between attempts to connect", default: 10_000, min: 10 }),
  },
  {
    doc: "a syslog server, RFC 5424 with octet counting over TCP or TLS. BEST EFFORT: syslog has no acknowledgements, so what a server or a network loses after it was sent is lost",
    check: ({ hostname, appName, procId, msgId, structuredData }) => {
      const places = [hostname, appName, procId, msgId, ...Object.values(structuredData)].reduce((sum, each) => sum + each.split("{").length - 1, 0);
      return places > placesMax ? [{ path: ["structuredData"], message: `has, with the header's templates, ${places} fields in braces; at most ${placesMax} are possible` }] : [];
    },
  },
);

export type SyslogSinkConfig = ConfigOf<typeof syslogSinkSpec>;
