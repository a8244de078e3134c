// pure
/** A duration in whole seconds as Go prints it: 10s, 1m20s, 5m0s. Used in messages that people know from the kubelet. */
export function goDuration(durationMs: number): string {
  const total = Math.round(durationMs / 1000);
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const seconds = total % 60;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

/** A fraction of a second up to minutes, to the millisecond, as Go prints it: 734ms, 1.204s. */
export function goElapsed(durationMs: number): string {
  const ms = Math.round(durationMs);
  return ms < 1000 ? `${ms}ms` : `${(ms / 1000).toFixed(3).replace(/\.?0+$/, "")}s`;
}
