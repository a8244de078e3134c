import { unknownPlan } from "../commands/classifier.ts";
import type { CommandPlan, PlanKind } from "../commands/command-plan.ts";
import { freshState } from "../connections/connection-state.ts";
import { printable } from "./hot-keys.ts";
import type { Hub } from "../hub.ts";
import { encodeRequest } from "../protocol/inline.ts";
import { visitKeys } from "../commands/key-positions.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import { scanned } from "../protocol/request-scanner.ts";
import type { RoutedClient } from "../routing/router.ts";

/** Where a command would go, asked alone on a connection that has sent nothing else, and why. */
export type Explanation = {
  readonly command: string;
  readonly kind: PlanKind | "unknown";
  /** What that kind means for the command. */
  readonly meaning: string;
  readonly keys: readonly string[];
  readonly consistency: string;
  readonly policy: string;
  /** Cluster: the shard's first node. */
  readonly shard: string | undefined;
  /** Where it goes now: one server, several of which one is next, or the ambassador itself. */
  readonly goesTo: string;
  readonly because: string;
  readonly servers: readonly { readonly address: string; readonly role: string; readonly mayAnswer: boolean; readonly why: string }[];
};

const meanings: Readonly<Record<PlanKind, string>> = {
  read: "the server flags it readonly: a replica may answer it",
  write: "it may change keys: the primary executes it, and its keys count as written",
  other: "it is about one server, or changes no key but is not flagged readonly: the primary answers it",
  blocking: "it may wait on the server: the primary, over a connection of the client's own for its time",
  wait: "it proves that replicas have this client's writes: the primary, over a connection of the client's own for its time",
  state: "it changes the connection (database, user, protocol, name): asked of the primary, then remembered",
  ask: "it is about connections or the server itself: asked of the primary over a connection in the client's state",
  transaction: "it begins a transaction: the primary, over a connection of the client's own until EXEC, DISCARD or UNWATCH",
  pin: "it sets something on the server connection: the client gets a primary connection of its own from then on",
  opaque: "its replies cannot be counted (subscriptions, MONITOR, CLIENT REPLY): the client gets a primary connection of its own from then on",
  reload: "it changes limits or commands of the server: asked of the primary, then read anew",
  local: "the ambassador answers it",
  refused: "the ambassador does not carry it",
  goodbye: "it is no Redis command but an HTTP request: the connection is closed",
};

/** Explains one command. Undefined while the command table is not known. */
export function explain(hub: Hub, words: readonly string[]): Explanation | undefined {
  if (!hub.tableKnown) return undefined;
  const { scanner, router } = hub, bytes = encodeRequest(words);
  if (words.length === 0 || scanner.scan(bytes, 0, bytes.length) !== scanned.complete) return undefined;
  const plan = hub.planOf(scanner, bytes), args = { bytes, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd };
  const keys: string[] = [];
  for (const spec of plan.keys) visitKeys(spec, args, (index) => keys.push(printable(bytes, args.argStart[index] ?? 0, args.argEnd[index] ?? 0)));
  const shard = router.placeOf(plan, bytes), home = shard ?? router.shardOf(plan, bytes);
  const form = plan.look === undefined || !hub.settings.offload ? undefined : hub.rewriter.peek(plan.look, args, home.primary);
  if (keys.length === 0 && form?.keyIndex !== undefined) keys.push(printable(bytes, args.argStart[form.keyIndex] ?? 0, args.argEnd[form.keyIndex] ?? 0));
  const asRead = plan.kind === "read" || form !== undefined;
  const common = {
    command: plan === unknownPlan ? (words[0] ?? "").toLowerCase() : plan.name.replace("|", " "), kind: plan === unknownPlan ? "unknown" as const : plan.kind,
    meaning: plan === unknownPlan ? "the server's table does not have it: the primary is asked, and any key counts as written" : form === undefined ? meanings[plan.kind] : "in this form it only reads: a replica may answer it (reads.offload)",
    keys, consistency: hub.settings.consistency, policy: hub.settings.policy, shard: hub.topology.clustered ? home.nodes[0]?.address : undefined,
  };
  if (!asRead) return { ...common, servers: [], ...withoutReading(hub, plan, home, shard === undefined) };
  const stranger: RoutedClient = { state: freshState, primaryOnly: false, unansweredAt: undefined, lastWrites: undefined, readsAt: undefined, noteWrite: () => undefined, noteRead: () => undefined };
  const whyNot = (node: RedisNode): string | undefined => router.whyNotRead(stranger, plan, form === undefined ? "plan" : form.keyIndex, bytes, node);
  return { ...common, servers: home.nodes.map((node) => describe(node, whyNot)), ...forReading(hub, home, whyNot) };
}

function withoutReading(hub: Hub, plan: CommandPlan, shard: Shard, spread: boolean): Pick<Explanation, "goesTo" | "because"> {
  if (plan.kind === "local" || plan.kind === "refused" || plan.kind === "goodbye") return { goesTo: "the ambassador", because: meanings[plan.kind] };
  if (spread && hub.topology.clustered) return { goesTo: "the primaries of all shards that it concerns", because: "it is about several shards, and its answers are combined" };
  return shard.primary === undefined ? { goesTo: "nowhere yet", because: "no primary is known: it waits up to failover.holdMs" } : { goesTo: shard.primary.address, because: "it is the primary" };
}

function forReading(hub: Hub, shard: Shard, whyNot: (node: RedisNode) => string | undefined): Pick<Explanation, "goesTo" | "because"> {
  const { policy } = hub.settings, primary = shard.primary?.address ?? "nowhere yet: no primary is known";
  if (hub.settings.dryRun) return { goesTo: primary, because: "reads.dryRun is on" };
  if (policy === "primary") return { goesTo: primary, because: "reads.policy is primary" };
  const able = shard.eligible.filter((node) => whyNot(node) === undefined);
  if (able.length === 0) {
    const why = shard.eligible.length === 0 ? "no replica may be read" : "no replica is proven to have the latest write of these keys";
    return policy === "replica" ? { goesTo: "nowhere yet", because: `${why}, and reads.policy is replica: it waits up to failover.holdMs` } : { goesTo: primary, because: why };
  }
  const node = hub.router.chooser.choose(shard, (each) => able.includes(each));
  return { goesTo: node?.address ?? primary, because: able.length === 1 ? `it is the only replica that may answer, by reads.policy ${policy}` : `it is next among ${able.length} replicas, by reads.policy ${policy}` };
}

function describe(node: RedisNode, whyNot: (node: RedisNode) => string | undefined): Explanation["servers"][number] {
  const isPrimary = node === node.shard.primary, why = isPrimary ? undefined : whyNot(node);
  return { address: node.address, role: isPrimary ? "primary" : "replica", mayAnswer: why === undefined, why: why ?? (isPrimary ? "it is the primary" : "in sync and proven") };
}

/** For people. */
export function formatExplanation(it: Explanation): string {
  const width = Math.max(0, ...it.servers.map(({ address }) => address.length));
  return [
    `${it.command}: ${it.kind}`, `  ${it.meaning}`, ...(it.keys.length === 0 ? [] : [`  keys: ${it.keys.join(", ")}`]), ...(it.shard === undefined ? [] : [`  shard: the one of ${it.shard}`]),
    `  consistency ${it.consistency}, policy ${it.policy}`, `goes to ${it.goesTo}`, `  because ${it.because}`,
    ...it.servers.map(({ address, role, mayAnswer, why }) => `  ${address.padEnd(width)}  ${role.padEnd(7)}  ${mayAnswer ? "may answer" : "may not   "}  ${why}`),
  ].join("\n");
}
