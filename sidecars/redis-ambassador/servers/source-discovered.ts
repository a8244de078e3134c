import type { Clock } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import { formatAddress, listedMembers, type Address, type Membership, type MembershipSource } from "./membership.ts";
import { mapAddress, readPeers, sameAddresses, type AddressMap } from "./peers.ts";

/** A server of which nobody tells any more stays a member for so long, because a replica's link may only be down for a moment. */
const graceMs = 30_000;
const lookIntervalMs = 5_000;
/** A bound against answers that make no sense. */
const membersMax = 128;

type Told = { readonly address: Address; toldMs: number };

/**
 * The seeds, and the servers that these tell of in their INFO: a primary tells of its replicas, a replica of its primary. A
 * server that is told of under another address than the one it is known by is recognised by its run_id and not counted twice.
 */
export class DiscoveredSource implements MembershipSource {
  readonly #options: { readonly seeds: readonly Address[]; readonly addressMap: AddressMap; readonly clock: Clock; readonly log: Log };
  readonly #seeds: ReadonlySet<string>;
  /** What is known by somebody's word, by address. */
  readonly #told = new Map<string, Told>();
  /** The last word of each server about others. */
  readonly #words = new Map<string, readonly Address[]>();
  readonly #runIds = new Map<string, string>();
  /** Told addresses of servers that are members under another address, and which. */
  readonly #aliases = new Map<string, string>();
  #members: readonly Address[];
  #wake = new AbortController();

  constructor(options: { readonly seeds: readonly Address[]; readonly addressMap: AddressMap; readonly clock: Clock; readonly log: Log }) {
    this.#options = options;
    this.#seeds = new Set(options.seeds.map(formatAddress));
    this.#members = options.seeds;
  }

  async run(signal: AbortSignal, onMembership: (membership: Membership) => void): Promise<void> {
    onMembership(listedMembers(this.#members));
    while (!signal.aborted) {
      await this.#options.clock.sleep(lookIntervalMs, AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined);
      this.#wake = new AbortController();
      const members = this.#look();
      if (signal.aborted || sameAddresses(members, this.#members)) continue;
      this.#members = members;
      this.#options.log.info({ nodes: members.map(formatAddress) }, "Discovered servers");
      onMembership(listedMembers(members));
    }
  }

  wake(): void {
    this.#wake.abort();
  }

  /** Changes take effect with the next turn of `run`, never inside this call. */
  observe(address: string, info: string): void {
    const peers = readPeers(info);
    if (peers === undefined) return;
    const before = this.#runIds.get(address);
    this.#runIds.set(address, peers.runId);
    if (before !== undefined && before !== peers.runId) for (const [alias, of] of this.#aliases) if (of === address) this.#aliases.delete(alias);
    const others = peers.others.map((other) => mapAddress(this.#options.addressMap, other));
    const changed = before !== peers.runId || !sameAddresses(others, this.#words.get(address) ?? []);
    this.#words.set(address, others);
    if (changed) this.wake();
  }

  #look(): readonly Address[] {
    const nowMs = this.#options.clock.monotonicMs();
    // Several rounds: an alias or a member that leaves takes its word with it.
    const members = new Set(this.#members.map(formatAddress));
    for (const [teller, others] of this.#words) {
      if (!members.has(teller)) {
        this.#words.delete(teller);
        continue;
      }
      for (const other of others) {
        const name = formatAddress(other), known = this.#told.get(name);
        if (known !== undefined) known.toldMs = nowMs;
        else if (!this.#seeds.has(name) && this.#told.size < membersMax) this.#told.set(name, { address: other, toldMs: nowMs });
      }
    }
    for (const [name, { toldMs }] of this.#told) {
      if (nowMs - toldMs <= graceMs) continue;
      this.#told.delete(name);
      this.#aliases.delete(name);
      this.#runIds.delete(name);
    }
    this.#findAliases();
    return [...this.#options.seeds, ...[...this.#told].filter(([name]) => !this.#aliases.has(name)).map(([, { address }]) => address)];
  }

  /** The first address under which a server is known stands for it. */
  #findAliases(): void {
    const first = new Map<string, string>();
    for (const name of [...this.#seeds, ...this.#told.keys()]) {
      const runId = this.#runIds.get(name) ?? "";
      if (runId === "" || this.#aliases.has(name)) continue;
      const holder = first.get(runId);
      if (holder === undefined) first.set(runId, name);
      else if (!this.#seeds.has(name)) {
        this.#aliases.set(name, holder);
        this.#options.log.info({ address: name, is: holder }, "A server is told of under a second address");
      }
    }
  }
}
