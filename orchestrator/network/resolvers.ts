// pure
/** resolv.conf(5): every `nameserver` line, comments and zone indexes (fe80::1%eth0) left out. */
export function parseNameservers(resolvConf: string): readonly string[] {
  return resolvConf.split("\n").flatMap((line) => {
    const address = /^\s*nameserver\s+([0-9a-f.:]+)\s*(?:[#;].*)?$/i.exec(line)?.[1];
    return address === undefined ? [] : [address];
  });
}

/**
 * What a container may ask of the host's resolvers: no loopback address (it means the container itself there), not the engine's embedded
 * resolver, not ourselves. At most three, as resolv.conf has it.
 */
export function upstreamsOf(o: { readonly main: readonly string[]; readonly behindResolved: readonly string[]; readonly ourselves: readonly string[] }): readonly string[] {
  const usable = (addresses: readonly string[]): readonly string[] => addresses.filter((address) => !isLoopback(address) && !o.ourselves.includes(address));
  const own = usable(o.main);
  return [...new Set(own.length > 0 ? own : usable(o.behindResolved))].slice(0, 3);
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1" || address === "0.0.0.0" || address === "::";
}
