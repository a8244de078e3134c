// pure
import { address, boolean, choice, durationMs, object, secret, sizeBytes, string, type ConfigOf } from "../../../../kit/config/schema.ts";
import { clientTlsSpec } from "../../tls/tls-config.ts";
import { required } from "../common-config.ts";

export const fluentLoggerSinkSpec = object(
  {
    name: string({ doc: "name in logs and metrics", default: "fluent-logger" }),
    required,
    server: address({ doc: "a Forward server" }),
    tls: clientTlsSpec,
    mode: choice(["PackedForward", "CompressedPackedForward", "Message"], { doc: "fluent-logger's eventMode", default: "PackedForward" }),
    ack: boolean({ doc: "ask for acknowledgements; without, a chunk counts as delivered when the system has taken it", default: true }),
    sharedKey: secret({ doc: "the shared key that the server demands", optional: true }),
    username: string({ doc: "user of the handshake", default: "" }),
    password: secret({ doc: "password of the handshake", default: "" }),
    hostname: string({ doc: "our name in the handshake, the Pod's name without it", optional: true }),
    queueBytes: sizeBytes({ doc: "most bytes that wait in front of fluent-logger, which bounds nothing itself", default: 4_194_304, min: 65_536 }),
    timeoutMs: durationMs({ doc: "longest time for a chunk, from its hand-over to fluent-logger to the acknowledgement", default: 60_000, min: 10 }),
    heartbeatMs: durationMs({ doc: "after so long without a sign of life from its thread, that is ended and a new one begun", default: 5_000, min: 100 }),
    retryMaxMs: durationMs({ doc: "longest delay between attempts", default: 10_000, min: 10 }),
  },
  {
    doc: "the npm package fluent-logger, in a thread of its own. BEST EFFORT: for comparison and for servers that only it gets on with; prefer forward, which needs no thread and loses nothing",
    check: ({ username, sharedKey }) => (username !== "" && sharedKey === undefined ? [{ path: ["username"], message: "needs sharedKey; the protocol knows users only together with it" }] : []),
  },
);

export type FluentLoggerSinkConfig = ConfigOf<typeof fluentLoggerSinkSpec>;
