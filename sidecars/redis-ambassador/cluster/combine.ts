// pure
import { ReplyScanner } from "../protocol/reply-scanner.ts";

/**
 * How the replies of several servers to the parts of one request become one reply. The names are those of the server's own
 * command tips (response_policy); `by-key` puts the elements of the parts in the order of the request's keys, `concat` one
 * part's after the other's.
 */
export type Combining = "all_succeeded" | "one_succeeded" | "agg_sum" | "agg_min" | "agg_max" | "agg_logical_and" | "agg_logical_or" | "by-key" | "concat" | "any";

const attribute = 124, error = 45, bulkError = 33, integer = 58, star = 42, tilde = 126, carriageReturn = 13, lineFeed = 10;

const broken = (what: string): Buffer => Buffer.from(`-ERR podkit ambassador: the replies of several shards cannot be made one (${what})\r\n`, "latin1");

/** The end of the one whole value that begins at `start`. */
function valueEnd(frame: Buffer, start: number): number {
  return new ReplyScanner().advance(frame, start, frame.length);
}

/** Where the value itself begins, past attributes that describe it. */
function bodyStart(frame: Buffer): number {
  let at = 0;
  while (frame[at] === attribute) {
    const header = lineEnd(frame, at), pairs = Number(frame.toString("latin1", at + 1, header - 2));
    at = header;
    for (let index = 0; index < pairs * 2; index += 1) at = valueEnd(frame, at);
  }
  return at;
}

function lineEnd(frame: Buffer, from: number): number {
  const newline = frame.indexOf(lineFeed, from);
  return newline < 0 ? frame.length : newline + 1;
}

export function isError(frame: Buffer): boolean {
  const first = frame[bodyStart(frame)];
  return first === error || first === bulkError;
}

/** The elements of an array or set as they stand; undefined when the reply is none. */
export function elementsOf(frame: Buffer): { readonly type: number; readonly elements: Buffer[] } | undefined {
  const start = bodyStart(frame), type = frame[start];
  if (type !== star && type !== tilde) return undefined;
  let at = lineEnd(frame, start);
  const count = Number(frame.toString("latin1", start + 1, at - 2));
  if (!(count >= 0)) return undefined;
  const scanner = new ReplyScanner(), elements: Buffer[] = [];
  for (let index = 0; index < count; index += 1) {
    const end = scanner.advance(frame, at, frame.length);
    elements.push(frame.subarray(at, end));
    at = end;
  }
  return { type, elements };
}

export function encodeAggregate(type: number, elements: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(`${String.fromCharCode(type)}${elements.length}\r\n`), ...elements]);
}

function readInteger(frame: Buffer, start: number): bigint | undefined {
  if (frame[start] !== integer) return undefined;
  const end = frame.indexOf(carriageReturn, start), digits = frame.toString("latin1", start + 1, end);
  return /^-?\d+$/.test(digits) ? BigInt(digits) : undefined;
}

const aggregations: Readonly<Partial<Record<Combining, (one: bigint, other: bigint) => bigint>>> = {
  agg_sum: (one, other) => one + other,
  agg_min: (one, other) => (one < other ? one : other),
  agg_max: (one, other) => (one > other ? one : other),
  agg_logical_and: (one, other) => (one !== 0n && other !== 0n ? 1n : 0n),
  agg_logical_or: (one, other) => (one !== 0n || other !== 0n ? 1n : 0n),
};

function aggregate(numbers: readonly (bigint | undefined)[], how: (one: bigint, other: bigint) => bigint): Buffer | undefined {
  let result: bigint | undefined;
  for (const number of numbers) {
    if (number === undefined) return undefined;
    result = result === undefined ? number : how(result, number);
  }
  return result === undefined ? undefined : Buffer.from(`:${result}\r\n`);
}

/** Integers, or arrays of them element by element. */
function aggregateAll(frames: readonly Buffer[], how: (one: bigint, other: bigint) => bigint): Buffer {
  const plain = aggregate(frames.map((frame) => readInteger(frame, bodyStart(frame))), how);
  if (plain !== undefined) return plain;
  const lists = frames.map((frame) => elementsOf(frame)?.elements), first = lists[0];
  if (first === undefined || lists.some((list) => list?.length !== first.length)) return broken("no numbers");
  const elements = first.map((_, index) => aggregate(lists.map((list) => readInteger(list?.[index] ?? Buffer.alloc(0), 0)), how));
  return elements.every((element) => element !== undefined) ? encodeAggregate(star, elements) : broken("no numbers");
}

/**
 * One reply of many. `places` is for `by-key`: for every part the positions of its elements in the whole. A part that is an
 * error makes the whole that error, but for `one_succeeded` and `any`, where one success is enough.
 */
export function combine(how: Combining, frames: readonly Buffer[], places: readonly (readonly number[])[] = []): Buffer {
  const first = frames[0];
  if (first === undefined) return broken("there are none");
  const failed = frames.find(isError);
  if (how === "one_succeeded" || how === "any") return frames.find((frame) => !isError(frame)) ?? first;
  if (failed !== undefined) return failed;
  if (how === "all_succeeded") return first;
  const aggregation = aggregations[how];
  if (aggregation !== undefined) return aggregateAll(frames, aggregation);
  const parts = frames.map(elementsOf);
  const type = parts[0]?.type ?? star, all: Buffer[] = [];
  for (const [index, part] of parts.entries()) {
    if (part === undefined) return broken("no lists");
    if (how === "concat") {
      for (const element of part.elements) all.push(element);
      continue;
    }
    if (part.elements.length !== places[index]?.length) return broken("other lengths than asked for");
    part.elements.forEach((element, at) => (all[places[index]?.[at] ?? 0] = element));
  }
  return encodeAggregate(type, all);
}
