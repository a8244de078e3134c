// pure
/** 4, 6 or 0, as node:net's isIP, which a pure file may not import. IPv4 parts with leading zeros are refused, as Kubernetes does. */
export function isIP(text: string): 0 | 4 | 6 {
  if (isIPv4(text)) return 4;
  return isIPv6(text) ? 6 : 0;
}

function isIPv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIPv6(text: string): boolean {
  if (text.length > 45) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.map((half, index) => countGroups(half, index === halves.length - 1));
  const [first, second] = groups;
  if (first === undefined || groups.some((count) => count < 0)) return false;
  return second === undefined ? first === 8 : first + second <= 7;
}

/** The number of 16-bit groups in one half, or -1. Only the last half may end in dotted IPv4. */
function countGroups(half: string, isLast: boolean): number {
  if (half === "") return 0;
  const parts = half.split(":");
  let count = 0;
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) count += 1;
    else if (isLast && index === parts.length - 1 && isIPv4(part)) count += 2;
    else return -1;
  }
  return count;
}
