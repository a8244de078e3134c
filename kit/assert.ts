// pure
/** Throws when a fact that the surrounding code relies on does not hold. For defects of ours, never for bad input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Broken invariant: ${message}`);
}
