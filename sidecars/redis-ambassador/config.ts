// pure
import { parseAddress } from "../../kit/config/units.ts";
import { address, boolean, choice, durationMs, integer, list, map, object, secret, sizeBytes, string, type ConfigOf, type CrossProblem } from "../../kit/config/schema.ts";
import { adminSpec, logSpec, shutdownSpec } from "../../kit/process-spec.ts";

const reachable = ({ host, port }: { readonly host: string; readonly port: number }): string | undefined =>
  (host === "" || port === 0 ? 'a host and a port, such as "redis-0.redis:6379"' : undefined);
const absolute = (path: string): string | undefined => (path.startsWith("/") ? undefined : "an absolute path");

const listenSpec = object({
  address: address({ doc: "where the application finds Redis", default: "127.0.0.1:6379", env: "PODKIT_LISTEN" }),
  socketPath: string({ doc: "a Unix socket to listen on as well", optional: true, check: absolute }),
  tls: object({
    certFile: string({ doc: "certificate chain of the ambassador (PEM); given, the TCP listener speaks TLS alone, the Unix socket stays plain", optional: true }),
    keyFile: string({ doc: "its key (PEM)", optional: true }),
    clientCaFile: string({ doc: "authorities of client certificates (PEM); given, a client must show a certificate", optional: true }),
  }, { doc: "encryption towards the application; files are read again when they change" }),
  auth: choice(["open", "password", "server"], { doc: "open: clients need not authenticate, and AUTH is the servers' affair; password: every client must AUTH with listen.password, which the ambassador checks; server: every client must AUTH as a user of the servers", default: "open" }),
  username: string({ doc: "the user name that goes with listen.password; without it, the name default", optional: true }),
  password: secret({ doc: "what clients must AUTH with when listen.auth is password", optional: true }),
}, { doc: "the application's side", check: crossCheckListen });

function crossCheckListen(listen: { readonly tls: { readonly certFile: string | undefined; readonly keyFile: string | undefined; readonly clientCaFile: string | undefined }; readonly auth: string; readonly username: string | undefined; readonly password: string | undefined }): CrossProblem[] {
  const { tls, auth, username, password } = listen, problems: CrossProblem[] = [];
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) problems.push({ path: ["tls"], message: "certFile and keyFile are needed together" });
  if (tls.clientCaFile !== undefined && tls.certFile === undefined) problems.push({ path: ["tls", "clientCaFile"], message: "needs certFile and keyFile too: without them the listener does not speak TLS" });
  if (auth === "password" && (password ?? "") === "") problems.push({ path: ["auth"], message: "password needs listen.password (PODKIT_LISTEN_PASSWORD or PODKIT_LISTEN_PASSWORD_FILE)" });
  if (auth !== "password" && password !== undefined) problems.push({ path: ["password"], message: `is used with listen.auth: password alone, which is ${auth}; set listen.auth, or leave the password out` });
  if (auth !== "password" && username !== undefined) problems.push({ path: ["username"], message: `is used with listen.auth: password alone, which is ${auth}` });
  return problems;
}

const tlsFields = {
  enabled: boolean({ doc: "speak TLS to them", default: false }),
  caFile: string({ doc: "certificates to trust instead of the system's (PEM)", optional: true }),
  certFile: string({ doc: "client certificate (PEM)", optional: true }),
  keyFile: string({ doc: "its key (PEM)", optional: true }),
  serverName: string({ doc: "name expected in their certificates, if not the host", optional: true }),
};
const crossCheckTls = ({ certFile, keyFile, caFile, serverName, enabled }: { readonly enabled: boolean; readonly caFile: string | undefined; readonly certFile: string | undefined; readonly keyFile: string | undefined; readonly serverName: string | undefined }): CrossProblem[] => {
  if ((certFile === undefined) !== (keyFile === undefined)) return [{ path: [], message: "certFile and keyFile are needed together" }];
  return !enabled && (caFile ?? certFile ?? serverName) !== undefined ? [{ path: ["enabled"], message: "must be true for the other settings of this group to have an effect" }] : [];
};

