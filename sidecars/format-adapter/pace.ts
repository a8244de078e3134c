// pure

/** A stretch of work without a look at anything else is to take about so long, in ms; beyond `slowMs` the blocks become smaller. */
const quickMs = 5;
const slowMs = 20;
const blockBytesMin = 32_768;
const blockBytesMax = 1_048_576;
/** Room for a small report in one piece, and little when its mapping turns out to be slow. */
const blockBytesFirst = 131_072;

/**
 * How many bytes to convert at once: large blocks cost less, but a process that is at work on one answers nobody, and events that nobody takes
 * overflow the kernel's queue. What comes of a report does not depend on how it is cut.
 */
export class Pace {
  readonly #monotonicMs: () => number;
  #longestMs = 0;
  blockBytes = blockBytesFirst;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** Does a stretch of the work on a block. */
  measure<T>(work: () => T): T {
    const beganMs = this.#monotonicMs();
    try {
      return work();
    } finally {
      this.#longestMs = Math.max(this.#longestMs, this.#monotonicMs() - beganMs);
    }
  }

  /** The block is done: chooses the size of the next one. */
  adjust(): void {
    if (this.#longestMs > slowMs) this.blockBytes = Math.max(blockBytesMin, this.blockBytes / 2);
    else if (this.#longestMs < quickMs) this.blockBytes = Math.min(blockBytesMax, this.blockBytes * 2);
    this.#longestMs = 0;
  }
}
