import { formatAddress, type Address, type Membership, type MembershipSource } from "./membership.ts";
import { mapAddress, readPeers, type AddressMap } from "./peers.ts";
import type { ProbeContext } from "./prober.ts";
import { SentinelLink, type SentinelSettings } from "./sentinel-link.ts";
import { mergeViews, type SentinelView } from "./sentinel-view.ts";

export type SentinelSourceOptions = ProbeContext & {
  readonly settings: SentinelSettings;
  readonly seeds: readonly Address[];
  readonly addressMap: AddressMap;
  /** A sentinel told that something has changed: whoever the servers are, they should be asked now. */
  readonly onHint: () => void;
};

const lookIntervalMs = 5_000;
/** After a hint or a failure the sentinels are asked so often for a while, since a failover goes through several states. */
const uneasyIntervalMs = 500, uneasyForMs = 15_000;
/** Shortest time between two questions, however many hints come. */
const restMs = 50;
const sentinelsMax = 32;

/**
 * Asks all sentinels which servers belong to the set. The word with the highest configuration epoch holds, so a sentinel that
 * is cut off cannot mislead, and any number of sentinels may be lost but one. Who is written to is still decided by the
 * servers' own word; but a server from which the sentinels have turned away is not, until it has said that it is a replica.
 */
export class SentinelSource implements MembershipSource {
  readonly #options: SentinelSourceOptions;
  readonly #links = new Map<string, SentinelLink>();
  readonly #deposed = new Set<string>();
  #named: string | undefined;
  #epoch = -1;
  #published = "";
  #uneasyUntilMs = 0;
  #wake = new AbortController();

  constructor(options: SentinelSourceOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal, onMembership: (membership: Membership) => void): Promise<void> {
    const { clock, random } = this.#options;
    this.#uneasyUntilMs = clock.monotonicMs() + uneasyForMs;
    this.#connect(new Map());
    while (!signal.aborted) {
      this.#wake = new AbortController();
      // Each answer counts at once: one sentinel that hangs must not delay what another knows.
      await Promise.all([...this.#links.values()].map(async (link) => {
        await link.ask();
        if (!signal.aborted) this.#publish(onMembership);
      }));
      const pauseMs = (clock.monotonicMs() < this.#uneasyUntilMs || this.problem() !== undefined ? uneasyIntervalMs : lookIntervalMs) * (0.9 + 0.2 * random());
      await clock.sleep(pauseMs, AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined);
      await clock.sleep(restMs, signal).catch(() => undefined);
    }
    for (const link of this.#links.values()) link.end();
  }

  wake(): void {
    this.#uneasyUntilMs = this.#options.clock.monotonicMs() + uneasyForMs;
    this.#wake.abort();
  }

  observe(address: string, info: string): void {
    if (this.#deposed.size > 0 && readPeers(info)?.role === "replica" && this.#deposed.delete(address)) this.wake();
  }

  /** Why nothing is known of the servers now; undefined when a sentinel answers. */
  problem(): string | undefined {
    const links = [...this.#links.values()];
    if (links.some(({ trouble }) => trouble === undefined)) return undefined;
    return links.map(({ trouble }) => trouble ?? "").join("; ");
  }

  #publish(onMembership: (membership: Membership) => void): void {
    const { addressMap, log } = this.#options;
    const views = [...this.#links.values()].filter(({ trouble }) => trouble === undefined).map(({ view }) => view).filter((view) => view !== undefined);
    const merged = mergeViews(views);
    if (merged === undefined) return;
    this.#connect(new Map([...merged.sentinels].map(([id, address]) => [id, mapAddress(addressMap, address)] as const)));
    // Nothing older than what was believed already, unless most of the sentinels were set up anew.
    if (merged.epoch < this.#epoch && views.length * 2 <= this.#links.size) return;
    this.#epoch = merged.epoch;
    const primary = mapAddress(addressMap, merged.primary), name = formatAddress(primary);
    if (name !== this.#named) {
      if (this.#named !== undefined) {
        this.#deposed.add(this.#named);
        log.info({ from: this.#named, to: name }, "The sentinels name another primary");
      }
      this.#deposed.delete(name);
      this.#named = name;
      this.wake();
    }
    const addresses = [primary, ...this.#replicasOf(merged)];
    const membership = [{ id: "all", addresses, slots: [], named: name, deposed: [...this.#deposed] }];
    const text = JSON.stringify(membership);
    if (text === this.#published) return;
    this.#published = text;
    onMembership(membership);
  }

  #replicasOf(view: SentinelView): readonly Address[] {
    return view.replicas.map((address) => mapAddress(this.#options.addressMap, address));
  }

  /** Makes connections to the seeds and to the sentinels that others tell of, and ends those that nobody tells of. */
  #connect(told: ReadonlyMap<string, Address>): void {
    const { seeds } = this.#options;
    const ofSeeds = new Set(seeds.map((address) => this.#links.get(formatAddress(address))?.id));
    const others = [...told].filter(([id]) => !ofSeeds.has(id)).map(([, address]) => address);
    const wanted = new Map([...seeds, ...others].slice(0, sentinelsMax).map((address) => [formatAddress(address), address] as const));
    for (const [name, address] of wanted) if (!this.#links.has(name)) this.#links.set(name, this.#link(name, address));
    if (told.size === 0) return;
    for (const [name, link] of this.#links) {
      if (wanted.has(name)) continue;
      link.end();
      this.#links.delete(name);
    }
  }

  #link(name: string, address: Address): SentinelLink {
    const { settings, onHint, log } = this.#options;
    return new SentinelLink(address, settings, this.#options, (channel, message) => {
      log.debug({ sentinel: name, channel, message }, "Hint of a sentinel");
      onHint();
      this.wake();
    });
  }
}
