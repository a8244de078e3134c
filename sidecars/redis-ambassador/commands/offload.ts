// pure
import { argumentIs, type Arguments } from "./key-positions.ts";
import { encodeRequest } from "../protocol/inline.ts";

/**
 * Commands that the server flags as writes, or that fill its script cache, and some forms of which only read. What may be
 * done with such a form is in `ReadForm`.
 */
export type ReadFormKind = "sort" | "georadius" | "georadiusbymember" | "bitfield" | "getex" | "eval" | "eval_ro" | "evalsha" | "evalsha_ro";

/** Commands that have to be looked at more closely than their plan tells. */
export type Look = ReadFormKind | "script|load" | "script|flush";

const looks: readonly Look[] = ["sort", "georadius", "georadiusbymember", "bitfield", "getex", "eval", "eval_ro", "evalsha", "evalsha_ro", "script|load", "script|flush"];

export function lookOf(name: string): Look | undefined {
  return looks.find((look) => look === name);
}

/** A request that a replica answers as the primary would answer the original, unless it answers with an error. */
export type ReadForm = {
  readonly request: Buffer;
  /** Index of the one key that is read; undefined when it may read any key. */
  readonly keyIndex: number | undefined;
};

/** Whether the scanned request only reads; scripts are the script registry's affair. */
export function readFormOf(kind: ReadFormKind, args: Arguments): ReadForm | undefined {
  switch (kind) {
    case "sort":
      return sortForm(args);
    case "georadius":
      return args.argc >= 6 && !mentions(args, 6, "STORE", "STOREDIST") ? { request: renamed(args, "GEORADIUS_RO"), keyIndex: 1 } : undefined;
    case "georadiusbymember":
      return args.argc >= 5 && !mentions(args, 5, "STORE", "STOREDIST") ? { request: renamed(args, "GEORADIUSBYMEMBER_RO"), keyIndex: 1 } : undefined;
    case "bitfield":
      return onlyGets(args) ? { request: renamed(args, "BITFIELD_RO"), keyIndex: 1 } : undefined;
    case "getex":
      return args.argc === 2 ? { request: renamed(args, "GET"), keyIndex: 1 } : undefined;
    default:
      return undefined;
  }
}

/** SORT's options: ASC, DESC, ALPHA, LIMIT offset count, BY pattern, GET pattern, STORE destination. Anything else is the server's to refuse. */
function sortForm(args: Arguments): ReadForm | undefined {
  if (args.argc < 2) return undefined;
  let anyKey = false;
  for (let index = 2; index < args.argc; index += 1) {
    if (argumentIs(args, index, "LIMIT")) index += 2;
    else if (argumentIs(args, index, "BY") || argumentIs(args, index, "GET")) {
      anyKey = true;
      index += 1;
    } else if (!argumentIs(args, index, "ASC") && !argumentIs(args, index, "DESC") && !argumentIs(args, index, "ALPHA")) {
      return undefined;
    }
  }
  return { request: renamed(args, "SORT_RO"), keyIndex: anyKey ? undefined : 1 };
}

function onlyGets(args: Arguments): boolean {
  if (args.argc < 5 || (args.argc - 2) % 3 !== 0) return false;
  for (let index = 2; index < args.argc; index += 3) if (!argumentIs(args, index, "GET")) return false;
  return true;
}

function mentions(args: Arguments, from: number, ...words: readonly string[]): boolean {
  for (let index = from; index < args.argc; index += 1) if (words.some((word) => argumentIs(args, index, word))) return true;
  return false;
}

/** The request under another name. */
export function renamed(args: Arguments, name: string): Buffer {
  return encodeRequest([name, ...wordsFrom(args, 1)]);
}

export function wordsFrom(args: Arguments, from: number): Uint8Array[] {
  const words: Uint8Array[] = [];
  for (let index = from; index < args.argc; index += 1) words.push(args.bytes.subarray(args.argStart[index] ?? 0, args.argEnd[index] ?? 0));
  return words;
}
