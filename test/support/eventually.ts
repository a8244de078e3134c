/**
 * Asks again until `probe` neither throws nor returns false or undefined, then gives its value. Fails with the last reason when the
 * deadline has passed. For conditions of real systems, instead of sleeping and hoping. The deadline is far beyond what a slow machine needs: it
 * ends a test that hangs, and says nothing of speed.
 */
export async function eventually<T>(probe: () => T | Promise<T>, options: { readonly timeoutMs?: number; readonly intervalMs?: number; readonly what?: string } = {}): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + (options.timeoutMs ?? 60_000);
  let last: unknown;
  while (true) {
    try {
      const value = await probe();
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
      last = new Error(`still ${String(value)}`);
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new Error(`Not within ${options.timeoutMs ?? 60_000} ms: ${options.what ?? "the condition"}: ${last instanceof Error ? last.message : String(last)}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, options.intervalMs ?? 25));
  }
}
