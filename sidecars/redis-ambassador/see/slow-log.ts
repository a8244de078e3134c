// pure

/** A run of commands that took long, as the ambassador saw it. Names the first command and its first key, never a value. */
export type SlowEntry = {
  readonly id: number;
  /** Wall-clock time at which the last reply was there. */
  readonly atMs: number;
  readonly durationMicros: number;
  readonly command: string;
  readonly key: string | undefined;
  /** How many commands went and came back together. */
  readonly commands: number;
  readonly node: string;
  readonly client: string;
};

/** The latest slow runs, a bounded number of them. */
export class SlowLog {
  readonly #entries: SlowEntry[] = [];
  #added = 0;
  capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** How many there have been, those that are forgotten included. */
  get total(): number {
    return this.#added;
  }

  add(entry: Omit<SlowEntry, "id">): void {
    this.#entries.push({ id: this.#added, ...entry });
    this.#added += 1;
    if (this.#entries.length > this.capacity) this.#entries.splice(0, this.#entries.length - this.capacity);
  }

  /** The newest first. */
  list(): SlowEntry[] {
    return this.#entries.toReversed();
  }
}
