// pure
import { choice, durationMs, integer, list, map, secret, sizeBytes, string, type CrossProblem } from "../../../../kit/config/schema.ts";
import { urlTlsSpec } from "../../tls/tls-config.ts";
import { required } from "../common-config.ts";
import { templateFault } from "../template.ts";

/** Settings that all HTTP sinks have. */
export function httpFields(defaults: { readonly name: string; readonly path: string }) {
  return {
    name: string({ doc: "name in logs and metrics", default: defaults.name }),
    required,
    endpoints: list(string({ doc: "an address such as https://logs.example:3100; what stands after the host is put before the path", check: endpointFault }), { doc: "servers; one is used until it fails, then the next", minItems: 1 }),
    path: string({ doc: "path of the API, after the endpoint's own", default: defaults.path, check: pathFault }),
    tls: urlTlsSpec,
    headers: map(secret({ doc: "value of a header" }), { doc: "headers of each request", default: {} }),
    requestsMax: integer({ doc: "most requests under way at once; 1 keeps the order", default: 4, min: 1, max: 64 }),
    requestMaxBytes: sizeBytes({ doc: "largest body before compression; more is divided", default: 4_194_304, min: 1_024, max: 268_435_456 }),
    connectTimeoutMs: durationMs({ doc: "longest wait for a connection", default: 5_000, min: 10 }),
    timeoutMs: durationMs({ doc: "longest time for a request and its whole answer", default: 60_000, min: 10 }),
    retryMaxMs: durationMs({ doc: "longest delay between attempts, unless the server asks for more", default: 30_000, min: 10 }),
  };
}

export const gzipField = choice(["none", "gzip"], { doc: "compression of requests", default: "none" });

export function template<const O extends { readonly doc: string; readonly default: string }>(options: O) {
  return string({ ...options, check: templateFault });
}

/** Ways to show who we are; a sink uses at most one. */
export const credentialFields = {
  username: string({ doc: "user of HTTP basic authentication", optional: true }),
  password: secret({ doc: "password of HTTP basic authentication", optional: true }),
  bearer: secret({ doc: "token sent as Authorization: Bearer", optional: true }),
};

/** What is wrong with the credentials. */
export function oneCredential(config: { readonly username: string | undefined; readonly password: string | undefined; readonly bearer: string | undefined; readonly apiKey?: string | undefined }): readonly CrossProblem[] {
  const given = (["username", "bearer", "apiKey"] as const).filter((name) => config[name] !== undefined);
  if (given.length > 1) return [{ path: [given[1] ?? ""], message: `must not be set together with ${given[0]}; a request has one Authorization header` }];
  return config.password !== undefined && config.username === undefined ? [{ path: ["password"], message: "needs username" }] : [];
}

function endpointFault(text: string): string | undefined {
  const expected = "an address such as https://logs.example:3100";
  if (!URL.canParse(text)) return expected;
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return expected;
  if (url.username !== "" || url.password !== "") return `${expected} without credentials; set username and password`;
  return url.search === "" && url.hash === "" ? undefined : `${expected} without ? and #`;
}

function pathFault(path: string): string | undefined {
  return /^\/[\x21-\x7e]*$/.test(path) ? undefined : "a path that begins with /";
}
