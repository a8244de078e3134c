// pure

/** Upper bounds of the buckets, in seconds. */
export const latencyBoundsSeconds: readonly number[] = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];
const boundsMicros = latencyBoundsSeconds.map((seconds) => Math.round(seconds * 1e6));

/** How long one server took for runs of commands, from sending to the last reply, counted by buckets. */
export class LatencyHistogram {
  /** Per bucket, the last one for what is above all bounds. */
  readonly counts = new Float64Array(boundsMicros.length + 1);
  sumSeconds = 0;
  total = 0;

  record(durationMicros: number): void {
    let index = 0;
    while (index < boundsMicros.length && durationMicros > (boundsMicros[index] ?? 0)) index += 1;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sumSeconds += durationMicros / 1e6;
    this.total += 1;
  }

  /** The upper bound of the bucket that holds the quantile, in milliseconds; undefined when nothing was recorded. */
  quantileMs(quantile: number): number | undefined {
    if (this.total === 0) return undefined;
    let left = Math.ceil(this.total * quantile);
    for (let index = 0; index < boundsMicros.length; index += 1) {
      left -= this.counts[index] ?? 0;
      if (left <= 0) return (boundsMicros[index] ?? 0) / 1000;
    }
    return Number.POSITIVE_INFINITY;
  }
}
