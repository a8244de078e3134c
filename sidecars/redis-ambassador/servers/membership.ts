// pure

/** Where a server is reached from here. */
export type Address = { readonly host: string; readonly port: number };

/** The servers that hold the same data, in any order; `slots` are the hash slots they own (Cluster), both ends included. */
export type ShardMembers = {
  /** The same from one membership to the next while it is the same shard. */
  readonly id: string;
  readonly addresses: readonly Address[];
  readonly slots: readonly (readonly [from: number, to: number])[];
  /** Whom sentinels call the primary. It decides only among servers that each call themselves one. */
  readonly named?: string;
  /** Servers that sentinels have replaced: they are not written to, whatever they call themselves. */
  readonly deposed?: readonly string[];
};

/** Which servers there are. Who of them is written to is not said here: that is asked of the servers themselves. */
export type Membership = readonly ShardMembers[];

/** Tells which servers there are, as often as that changes. */
export interface MembershipSource {
  /** Runs until `signal` aborts. */
  run(signal: AbortSignal, onMembership: (membership: Membership) => void): Promise<void>;
  /** Something unexpected was seen: look again soon. */
  wake(): void;
  /** What a server has answered to INFO (sections server, replication, persistence). */
  observe?(address: string, info: string): void;
  /** Where a server is reached that others call so. */
  mapped?(told: Address): Address;
  /** Why it cannot tell which servers there are, with the remedy; undefined when it can. */
  problem?(): string | undefined;
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A fixed list of servers with the same data. */
export function listedMembers(addresses: readonly Address[]): Membership {
  return [{ id: "all", addresses, slots: [] }];
}
