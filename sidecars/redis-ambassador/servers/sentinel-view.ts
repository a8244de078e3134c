// pure
import { formatAddress, type Address } from "./membership.ts";

/** What one sentinel says of the watched set. */
export type SentinelView = {
  /** Of several sentinels the one with the highest is right: each failover raises it. */
  readonly epoch: number;
  readonly primary: Address;
  readonly replicas: readonly Address[];
  /** The others, by their identity. */
  readonly sentinels: ReadonlyMap<string, Address>;
};

/** The newest view, with the replicas that any sentinel with that view knows; the first of `views` wins among equals. */
export function mergeViews(views: readonly SentinelView[]): SentinelView | undefined {
  let newest: SentinelView | undefined;
  for (const view of views) if (newest === undefined || view.epoch > newest.epoch) newest = view;
  if (newest === undefined) return undefined;
  const primaryName = formatAddress(newest.primary);
  const agreeing = views.filter(({ epoch, primary }) => epoch === newest.epoch && formatAddress(primary) === primaryName);
  return {
    epoch: newest.epoch,
    primary: newest.primary,
    replicas: unique(agreeing.flatMap(({ replicas }) => replicas)).filter((address) => formatAddress(address) !== primaryName),
    sentinels: new Map(views.flatMap(({ sentinels }) => [...sentinels])),
  };
}

/** Sorted by name, so that the same set is always the same list. */
function unique(addresses: readonly Address[]): readonly Address[] {
  const byName = new Map(addresses.map((address) => [formatAddress(address), address] as const));
  return [...byName].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, address]) => address);
}

/** One entry of SENTINEL MASTER, REPLICAS or SENTINELS: names and values in turn. Undefined when it is none. */
export function readEntry(answer: unknown): ReadonlyMap<string, string> | undefined {
  if (!Array.isArray(answer)) return undefined;
  const entry = new Map<string, string>();
  for (let at = 0; at + 1 < answer.length; at += 2) entry.set(String(answer[at]), String(answer[at + 1]));
  return entry;
}

export function readEntryAddress(entry: ReadonlyMap<string, string> | undefined): Address | undefined {
  const host = entry?.get("ip") ?? "", port = Number(entry?.get("port"));
  return host !== "" && port > 0 && port <= 65_535 ? { host, port } : undefined;
}

export function readEntryAddresses(answer: unknown): readonly Address[] {
  if (!Array.isArray(answer)) return [];
  return answer.map((each) => readEntryAddress(readEntry(each))).filter((address) => address !== undefined);
}

/** The answer of SENTINEL SENTINELS, by identity. */
export function readSentinels(answer: unknown): ReadonlyMap<string, Address> {
  const sentinels = new Map<string, Address>();
  for (const each of Array.isArray(answer) ? answer : []) {
    const entry = readEntry(each), address = readEntryAddress(entry);
    if (address !== undefined) sentinels.set(entry?.get("runid") || `${address.host}:${address.port}`, address);
  }
  return sentinels;
}

/** The answer of SENTINEL GET-MASTER-ADDR-BY-NAME. */
export function readPair(answer: unknown): Address | undefined {
  return Array.isArray(answer) ? readEntryAddress(new Map([["ip", String(answer[0])], ["port", String(answer[1])]])) : undefined;
}
