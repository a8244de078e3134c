// pure
import type { Outcome } from "./resend.ts";

/** Requests or ready replies that still have to be dealt with. `at` is where the first request not dealt with begins. */
export type RequestItem = {
  readonly kind: "requests";
  bytes: Buffer;
  at: number;
  /** The bytes are a buffer that is read into again: who wants to keep them calls `own` first. */
  borrowed: boolean;
};
export type InboxItem = RequestItem | { readonly kind: "reply"; readonly bytes: Buffer; readonly thenClose: boolean };

/** What one client has sent and what has to be said to it, in order. */
export class Inbox {
  #items: InboxItem[] = [];

  get first(): InboxItem | undefined {
    return this.#items[0];
  }
  get empty(): boolean {
    return this.#items.length === 0;
  }
  /** Bytes of requests not dealt with yet. */
  get waitingBytes(): number {
    let bytes = 0;
    for (const item of this.#items) bytes += item.kind === "requests" ? item.bytes.length - item.at : 0;
    return bytes;
  }

  add(bytes: Buffer, borrowed: boolean): void {
    if (bytes.length > 0) this.#items.push({ kind: "requests", bytes, at: 0, borrowed });
  }

  /** Makes the item's bytes its own; offsets into them stay what they are. */
  own(item: RequestItem): void {
    if (!item.borrowed) return;
    item.bytes = Buffer.from(item.bytes);
    item.borrowed = false;
  }

  /** To be called before the borrowed bytes go: those that are still needed are copied. */
  ownAll(): void {
    for (const item of this.#items) {
      if (item.kind !== "requests" || !item.borrowed) continue;
      item.bytes = Buffer.from(item.bytes.subarray(item.at));
      item.at = 0;
      item.borrowed = false;
    }
  }

  /** These requests come before everything else. */
  addFirst(bytes: Buffer): void {
    this.#items.unshift({ kind: "requests", bytes, at: 0, borrowed: false });
  }

  /** A reply that is due before everything else, once nothing is unanswered. */
  replyFirst(bytes: Buffer): void {
    this.#items.unshift({ kind: "reply", bytes, thenClose: false });
  }

  /** The last reply of all; what else is there is forgotten. */
  replyAndClose(bytes: Buffer): void {
    this.#items = [{ kind: "reply", bytes, thenClose: true }];
  }

  putBack(outcomes: readonly Outcome[]): void {
    this.#items.unshift(...outcomes.map((outcome): InboxItem => (outcome.kind === "again" ? { kind: "requests", bytes: outcome.request, at: 0, borrowed: false } : { kind: "reply", bytes: outcome.reply, thenClose: outcome.thenClose })));
  }

  shift(): void {
    this.#items.shift();
  }

  /** The item is dealt with up to `at`; it goes when nothing is left of it. */
  advance(item: RequestItem, at: number): void {
    item.at = at;
    if (at === item.bytes.length && this.#items[0] === item) this.#items.shift();
  }

  /** Puts `rest`, the beginning of a request, together with the requests that follow it. False when none do. */
  joinWithFollowing(rest: Buffer): boolean {
    const following = this.#items[0];
    if (following?.kind !== "requests") return false;
    this.#items[0] = { kind: "requests", bytes: Buffer.concat([rest, following.bytes.subarray(following.at)]), at: 0, borrowed: false };
    return true;
  }

  clear(): void {
    this.#items = [];
  }
}
