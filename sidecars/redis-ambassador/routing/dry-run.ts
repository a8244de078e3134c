// pure

/** Counts where reads would have gone, by command and server, while everything goes to the primary. */
export class DryRun {
  readonly #counts = new Map<string, Map<string, number>>();

  /** `address` undefined: the primary. Command names are those of the server's table, so their number is bounded. */
  note(command: string, address: string | undefined): void {
    let byNode = this.#counts.get(command);
    if (byNode === undefined) this.#counts.set(command, (byNode = new Map<string, number>()));
    const name = address ?? "primary";
    byNode.set(name, (byNode.get(name) ?? 0) + 1);
  }

  /** `{ get: { "redis-1:6379": 12, primary: 3 } }` */
  toJSON(): Record<string, Record<string, number>> {
    return Object.fromEntries([...this.#counts].map(([command, byNode]) => [command, Object.fromEntries(byNode)]));
  }

  /** Sums by server. */
  byNode(): ReadonlyMap<string, number> {
    const sums = new Map<string, number>();
    for (const byNode of this.#counts.values()) for (const [name, count] of byNode) sums.set(name, (sums.get(name) ?? 0) + count);
    return sums;
  }
}
