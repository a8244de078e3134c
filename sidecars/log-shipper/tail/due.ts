// pure
/** When something is to be done with a followed file, in monotonic milliseconds. */
type Timing = { readonly lastGrowthMs: number; /** Since when no path leads to the content. */ readonly rotatedAtMs: number | undefined };
type Policy = { /** Nobody writes any more. */ readonly finishing: boolean; readonly rotateWaitMs: number; readonly deleteAfterMs: number | undefined };

/** A file that grew within this time is looked at often, because wake-ups are throttled. */
const hotMs = 1_000;
const hotEveryMs = 15;

export function isHot({ lastGrowthMs }: Pick<Timing, "lastGrowthMs">, nowMs: number): boolean {
  return nowMs - lastGrowthMs < hotMs;
}

/** When a rotated file counts as written to its end; Infinity for one that has its name. */
export function overAtMs({ lastGrowthMs, rotatedAtMs }: Timing, { rotateWaitMs }: Pick<Policy, "rotateWaitMs">): number {
  return rotatedAtMs === undefined ? Infinity : Math.max(rotatedAtMs, lastGrowthMs) + rotateWaitMs;
}

/** Whether nothing is expected to be written any more. */
export function isOver(file: Timing, nowMs: number, policy: Policy): boolean {
  return policy.finishing || nowMs >= overAtMs(file, policy);
}

/** Whether an unterminated last line is to be taken as a line. */
export function isFinal(file: Timing, nowMs: number, policy: Policy): boolean {
  return isOver(file, nowMs, policy) || (policy.deleteAfterMs !== undefined && nowMs - file.lastGrowthMs >= policy.deleteAfterMs);
}

/** When a file of which nothing is to be read now is looked at again; Infinity when only a wake-up can tell. `flushAtMs` is when held lines are let go. */
export function restUntilMs(file: Timing & { readonly flushAtMs: number | undefined; readonly offset: number; readonly size: number }, nowMs: number, policy: Policy): number {
  const { deleteAfterMs } = policy;
  return Math.min(
    file.flushAtMs ?? Infinity,
    isHot(file, nowMs) ? nowMs + hotEveryMs : Infinity,
    overAtMs(file, policy),
    deleteAfterMs !== undefined && file.offset < file.size ? file.lastGrowthMs + deleteAfterMs : Infinity,
  );
}
