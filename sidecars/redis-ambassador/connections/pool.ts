import type { ConnectionOptions } from "node:tls";
import type { Clock } from "../../../kit/clock.ts";
import { leaseKey, openingRequests, shareKey, stateRequests } from "./connection-state.ts";
import type { ConnectionState, Credentials } from "./connection-state.ts";
import { encodeRequest } from "../protocol/inline.ts";
import type { RedisNode } from "../servers/node.ts";
import { collector } from "./collector.ts";
import { Upstream } from "./upstream.ts";

export type PoolSettings = {
  readonly credentials: Credentials | undefined;
  readonly tls: ConnectionOptions | undefined;
  readonly connectTimeoutMs: number;
  readonly leasesMax: number;
  /** Runs of commands that take longer are told to their clients; Infinity: none are. */
  readonly slowMs: number;
  /** The servers are a cluster's, where a replica answers reads only on connections that have said READONLY. */
  readonly clustered?: boolean;
};

export type PoolOptions = {
  readonly settings: PoolSettings;
  readonly clock: Clock;
  /** A shared connection was lost or could not be made. */
  readonly onSharedLost: (node: RedisNode, reason: string) => void;
  /** A shared connection is gone for whatever reason: with none left, nobody would notice that the server starts anew. */
  readonly onSharedClosed: (node: RedisNode) => void;
};

/** So many shared connections with the same state may a node have, when big replies keep the others busy. */
const siblingsMax = 4;
/** It changes nothing for a primary, and a connection may outlive its server's role. */
const readOnlyRequest = { bytes: encodeRequest(["READONLY"]), optional: true };
const idlePerKeyMax = 16, idleLeaseMs = 30_000, idleSharedMs = 60_000;
type Idle = { readonly upstream: Upstream; readonly sinceMs: number };

/**
 * The connections to the servers. Shared ones: one per (node, db, protocol, user), for requests with exactly one reply and
 * no effect on the connection. Leased ones: for one client at a time, kept for reuse when they are given back clean.
 */
