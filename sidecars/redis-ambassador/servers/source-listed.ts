import { listedMembers, type Address, type Membership, type MembershipSource } from "./membership.ts";

/** The servers are those that the configuration names. Names are resolved at each connection. */
export class ListedSource implements MembershipSource {
  readonly #addresses: readonly Address[];

  constructor(addresses: readonly Address[]) {
    this.#addresses = addresses;
  }

  async run(signal: AbortSignal, onMembership: (membership: Membership) => void): Promise<void> {
    onMembership(listedMembers(this.#addresses));
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  wake(): void {
    // A fixed list has nothing newer to tell.
  }
}
