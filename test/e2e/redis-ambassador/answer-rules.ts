// pure
// How an answer is compared where it cannot be the same byte for byte on two servers. Everything not named here is.
import { decodeResp, type RespValue } from "../../support/resp.ts";

/**
 * - `exact`      every byte
 * - `unordered`  the elements of every aggregate in any order: hash tables are seeded at random
 * - `types`      the types of all values, not what they hold: clocks, counters, random picks
 * - `kind`       the type of the whole answer: reports whose very fields differ between two servers
 */
export type Rule = "exact" | "unordered" | "types" | "kind";

/** By command; where the answer is an error, it is compared exactly all the same. */
export const rules: Readonly<Record<string, Rule>> = {
  // Hash tables are walked in an order that each server draws for itself.
  "keys": "unordered", "scan": "kind", "zscan": "kind", "sscan": "kind", "command": "unordered", "command|info": "unordered", "command|docs": "unordered", "command|list": "unordered", "acl|cat": "unordered", "config|get": "unordered", "pubsub|channels": "unordered",
  "acl|getuser": "unordered", "acl|list": "unordered", "acl|users": "unordered", "smembers": "unordered", "sunion": "unordered", "sdiff": "unordered", "sinter": "unordered", "hgetall": "unordered", "function|list": "unordered", "module|list": "unordered",
  // Random picks.
  "randomkey": "kind", "srandmember": "kind", "spop": "kind", "hrandfield": "kind", "zrandmember": "kind", "vrandmember": "kind", "lolwut": "kind", "acl|genpass": "kind",
  // Clocks: times of the day, ages, times left.
  "time": "types", "lastsave": "types", "xadd": "types", "pttl": "types", "httl": "types", "hpttl": "types", "xpending": "types", "xinfo|consumers": "types", "xinfo|stream": "types", "object|idletime": "types",
  // About one process, its memory and its connections.
  "info": "kind", "role": "kind", "client|id": "types", "client|info": "kind", "client|list": "kind", "slowlog|get": "kind", "slowlog|len": "types", "latency|histogram": "kind", "latency|doctor": "kind", "latency|graph": "kind", "latency|latest": "kind", "latency|history": "kind", "latency|reset": "types",
  "memory|stats": "kind", "memory|doctor": "kind", "memory|malloc-stats": "kind", "memory|usage": "types", "acl|log": "kind", "commandlog|get": "kind", "commandlog|len": "types",
  "bgsave": "kind", "bgrewriteaof": "kind", "function|stats": "kind", "object|freq": "types",
  // Two replicas stand behind the one and none behind the other.
  "wait": "types", "waitaof": "types",
};

/** What differs between any two connections: their number. */
const maskId = (frame: string): string => frame.replace(/(\$2\r\nid\r\n:)\d+/, "$1ID");

function ordered(value: RespValue): string {
  const items = value.items.map(ordered);
  return `${value.type}${value.isNull ? "null" : value.text}[${items.toSorted().join()}]`;
}
function types(value: RespValue): string {
  return `${value.type}${value.isNull ? "null" : ""}[${value.items.map(types).join()}]`;
}

/** What of one whole reply is compared under a rule. */
export function comparable(frame: string, rule: Rule): string {
  if (rule === "exact" || frame.startsWith("-") || !"+:$*_#,(!=%~>|".includes(frame.charAt(0))) return maskId(frame);
  const value = decodeResp(frame)?.value;
  if (value === undefined) return frame;
  if (rule === "unordered") return ordered(value);
  return rule === "types" ? types(value) : `${value.type}${value.isNull ? "null" : ""}`;
}
