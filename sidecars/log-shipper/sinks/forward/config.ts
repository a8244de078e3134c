// pure
import { address, durationMs, list, object, secret, string, type ConfigOf } from "../../../../kit/config/schema.ts";
import { required } from "../common-config.ts";

export const forwardSinkSpec = object(
  {
    name: string({ doc: "name in logs and metrics", default: "forward" }),
    servers: list(address({ doc: "a Forward server" }), { doc: "servers, tried in turn", minItems: 1 }),
    required,
    sharedKey: secret({ doc: "the shared key that the server demands", optional: true }),
    username: string({ doc: "user of the handshake", default: "" }),
    password: secret({ doc: "password of the handshake", default: "" }),
    hostname: string({ doc: "our name in the handshake, the Pod's name without it", optional: true }),
    connectTimeoutMs: durationMs({ doc: "longest wait for a connection", default: 5_000, min: 10 }),
    handshakeTimeoutMs: durationMs({ doc: "longest wait for the handshake", default: 5_000, min: 10 }),
    writeTimeoutMs: durationMs({ doc: "longest time that a chunk may take to leave", default: 30_000, min: 10 }),
    ackTimeoutMs: durationMs({ doc: "longest wait for a chunk's acknowledgement", default: 60_000, min: 10 }),
    retryMaxMs: durationMs({ doc: "longest delay between attempts to connect", default: 10_000, min: 10 }),
  },
  { doc: "a Forward server: fluentd, Fluent Bit or another" },
);

export type ForwardSinkConfig = ConfigOf<typeof forwardSinkSpec>;
