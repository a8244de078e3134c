// pure
import { address, choice, durationMs, integer, list, object, secret, string, type ConfigOf } from "../../../../kit/config/schema.ts";
import { clientTlsSpec } from "../../tls/tls-config.ts";
import { required } from "../common-config.ts";

export const forwardSinkSpec = object(
  {
    name: string({ doc: "name in logs and metrics", default: "forward" }),
    servers: list(address({ doc: "a Forward server" }), { doc: "servers", minItems: 1 }),
    balance: choice(["failover", "round-robin"], { doc: "failover: one server until it fails, then the next, and back to an earlier one when that is there again. round-robin: a connection to each, chunks by weight and by how fast they acknowledge", default: "failover" }),
    weights: list(integer({ doc: "share of a server", min: 1, max: 1_000 }), { doc: "shares of the servers in round-robin, in their order; equal ones without it", default: [] }),
    standby: list(address({ doc: "a Forward server" }), { doc: "servers that are used while none of the others can be reached", default: [] }),
    failbackMs: durationMs({ doc: "how often an earlier server is looked for in failover, and how soon at least it is gone back to; 0 is never", default: 30_000, min: 0 }),
    compress: choice(["none", "gzip", "zstd"], { doc: "compression of chunks; zstd needs a receiver of the year 2024 or later, such as fluentd 1.19", default: "none" }),
    required,
    tls: clientTlsSpec,
    sharedKey: secret({ doc: "the shared key that the server demands", optional: true }),
    username: string({ doc: "user of the handshake", default: "" }),
    password: secret({ doc: "password of the handshake", default: "" }),
    hostname: string({ doc: "our name in the handshake, the Pod's name without it", optional: true }),
    connectTimeoutMs: durationMs({ doc: "longest wait for a connection, with TLS included", default: 5_000, min: 10 }),
    handshakeTimeoutMs: durationMs({ doc: "longest wait for the handshake", default: 5_000, min: 10 }),
    writeTimeoutMs: durationMs({ doc: "longest time that a chunk may take to leave", default: 30_000, min: 10 }),
    ackTimeoutMs: durationMs({ doc: "longest wait for a chunk's acknowledgement once it has left", default: 60_000, min: 10 }),
    retryMaxMs: durationMs({ doc: "longest delay between attempts to connect", default: 10_000, min: 10 }),
  },
  {
    doc: "a Forward server: fluentd, Fluent Bit or another",
    check: ({ servers, weights, balance, username, sharedKey }) => [
      ...(weights.length > 0 && weights.length !== servers.length ? [{ path: ["weights"], message: `must have as many numbers as there are servers (${servers.length}), or none` }] : []),
      ...(weights.length > 0 && balance !== "round-robin" ? [{ path: ["weights"], message: "has a meaning with balance: round-robin alone" }] : []),
      ...(username !== "" && sharedKey === undefined ? [{ path: ["username"], message: "needs sharedKey; the protocol knows users only together with it" }] : []),
    ],
  },
);

export type ForwardSinkConfig = ConfigOf<typeof forwardSinkSpec>;