const upstreamSpec = object({
  mode: choice(["standalone", "sentinel", "cluster"], { doc: "standalone: a primary with its replicas; sentinel: the same, found by asking sentinels; cluster: a Redis Cluster behind what looks like one server", default: "standalone" }),
  nodes: list(address({ doc: "host:port", check: reachable }), { doc: "standalone: the primary and its replicas in any order, which is which is asked of them; sentinel: the sentinels; cluster: some of its nodes", default: [], env: "PODKIT_UPSTREAM_NODES" }),
  discover: boolean({ doc: "standalone: use also the replicas (and the primary) that the servers tell of; their addresses must be reachable from here, see addressMap", default: false }),
  sentinel: object({
    masterName: string({ doc: "the name under which the sentinels watch the primary", optional: true }),
    nodes: list(address({ doc: "host:port of a sentinel", check: reachable }), { doc: "the sentinels, if not in upstream.nodes; further ones are learnt from them", default: [] }),
    username: string({ doc: "ACL user at the sentinels", optional: true }),
    password: secret({ doc: "its password at the sentinels", optional: true }),
    tls: object(tlsFields, { doc: "encryption towards the sentinels", check: crossCheckTls }),
  }, { doc: "Redis Sentinel" }),
  addressMap: map(address({ doc: "host:port to use instead", check: reachable }), { doc: "for addresses that servers and sentinels tell and that cannot be reached from here: host:port as told -> host:port to use", default: {} }),
  username: string({ doc: "ACL user for clients that do not authenticate themselves, and for probes", optional: true }),
  password: secret({ doc: "its password", optional: true }),
  tls: object(tlsFields, { doc: "encryption towards the servers; files are read again when they change", check: crossCheckTls }),
  connectTimeoutMs: durationMs({ doc: "how long a connection may take to be made", default: 1_000, min: 10 }),
}, { doc: "the Redis servers", check: crossCheckUpstream });

function crossCheckUpstream(upstream: {
  readonly mode: string; readonly nodes: readonly unknown[]; readonly discover: boolean; readonly username: string | undefined; readonly password: string | undefined;
  readonly sentinel: { readonly masterName: string | undefined; readonly nodes: readonly unknown[]; readonly username: string | undefined; readonly password: string | undefined };
  readonly addressMap: Readonly<Record<string, unknown>>;
}): CrossProblem[] {
  const { mode, nodes, discover, sentinel, addressMap } = upstream, problems: CrossProblem[] = [];
  const sentinels = nodes.length + sentinel.nodes.length;
  if (mode === "sentinel") {
    if ((sentinel.masterName ?? "") === "") problems.push({ path: ["sentinel", "masterName"], message: "is required in mode sentinel: expected the name in the sentinels' \"sentinel monitor <name> …\"" });
    if (sentinels === 0) problems.push({ path: ["nodes"], message: "expected at least one sentinel, such as \"sentinel-0:26379\" (PODKIT_UPSTREAM_NODES)" });
    if (nodes.length > 0 && sentinel.nodes.length > 0) problems.push({ path: ["nodes"], message: "the sentinels are given twice: in upstream.nodes and in upstream.sentinel.nodes; keep one" });
  } else {
    if (nodes.length === 0) problems.push({ path: ["nodes"], message: "expected at least one server, such as \"redis-0.redis:6379\" (PODKIT_UPSTREAM_NODES)" });
    if (sentinel.masterName !== undefined || sentinel.nodes.length > 0) problems.push({ path: ["sentinel"], message: `has an effect in mode sentinel alone, and upstream.mode is ${mode}` });
  }
  if (discover && mode !== "standalone") problems.push({ path: ["discover"], message: `is for mode standalone; in mode ${mode} servers are always discovered` });
  if (upstream.username !== undefined && upstream.password === undefined) problems.push({ path: ["username"], message: "needs upstream.password too" });
  if (sentinel.username !== undefined && sentinel.password === undefined) problems.push({ path: ["sentinel", "username"], message: "needs upstream.sentinel.password too" });
  for (const told of Object.keys(addressMap)) if (parseAddress(told) === undefined) problems.push({ path: ["addressMap", told], message: 'expected a key such as "10.0.0.7:6379"' });
  return problems;
}

