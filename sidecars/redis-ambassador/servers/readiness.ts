// pure
import type { RedisNode, Shard } from "./node.ts";

/** A sentence for the operator may name so many servers. */
const reasonsMax = 4;

/** Why commands cannot be served at present, with place and remedy; undefined when they can. */
export function whyNotReady(o: {
  readonly shards: readonly Shard[];
  readonly tableKnown: boolean;
  /** Why it is not known which servers there are. */
  readonly sourceProblem: string | undefined;
  readonly troubleOf: (node: RedisNode) => string | undefined;
}): string | undefined {
  const lacking = o.shards.filter((shard) => shard.primary === undefined);
  const [shard] = lacking;
  if (shard === undefined) return o.tableKnown ? undefined : "the command table is not loaded yet";
  const which = o.shards.length > 1 ? `no primary is known for ${lacking.length} of ${o.shards.length} shards` : "no primary is known";
  if (shard.nodes.length === 0) return `${which}: ${o.sourceProblem ?? "the servers have not told yet which there are"}`;
  const reasons = shard.nodes.map((node) => o.troubleOf(node) ?? state(node));
  const shown = reasons.slice(0, reasonsMax), more = reasons.length - shown.length;
  const advice = shard.nodes.every((node) => node.facts?.role === "replica") ? "; name the primary too in upstream.nodes, or set upstream.discover to true" : "";
  const source = o.sourceProblem === undefined ? "" : `; ${o.sourceProblem}`;
  return `${which}: ${shown.join("; ")}${more > 0 ? `; and ${more} more` : ""}${advice}${source}`;
}

function state(node: RedisNode): string {
  if (node.facts === undefined) return `server ${node.address} has not answered yet`;
  if (node.facts.role === "replica") return `server ${node.address} is a replica`;
  if (node.facts.loading) return `server ${node.address} is loading its dataset`;
  if (node.shard.deposed.includes(node.address)) return `server ${node.address} was replaced, by the word of the sentinels`;
  return `server ${node.address} has failed and is being asked again`;
}
