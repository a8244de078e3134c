import { setTimeout as sleep } from "node:timers/promises";

/** Between the tries of something that needs the network: a mirror that is being renewed or a cut download is over in a while. */
const pausesMs = [2_000, 10_000, 30_000];

/**
 * Does `work` until it succeeds, at most once more than there are pauses, and tells every failure that is not the last; the last one is thrown.
 * @template T
 * @param {string} doing what is told to have failed
 * @param {() => Promise<T>} work
 * @param {{ say: (line: string) => void, isWorthIt?: (error: unknown) => boolean, pauses?: readonly number[] }} options
 * @returns {Promise<T>}
 */
export async function withRetries(doing, work, { say, isWorthIt = () => true, pauses = pausesMs }) {
  for (let failures = 0; ; failures++) {
    try {
      return await work();
    } catch (error) {
      const pauseMs = pauses[failures];
      if (pauseMs === undefined || !isWorthIt(error)) throw error;
      say(`${doing} failed; trying again in ${pauseMs / 1000} s: ${firstLine(error)}`);
      await sleep(pauseMs);
    }
  }
}

const firstLine = (error) => (error instanceof Error ? error.message : String(error)).trim().split("\n").slice(0, 2).join(" ").slice(0, 300);
