// pure
/** The IPv4 arithmetic of the cluster's network. All throw SyntaxError on anything that is not an IPv4 subnet such as 172.18.0.0/16. */

export function firstAddress(subnet: string): string {
  return nthAddress(subnet, 1);
}

/** The nth address of a subnet, counted from its base address. Throws RangeError when that is not a host's address in it. */
export function nthAddress(subnet: string, n: number): string {
  const { base, bits } = parse(subnet);
  if (n < 1 || n >= 2 ** (32 - bits) - 1) throw new RangeError(`Cannot take address ${n} of ${subnet}: it is too small`);
  return format(base + n);
}

/** The upper half of a subnet: from it the engine gives addresses, so that the lower half stays free for pinned ones. */
export function dynamicRange(subnet: string): string {
  const { base, bits } = parse(subnet);
  if (bits > 28) throw new RangeError(`Cannot use subnet ${subnet}: Pods need /28 or larger`);
  return `${format(base + 2 ** (31 - bits))}/${bits + 1}`;
}

function parse(subnet: string): { base: number; bits: number } {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(subnet);
  const [a, b, c, d, bits] = match === null ? [] : match.slice(1).map(Number);
  if (a === undefined || b === undefined || c === undefined || d === undefined || bits === undefined || bits > 32 || [a, b, c, d].some((octet) => octet > 255)) {
    throw new SyntaxError(`Cannot parse "${subnet}": must be an IPv4 subnet such as 172.18.0.0/16`);
  }
  const size = 2 ** (32 - bits);
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  return { base: address - (address % size), bits };
}

function format(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
