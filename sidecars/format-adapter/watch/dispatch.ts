// pure

/** A job's place in the order: `wait` resolves when all before it have passed or ended, `pass` lets the next one go. */
export type Turn = { wait(): Promise<void>; pass(): void };

export type DispatchOptions<T> = {
  readonly concurrency: number;
  /** Whether `wait` waits; otherwise each job goes when it can. */
  readonly inOrder: boolean;
  /** Jobs of one key never run at the same time; the later begins when the earlier has ended. */
  readonly keyOf: (item: T) => string;
  /** Asked before each job; true ends the dispatch after what is running. */
  readonly isOver: () => boolean;
  readonly work: (item: T, turn: Turn) => Promise<void>;
};

/** Runs the jobs, begun in the order given, and resolves when all have ended. `work` must not reject. */
export async function dispatch<T>(items: readonly T[], options: DispatchOptions<T>): Promise<void> {
  const running = new Map<string, Promise<void>>();
  let before: Promise<void> = Promise.resolve();
  for (const item of items) {
    const key = options.keyOf(item);
    await running.get(key);
    while (running.size >= options.concurrency) await Promise.race(running.values());
    if (options.isOver()) break;
    const mine = before;
    const passed = Promise.withResolvers<void>();
    const job = options.work(item, { wait: () => (options.inOrder ? mine : Promise.resolve()), pass: passed.resolve }).finally(() => {
      running.delete(key);
      passed.resolve();
    });
    running.set(key, job);
    before = Promise.all([mine, passed.promise]).then(() => undefined);
  }
  await Promise.all(running.values());
}
