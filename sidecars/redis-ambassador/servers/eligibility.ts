// pure

/** What the last probe of a node told. Offsets are bytes of the replication stream. */
export type NodeFacts = {
  readonly role: "primary" | "replica";
  readonly offset: number;
  /** master_replid: the history that the offset belongs to. */
  readonly replicationId: string;
  readonly connectedReplicas: number;
  readonly linkUp: boolean;
  readonly loading: boolean;
  readonly syncing: boolean;
  /** Seconds since the replica heard from its primary; negative when it never did. */
  readonly lastIoSeconds: number;
  readonly version: string;
  readonly runId: string;
  /** Valkey's availability-zone; undefined where the server knows none. */
  readonly zone: string | undefined;
};

export type LagLimits = { readonly lagBytesMax: number; readonly lagSecondsMax: number };

const fieldOf = (info: string, name: string): string | undefined => {
  const found = new RegExp(`(?:^|\\n)${name}:([^\\r\\n]*)`).exec(info);
  return found?.[1];
};

/** Reads the answer of INFO (sections server, replication, persistence). Undefined when it is no such answer. */
export function readNodeFacts(info: string): NodeFacts | undefined {
  const role = fieldOf(info, "role");
  if (role !== "master" && role !== "slave") return undefined;
  const number = (name: string): number => Number(fieldOf(info, name) ?? "0");
  return {
    role: role === "master" ? "primary" : "replica",
    offset: number(role === "master" ? "master_repl_offset" : "slave_repl_offset"),
    replicationId: fieldOf(info, "master_replid") ?? "",
    connectedReplicas: number("connected_slaves"),
    linkUp: role === "master" || fieldOf(info, "master_link_status") === "up",
    loading: fieldOf(info, "loading") === "1" || fieldOf(info, "async_loading") === "1",
    syncing: fieldOf(info, "master_sync_in_progress") === "1",
    // Without a link the one is -1 and the other is told instead.
    lastIoSeconds: role === "master" ? 0 : number(fieldOf(info, "master_link_down_since_seconds") === undefined ? "master_last_io_seconds_ago" : "master_link_down_since_seconds"),
    version: fieldOf(info, "valkey_version") ?? fieldOf(info, "redis_version") ?? "",
    runId: fieldOf(info, "run_id") ?? "",
    zone: fieldOf(info, "availability_zone") || undefined,
  };
}

/**
 * Which of several nodes is written to. A node qualifies only by its own word, and not while `advice` calls it deposed; among
 * several the one that `advice` names wins, then the one with the most replicas, then the present one, then the first listed.
 */
export function choosePrimary(nodes: readonly { readonly address: string; readonly facts: NodeFacts | undefined }[], present: string | undefined, advice: { readonly named: string | undefined; readonly deposed: readonly string[] } = { named: undefined, deposed: [] }): string | undefined {
  let best: { address: string; facts: NodeFacts } | undefined;
  for (const { address, facts } of nodes) {
    if (facts?.role !== "primary" || facts.loading || advice.deposed.includes(address)) continue;
    if (address === advice.named) return address;
    const more = best === undefined || facts.connectedReplicas > best.facts.connectedReplicas
      || (facts.connectedReplicas === best.facts.connectedReplicas && address === present);
    if (more) best = { address, facts };
  }
  return best?.address;
}

/**
 * Why a replica may not be read, or undefined when it may. `primary` is what is known of the node written to, or was. While
 * that one is `lost` its replicas have lost their links with it and miss nothing by that, so they are read on as long as the
 * lag limit lasts. `lagBytes` is how far the replica was behind when it was asked.
 */
export function whyNotEligible(replica: NodeFacts | undefined, primary: NodeFacts | undefined, limits: LagLimits, lost = false, lagBytes = (primary?.offset ?? 0) - (replica?.offset ?? 0)): string | undefined {
  if (replica === undefined) return "not answering";
  if (replica.role !== "replica") return "not a replica";
  if (replica.loading) return "loading its dataset";
  if (replica.syncing) return "in full synchronisation";
  if (!replica.linkUp && !(lost && replica.lastIoSeconds >= 0)) return "link to its primary is down";
  if (primary !== undefined) {
    if (replica.replicationId !== primary.replicationId) return "follows another primary";
    if (lagBytes > limits.lagBytesMax) return "lags in bytes";
  }
  if (replica.lastIoSeconds > limits.lagSecondsMax) return "lags in seconds";
  return undefined;
}
