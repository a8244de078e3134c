// pure
import { address, boolean, choice, durationMs, integer, list, object, secret, sizeBytes, string, type ConfigOf } from "../../kit/config/schema.ts";
import { adminSpec, logSpec, shutdownSpec } from "../../kit/process-spec.ts";

const listenSpec = object({
  address: address({ doc: "where the application finds Redis", default: "127.0.0.1:6379", env: "PODKIT_LISTEN" }),
  socketPath: string({ doc: "a Unix socket to listen on as well", optional: true }),
}, { doc: "the application's side" });

const upstreamSpec = object({
  nodes: list(address({ doc: "host:port of one Redis server" }), { doc: "the primary and its replicas, in any order; which is which is asked of the servers", minItems: 1, env: "PODKIT_UPSTREAM_NODES" }),
  username: string({ doc: "ACL user for clients that do not authenticate themselves, and for probes", optional: true }),
  password: secret({ doc: "its password", optional: true }),
  tls: object({
    enabled: boolean({ doc: "speak TLS to the servers", default: false }),
    caFile: string({ doc: "certificates to trust instead of the system's (PEM)", optional: true }),
    certFile: string({ doc: "client certificate (PEM)", optional: true }),
    keyFile: string({ doc: "its key (PEM)", optional: true }),
    serverName: string({ doc: "name expected in the servers' certificates, if not the host", optional: true }),
  }, { doc: "encryption towards the servers" }),
  connectTimeoutMs: durationMs({ doc: "how long a connection may take to be made", default: 1_000, min: 10 }),
}, { doc: "the Redis servers" });

const readsSpec = object({
  consistency: choice(["pod", "session", "eventual"], { doc: "pod: every connection reads what any connection through this ambassador wrote; session: each reads its own writes; eventual: replicas as they are", default: "pod" }),
  policy: choice(["prefer-replica", "round-robin", "primary"], { doc: "prefer-replica: replicas in turn, the primary when there is none; round-robin: the primary takes its turn too; primary: no replica is read", default: "prefer-replica" }),
  lagBytesMax: sizeBytes({ doc: "a replica further behind is not read", default: 16 * 1024 * 1024 }),
  lagSecondsMax: integer({ doc: "a replica that has not heard from its primary for so many seconds is not read", default: 30, min: 1 }),
  stuckAfterMs: durationMs({ doc: "a replica that says nothing for so long gets its reads taken away and sent elsewhere", default: 250, min: 20 }),
  fenceIntervalMs: durationMs({ doc: "shortest time between two proofs that the replicas have the latest writes", default: 3, min: 1 }),
}, { doc: "where reads go" });

const failoverSpec = object({
  holdMs: durationMs({ doc: "how long commands wait for a primary before they fail with an error", default: 10_000, min: 0 }),
  stuckAfterMs: durationMs({ doc: "a primary that says nothing for so long is taken for lost; longer than the slowest command", default: 15_000, min: 100 }),
  probeIntervalMs: durationMs({ doc: "how often each server is asked for its role and state", default: 500, min: 20 }),
  probeTimeoutMs: durationMs({ doc: "how long an answer to that may take", default: 1_000, min: 20 }),
}, { doc: "when servers fail" });

const limitsSpec = object({
  clients: integer({ doc: "most connections of applications at one time", default: 10_000, min: 1 }),
  dedicatedConnections: integer({ doc: "most server connections that belong to one client each (transactions, blocking commands, subscriptions)", default: 1_000, min: 1 }),
  clientInputBytes: sizeBytes({ doc: "a client is not read while it has more than this in hand", default: 1024 * 1024 }),
  clientOutputBytes: sizeBytes({ doc: "replies waiting for a client above this stop its server connection, and end a client that does not read", default: 4 * 1024 * 1024 }),
  heldBytes: sizeBytes({ doc: "most bytes of commands held while there is no primary", default: 16 * 1024 * 1024 }),
  slowReaderMs: durationMs({ doc: "how long a client may keep a shared server connection waiting before it is closed", default: 200, min: 10 }),
}, { doc: "bounds" });

/** The role's whole configuration. */
export const spec = object({
  admin: adminSpec, log: logSpec, shutdown: shutdownSpec,
  listen: listenSpec, upstream: upstreamSpec, reads: readsSpec, failover: failoverSpec, limits: limitsSpec,
}, { doc: "the Redis ambassador" });

export type Config = ConfigOf<typeof spec>;
