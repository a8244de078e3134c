import type { Hub } from "../hub.ts";
import type { RoutedClient } from "../routing/router.ts";
import type { RedisNode, Shard } from "../servers/node.ts";
import type { Look } from "./offload.ts";

/** What is done with a request instead of passing it on as it is. */
export type CloserLook =
  /** This request is taken in its place. */
  | { readonly kind: "replaced"; readonly request: Buffer }
  /** This replica is asked in this form. Any error in its answer means that the original is to be asked of the primary. */
  | { readonly kind: "offloaded"; readonly node: RedisNode; readonly request: Buffer };

/**
 * Looks at the request in the hub's scanner, which belongs to `shard`: one that only reads is taken to a replica, in the form
 * that a replica accepts; the primary is given a script that it has lost. Undefined: nothing special is to be done.
 */
export function lookCloser(hub: Hub, client: RoutedClient, look: Look, shard: Shard, bytes: Buffer): CloserLook | undefined {
  const { scanner } = hub;
  const rewritten = hub.rewriter.look(look, { bytes, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd }, shard.primary);
  if (rewritten === undefined || rewritten.kind === "replaced") return rewritten;
  const node = hub.settings.offload ? hub.router.nodeForReadForm(client, shard, rewritten.keyIndex, bytes) : undefined;
  return node === undefined ? undefined : { kind: "offloaded", node, request: rewritten.requestFor(node) };
}