const readsSpec = object({
  consistency: choice(["pod", "session", "monotonic", "eventual"], { doc: "pod: every connection reads what any connection through this ambassador wrote; session: each reads its own writes; monotonic: no connection sees time go back; eventual: replicas as they are", default: "pod" }),
  policy: choice(["prefer-replica", "replica", "round-robin", "random", "least-latency", "zone", "weighted", "primary"], { doc: "prefer-replica: replicas in turn, the primary when none may be read; replica: replicas alone, a read waits until one may be read; round-robin: the primary takes its turn too; random: any of them; least-latency: the one that answers soonest; zone: replicas of reads.zone first; weighted: by reads.weights; primary: no replica is read", default: "prefer-replica" }),
  zone: string({ doc: "the zone this ambassador is in, for policy zone", optional: true }),
  zones: map(string({ doc: "its zone" }), { doc: "host:port -> zone, for servers that do not tell it themselves (Valkey does: availability-zone)", default: {} }),
  weights: map(integer({ doc: "its share of the reads; 0 for none", min: 0, max: 1_000_000 }), { doc: "host:port -> share of the reads, for policy weighted; of servers that are not named a replica has 1 and the primary 0", default: {} }),
  offload: boolean({ doc: "let replicas also answer reads that the servers flag as writes: SORT, GEORADIUS, BITFIELD with GET alone, GETEX without options, EVAL of scripts that declare no-writes", default: true }),
  withoutPrimary: boolean({ doc: "go on reading replicas while no primary is known, though they have lost their links with it, up to lagSecondsMax; false: reads wait as writes do", default: true }),
  dryRun: boolean({ doc: "send everything to the primary and only count where reads would have gone", default: false }),
  lagBytesMax: sizeBytes({ doc: "a replica further behind is not read", default: 16 * 1024 * 1024 }),
  lagSecondsMax: integer({ doc: "a replica that has not heard from its primary for so many seconds is not read", default: 30, min: 1 }),
  stuckAfterMs: durationMs({ doc: "a replica that says nothing for so long gets its reads taken away and sent elsewhere", default: 250, min: 20 }),
  fenceIntervalMs: durationMs({ doc: "shortest time between two proofs that the replicas have the latest writes; eight times as long while no read waits for one", default: 3, min: 1 }),
}, { doc: "where reads go", check: crossCheckReads });

function crossCheckReads(reads: { readonly policy: string; readonly zone: string | undefined; readonly zones: Readonly<Record<string, string>>; readonly weights: Readonly<Record<string, number>> }): CrossProblem[] {
  const { policy, zone, zones, weights } = reads, problems: CrossProblem[] = [];
  const weighed = Object.keys(weights);
  if (policy === "zone" && (zone ?? "") === "") problems.push({ path: ["zone"], message: "is required by policy zone: expected the zone of this Pod's node (topology.kubernetes.io/zone)" });
  if (policy === "weighted" && weighed.length === 0) problems.push({ path: ["weights"], message: "is required by policy weighted: expected a map such as { \"redis-1:6379\": 3, \"redis-2:6379\": 1 }" });
  if (policy === "weighted" && weighed.length > 0 && Object.values(weights).every((weight) => weight === 0)) problems.push({ path: ["weights"], message: "expected at least one weight above 0" });
  if (policy !== "weighted" && weighed.length > 0) problems.push({ path: ["weights"], message: `has an effect with policy weighted alone, and reads.policy is ${policy}` });
  if (policy !== "zone" && Object.keys(zones).length > 0) problems.push({ path: ["zones"], message: `has an effect with policy zone alone, and reads.policy is ${policy}` });
  for (const [group, keys] of [["weights", weighed], ["zones", Object.keys(zones)]] as const) {
    for (const key of keys) if (parseAddress(key) === undefined) problems.push({ path: [group, key], message: 'expected a key such as "redis-1:6379"' });
  }
  return problems;
}

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
  clientOutputBytes: sizeBytes({ doc: "while more replies than this wait for a client, nothing more is asked or read for it", default: 4 * 1024 * 1024 }),
  allClientsOutputBytes: sizeBytes({ doc: "replies waiting for all clients together; above it the client with the most is ended", default: 64 * 1024 * 1024 }),
  heldBytes: sizeBytes({ doc: "most bytes of commands held while there is no primary", default: 16 * 1024 * 1024 }),
}, { doc: "bounds" });

const seeSpec = object({
  slowLogMs: durationMs({ doc: "commands that took longer, as the application sees it, are kept in the ambassador's own slow log; 0 keeps none", default: 10, min: 0 }),
  slowLogEntries: integer({ doc: "so many of them are kept", default: 128, min: 1, max: 10_000 }),
  hotKeys: integer({ doc: "so many of the most used keys are told; 0 counts none", default: 20, min: 0, max: 1_000 }),
}, { doc: "what is watched" });

/** The role's whole configuration. */
export const spec = object({
  admin: adminSpec, log: logSpec, shutdown: shutdownSpec,
  listen: listenSpec, upstream: upstreamSpec, reads: readsSpec, failover: failoverSpec, limits: limitsSpec, see: seeSpec,
}, { doc: "the Redis ambassador" });

export type Config = ConfigOf<typeof spec>;
