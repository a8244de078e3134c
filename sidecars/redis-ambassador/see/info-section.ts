// pure
import type { HotKey } from "./hot-keys.ts";
import type { RedisNode, Shard } from "../servers/node.ts";

export type InfoFacts = {
  readonly version: string;
  readonly mode: string;
  readonly consistency: string;
  readonly policy: string;
  readonly clients: number;
  readonly dedicatedConnections: number;
  readonly shards: readonly Shard[];
  readonly counts: Readonly<Record<string, number>>;
  readonly hotKeys: readonly HotKey[];
};

/** Whether INFO with these sections (lower case) is to have the ambassador's. */
export function wantsAmbassadorSection(sections: readonly string[]): boolean {
  return sections.length === 0 || sections.some((section) => section === "default" || section === "all" || section === "everything" || section === "ambassador");
}

/** The section `# Ambassador` in the form of the server's INFO. */
export function ambassadorSection(facts: InfoFacts): string {
  const { shards } = facts;
  const lines = [
    "# Ambassador", `ambassador_version:${facts.version}`, `mode:${facts.mode}`, `consistency:${facts.consistency}`, `read_policy:${facts.policy}`,
    `clients:${facts.clients}`, `dedicated_connections:${facts.dedicatedConnections}`, ...(shards.length > 1 ? [`shards:${shards.length}`] : []),
    ...shards.flatMap((shard, index) => shard.nodes.map((node, at) => `node${shards.length > 1 ? `${index}_` : ""}${at}:${nodeLine(node)}`)),
    ...Object.entries(facts.counts).map(([name, count]) => `${name}:${count}`),
    ...facts.hotKeys.slice(0, 10).map(({ key, perSecond }, index) => `hot_key${index}:per_second=${Math.round(perSecond)},key=${key}`),
  ];
  return `${lines.join("\r\n")}\r\n`;
}

function nodeLine(node: RedisNode): string {
  const { shard, facts } = node, isPrimary = node === shard.primary;
  const lag = node.lagBytes === undefined ? "" : `,lag_bytes=${node.lagBytes}`;
  const state = isPrimary ? "written" : node.notEligible === undefined ? "read" : `unused (${node.notEligible})`;
  const p99 = node.latency.quantileMs(0.99);
  return `address=${node.address},role=${facts?.role ?? "unknown"},state=${state}${lag},p99_ms=${p99 ?? 0},reads=${node.counts.read},writes=${node.counts.write}`;
}
