// pure
import { parseAddress } from "../../../kit/config/units.ts";
import type { Address } from "../servers/membership.ts";

/** What a cluster's node answers instead of executing a request. None of these reaches a client as it stands. */
export const clusterRefusals: ReadonlySet<string> = new Set(["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"]);

/** `-MOVED 3999 127.0.0.1:6381` or `-ASK …`; the host is empty when it is the one that answered. */
export type Redirection = { readonly kind: "moved" | "ask"; readonly slot: number; readonly to: Address };

/** Reads an error reply; undefined when it is no redirection. */
export function readRedirection(reply: Uint8Array): Redirection | undefined {
  const [word, slot = "", place = ""] = Buffer.from(reply.buffer, reply.byteOffset, Math.min(reply.byteLength, 512)).toString("latin1").trim().split(" ");
  if (word !== "-MOVED" && word !== "-ASK") return undefined;
  // An IPv6 address comes without brackets: what follows the last colon is the port.
  const colon = place.lastIndexOf(":"), host = place.slice(0, colon), port = Number(place.slice(colon + 1));
  if (colon < 0 || !/^\d+$/.test(slot) || Number(slot) > 16_383 || !(port > 0 && port < 65_536)) return undefined;
  const to = host === "" || host === "?" ? { host: "", port } : (parseAddress(place) ?? { host, port });
  return { kind: word === "-ASK" ? "ask" : "moved", slot: Number(slot), to };
}
