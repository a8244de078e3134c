// pure
import { recordId, type Chunk } from "../../delivery/chunk.ts";
import { skipValue } from "../../forward-protocol/msgpack-reader.ts";
import { EntryTime } from "../entry.ts";
import type { Answer, Verdict } from "./answer.ts";

/** How a destination wants records, and what its answers mean. */
export interface HttpEncoder {
  /** Path and query, after the endpoint's own path. */
  readonly path: string;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Longest answer to a success that is read. */
  readonly answerBytesMax: number;
  /** The body for the chosen records (ascending indexes of the chunk), never empty. The same choice always gives the same bytes. */
  encode(chunk: Chunk, chosen: readonly number[]): Buffer;
  /** What an answer means for a request with `count` records. */
  judge(answer: Answer, count: number, nowMs: number): Verdict;
}

/** The chosen entries of a chunk, in order: `visit` gets where the record's map begins and returns where the entry ends. */
export function visitEntries(chunk: Chunk, chosen: readonly number[], visit: (index: number, time: EntryTime, mapAt: number) => number): void {
  const { entries } = chunk;
  const time = new EntryTime();
  let at = 0;
  let next = 0;
  for (let index = 0; next < chosen.length && at < entries.length; index++) {
    if (chosen[next] !== index) {
      at = skipValue(entries, at, entries.length);
      continue;
    }
    next++;
    at = visit(index, time, time.read(entries, at));
  }
}

/** All records of a chunk. */
export function allRecords(chunk: Chunk): readonly number[] {
  return Array.from({ length: chunk.records }, (_, index) => index);
}

/** The name that a record has for ever, for receivers that store each once. */
export function recordName(chunk: Chunk, index: number): string {
  return recordId(chunk.origin, index);
}