export class Pool {
  readonly #options: PoolOptions;
  #settings: PoolSettings;
  readonly #watch: { slowMs: number };
  /** By node, then by what the connection is; several where big replies keep some busy. */
  readonly #shared = new Map<RedisNode, Map<string, Upstream[]>>();
  /** Connections that finish what they have in hand and then end. */
  readonly #retiring = new Set<Upstream>();
  readonly #idle = new Map<string, Idle[]>();
  readonly #leased = new Set<Upstream>();
  /** (node, user) pairs that the server refused, until when: such a replica is not eligible for that user. */
  readonly #refused = new Map<string, number>();

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#watch = { slowMs: options.settings.slowMs };
  }

  get leases(): number {
    return this.#leased.size;
  }

  /** Whether `node` has lately refused this user. */
  refuses(node: RedisNode, state: ConnectionState): boolean {
    if (this.#refused.size === 0) return false;
    const key = `${node.address} ${leaseKey(state)}`, until = this.#refused.get(key);
    if (until === undefined) return false;
    if (until > this.#options.clock.monotonicMs()) return true;
    this.#refused.delete(key);
    return false;
  }

  shared(node: RedisNode, state: ConnectionState, key = shareKey(state)): Upstream {
    const known = this.#shared.get(node)?.get(key);
    const first = known?.[0];
    if (known === undefined || first === undefined) return this.#connectShared(node, state, key);
    if (!first.bigReply) return first;
    const free = known.find((upstream) => !upstream.bigReply);
    return free ?? (known.length < siblingsMax ? this.#connectShared(node, state, key) : first);
  }

  /** A shared connection on which only big requests travel, so that small ones never wait behind them. */
  bulk(node: RedisNode, state: ConnectionState, key = shareKey(state)): Upstream {
    const bulkKey = `${key} bulk`;
    return this.#shared.get(node)?.get(bulkKey)?.[0] ?? this.#connectShared(node, state, bulkKey, true);
  }

  #connectShared(node: RedisNode, state: ConnectionState, key: string, bulk = false): Upstream {
    const upstream = this.#connect(node, { ...state, name: "podkit-ambassador", libName: "", libVersion: "" }, { learnId: false, bulk }, (reason) => {
      this.#options.onSharedClosed(node);
      if (this.#retiring.delete(upstream) || !this.#dropShared(upstream, key)) return;
      if (reason.includes(" refused the connection: ")) this.#refused.set(`${node.address} ${leaseKey(state)}`, this.#options.clock.monotonicMs() + 10_000);
      this.#options.onSharedLost(node, reason);
    });
    let byKey = this.#shared.get(node);
    if (byKey === undefined) this.#shared.set(node, (byKey = new Map<string, Upstream[]>()));
    byKey.set(key, [...(byKey.get(key) ?? []), upstream]);
    return upstream;
  }

  /** Takes a shared connection out, so that nothing new is sent over it. False: it was out already. */
  #dropShared(upstream: Upstream, key?: string): boolean {
    const byKey = this.#shared.get(upstream.node);
    if (byKey === undefined) return false;
    for (const [each, list] of byKey) {
      if ((key !== undefined && each !== key) || !list.includes(upstream)) continue;
      const rest = list.filter((other) => other !== upstream);
      if (rest.length > 0) byKey.set(each, rest);
      else byKey.delete(each);
      if (byKey.size === 0) this.#shared.delete(upstream.node);
      return true;
    }
    return false;
  }

  /** Nothing new is sent over a shared connection; what is in hand there is finished. */
  detach(upstream: Upstream): void {
    if (!this.#dropShared(upstream)) return;
    upstream.outdated = true;
    this.#retiring.add(upstream);
  }

  #allShared(): Upstream[] {
    return [...this.#shared.values()].flatMap((byKey) => [...byKey.values()].flat());
  }

  /** Every shared connection to a node at present. */
  sharedWith(node: RedisNode): Upstream[] {
    return [...(this.#shared.get(node)?.values() ?? [])].flat();
  }

  /** Takes effect with new connections; with `renew` those that stand are replaced, each when it has nothing in hand. */
  reconfigure(settings: PoolSettings, renew: boolean): void {
    this.#settings = settings;
    this.#watch.slowMs = settings.slowMs;
    if (!renew) return;
    this.#refused.clear();
    for (const upstream of this.#allShared()) this.#retire(upstream);
    for (const list of this.#idle.values()) for (const { upstream } of list) upstream.close("it is replaced by one with the new settings");
    this.#idle.clear();
    for (const upstream of this.#leased) upstream.outdated = true;
  }

  /** Sends nothing new to a node; what is in hand there is finished. */
  retireNode(node: RedisNode): void {
    for (const upstream of this.sharedWith(node)) this.#retire(upstream);
    for (const upstream of this.#leased) if (upstream.node === node) upstream.outdated = true;
  }

  #retire(upstream: Upstream): void {
    this.#dropShared(upstream);
    upstream.outdated = true;
    if (upstream.outstandingRuns === 0) upstream.close("not needed any more");
    else this.#retiring.add(upstream);
  }

  /**
   * A connection for one client alone, in that client's state. `onLease` is called once, later or at once, with the
   * connection or with the reason why there is none.
   */
  lease(node: RedisNode, state: ConnectionState, onLease: (upstream: Upstream | undefined, reason: string) => void): void {
    const idle = this.#idle.get(`${node.address} ${leaseKey(state)}`);
    for (let kept = idle?.pop(); kept !== undefined; kept = idle?.pop()) {
      if (kept.upstream.closedBecause !== undefined) continue;
      this.#leased.add(kept.upstream);
      this.#bring(kept.upstream, stateRequests(kept.upstream.state, state), state, onLease);
      return;
    }
    if (this.#leased.size >= this.#settings.leasesMax) {
      onLease(undefined, `all ${this.#settings.leasesMax} dedicated connections are in use (limits.dedicatedConnections)`);
      return;
    }
    const upstream = this.#connect(node, state, { learnId: true, bulk: false }, () => this.#leased.delete(upstream));
    this.#leased.add(upstream);
    // Anything asked waits for the opening requests; so one cheap question tells that the connection stands.
    this.#bring(upstream, [], state, onLease);
  }

  #bring(upstream: Upstream, requests: readonly { readonly bytes: Buffer; readonly optional: boolean }[], state: ConnectionState, onLease: (upstream: Upstream | undefined, reason: string) => void): void {
    if (requests.length === 0) {
      upstream.state = state;
      onLease(upstream, "");
      return;
    }
    const owner = collector(requests.length, (replies) => {
      const refused = replies.findIndex((reply, index) => reply[0] === 45 && requests[index]?.optional !== true);
      if (refused >= 0) {
        upstream.close("its state could not be restored");
        onLease(undefined, `${upstream.node.address} refused to restore the connection's state: ${replies[refused]?.toString("latin1").trim() ?? ""}`);
        return;
      }
      upstream.state = state;
      onLease(upstream, "");
    }, (reason) => onLease(undefined, reason));
    for (const request of requests) upstream.send(owner, request.bytes, 0, request.bytes.length, 1, undefined);
  }

  /** Gives a leased connection back. It must have no unanswered request and no state beyond `upstream.state`. */
  release(upstream: Upstream): void {
    this.#leased.delete(upstream);
    upstream.pushesTo = undefined;
    upstream.patient = false;
    if (upstream.closedBecause !== undefined) return;
    const key = `${upstream.node.address} ${leaseKey(upstream.state)}`;
    const idle = this.#idle.get(key) ?? [];
    if (upstream.raw || upstream.outdated || upstream.outstandingRuns > 0 || idle.length >= idlePerKeyMax) {
      upstream.close("not needed any more");
      return;
    }
    idle.push({ upstream, sinceMs: this.#options.clock.monotonicMs() });
    this.#idle.set(key, idle);
  }

  /** This process has not run for so long until now: no connection was still for that time, as far as anybody can tell. */
  excuse(lateMs: number, nowMs: number): void {
    for (const upstream of [...this.#allShared(), ...this.#leased, ...this.#retiring]) upstream.lastProgressMs = Math.min(nowMs, upstream.lastProgressMs + lateMs);
  }

  /** Closes what has been idle for long, and connections on which nothing has moved for too long. */
  sweep(nowMs: number, stuckAfterMs: (node: RedisNode) => number): void {
    for (const upstream of [...this.#allShared(), ...this.#leased, ...this.#retiring]) {
      const stillMs = nowMs - upstream.lastProgressMs;
      if (upstream.outstandingRuns > 0) {
        if (!upstream.patient && !upstream.paused && upstream.ready && stillMs > stuckAfterMs(upstream.node)) upstream.close(`${upstream.node.address} has not answered for ${Math.round(stillMs)} ms`);
      } else if (this.#retiring.delete(upstream)) {
        upstream.close("not needed any more");
      } else if (upstream.ready && !this.#leased.has(upstream) && stillMs > idleSharedMs) {
        this.#retire(upstream);
      }
    }
    for (const [key, list] of this.#idle) {
      const stay = list.filter(({ upstream, sinceMs }) => {
        if (nowMs - sinceMs <= idleLeaseMs && upstream.closedBecause === undefined) return true;
        upstream.close("idle");
        return false;
      });
      if (stay.length === 0) this.#idle.delete(key);
      else this.#idle.set(key, stay);
    }
  }

  /** Ends every connection to a node, e.g. because it is the primary no longer. */
  closeNode(node: RedisNode, reason: string): void {
    for (const upstream of this.#all()) if (upstream.node === node) upstream.close(reason);
  }

  closeAll(): void {
    for (const upstream of this.#all()) upstream.close("the ambassador is ending");
  }

  #all(): Upstream[] {
    return [...this.#allShared(), ...this.#retiring, ...this.#leased, ...[...this.#idle.values()].flatMap((list) => list.map(({ upstream }) => upstream))];
  }

  #connect(node: RedisNode, state: ConnectionState, kind: { readonly learnId: boolean; readonly bulk: boolean }, onClosed: (reason: string) => void): Upstream {
    return new Upstream({
      node, state, ...kind, watch: this.#watch, opening: [...openingRequests(state, this.#settings.credentials), ...(this.#settings.clustered === true ? [readOnlyRequest] : [])], connectTimeoutMs: this.#settings.connectTimeoutMs,
      tls: this.#settings.tls, monotonicMs: () => this.#options.clock.monotonicMs(), onClosed: (_upstream, reason) => onClosed(reason),
    });
  }
}
