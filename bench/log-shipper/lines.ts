// The measured lines: JSON objects of 209 bytes with their line feed, each with its number, the same at every run.
import { closeSync, openSync, writeSync } from "node:fs";

export const lineBytes = 209;
const startMs = Date.UTC(2026, 0, 1);
/** 1 of 16 is of level debug, which the case with filters drops. */
const levels = ["info", "info", "info", "warn", "info", "info", "info", "error", "info", "info", "info", "warn", "info", "info", "info", "debug"];
export const debugShare = 16;

/** Without its line feed. */
export function lineOf(seq: number): string {
  const line = JSON.stringify({
    time: new Date(startMs + seq).toISOString(), level: levels[seq % levels.length], seq, msg: "request completed", method: "GET", path: `/api/v1/orders/${(seq * 7_919) % 1_000_003}`,
    status: 200 + (seq % 5), dur_ms: (seq % 1_000) / 10, trace_id: Math.imul(seq, 2_654_435_761).toString(16).replace("-", "f").padStart(16, "0"), ua: "",
  });
  return `${line.slice(0, -2)}${"curl/8.11.0 (x86_64-pc-linux-gnu)".padEnd(lineBytes, " libcurl").slice(0, lineBytes - 1 - line.length)}"}`;
}

/** How many of the lines numbered from `from` on are not of level debug. */
export function keptLines(from: number, count: number): number {
  return count - (Math.floor((from + count) / debugShare) - Math.floor(from / debugShare));
}

/** Writes the lines numbered from `from` on. The name must be one that nobody follows yet. */
export function writeLines(path: string, from: number, count: number): void {
  const file = openSync(path, "wx", 0o644);
  const atOnce = 20_000;
  for (let seq = from; seq < from + count; seq += atOnce) {
    let text = "";
    for (let each = seq; each < Math.min(seq + atOnce, from + count); each += 1) text += `${lineOf(each)}\n`;
    writeSync(file, text);
  }
  closeSync(file);
}
