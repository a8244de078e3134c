import { request } from "node:http";
import { messageOf } from "../failure.ts";
import { parseMetrics } from "./metrics-text.ts";
import { tellActivity, workFamilies } from "./sentences.ts";
import type { Activity, MetricsTarget } from "./targets.ts";

const usualTimeoutMs = 2000;
const bytesMax = 1_048_576;

/** Reads every target at once. A target that does not answer is told as such; it never fails the whole. */
export async function readActivity(targets: readonly MetricsTarget[], options: { readonly everything: boolean; readonly signal?: AbortSignal; /** For one target; 2 s when absent. */ readonly timeoutMs?: number }): Promise<readonly Activity[]> {
  return await Promise.all(
    targets.map(async (target) => {
      try {
        const samples = parseMetrics(await fetchText(target.url, options.timeoutMs ?? usualTimeoutMs, options.signal));
        return { target, sentences: tellActivity(samples, options), busy: workFamilies(samples).some((family) => family.total > 0), trouble: undefined };
      } catch (error) {
        return { target, sentences: [], busy: false, trouble: `no metrics from ${target.url}: ${messageOf(error)}` };
      }
    }),
  );
}

async function fetchText(url: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<string> {
  const limit = AbortSignal.timeout(timeoutMs);
  const both = signal === undefined ? limit : AbortSignal.any([limit, signal]);
  return await new Promise<string>((resolve, reject) => {
    const asked = request(url, { signal: both, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > bytesMax) asked.destroy(new Error(`the page is larger than ${bytesMax} bytes`));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString("utf8"));
        else reject(new Error(`it answered ${response.statusCode ?? 0}`));
      });
    });
    asked.on("error", (error) => reject(limit.aborted ? new Error(`no answer within ${timeoutMs} ms`, { cause: error }) : error));
    asked.end();
  });
}
