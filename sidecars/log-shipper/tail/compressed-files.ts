import { closeSync, fstatSync, readSync } from "node:fs";
import type { Log } from "../../../kit/log.ts";
import type { FoundCompressed } from "./discover.ts";
import { gunzipHead, gunzipToUnnamed, gzipFacts } from "./gzip-file.ts";
import { hashBytes, headBytesMax, identityKey } from "./tail-state.ts";
import { fingerprintAt, holdsContent, type TrackedFile } from "./tracked-file.ts";

/**
 * Log files compressed by gzip, each read once. A compressed file is judged when it is first seen whole, and again when it changed:
 *
 * - A content that is followed as a plain file, or was, is not read again. If the plain file went before all of it was read, the
 *   content goes on in the compressed one.
 * - A content that was never seen is read from its start: of a file that itself matches the patterns always, of a rotated form of a
 *   matching name if it was written to after the shipper's very first start.
 *
 * What has to be read is unpacked into a file without a name, for as long as it takes; one file at a time is unpacked.
 *
 * Not told apart: a content of which so little was read, before it was compressed, that another one of the same name begins alike.
 */
export type Unpacked = {
  readonly found: FoundCompressed;
  readonly fd: number;
  readonly size: number;
  /** The content that goes on here; undefined when it is a new one. */
  readonly file: TrackedFile | undefined;
};

type Judgement = {
  readonly stamp: string;
  /** The content's, and which followed file has it. */
  readonly known: { readonly size: number; readonly file: TrackedFile } | undefined;
  /** After a failure: when (monotonic) to try again. */
  readonly againMs: number;
};

export type CompressedFilesOptions = {
  /** Where files are unpacked. */
  readonly directory: string;
  readonly maxBytes: number;
  readonly log: Log;
  readonly onUnpacked: () => void;
};

export type CompressedLook = {
  /** Those followed. */
  readonly files: ReadonlySet<TrackedFile>;
  /** The shipper's very first start. */
  readonly startedNs: bigint;
  /** Take what is there as read. */
  readonly skip: boolean;
  readonly nowMs: number;
  /** The file's content, of so many bytes, is delivered from elsewhere or not wanted: it is to be followed as one that was read to its end. */
  readonly onRead: (found: FoundCompressed, size: number) => void;
};

const judgedMax = 10_000;
const againAfterMs = 30_000;

export class CompressedFiles {
  readonly #options: CompressedFilesOptions;
  readonly #judged = new Map<string, Judgement>();
  #ready: Unpacked[] = [];
  /** Path of the file that is being judged. */
  #at: string | undefined;
  /** When (monotonic) the last look was. */
  #lookedMs = -Infinity;
  #said = false;

  constructor(options: CompressedFilesOptions) {
    this.#options = options;
  }

  /** Whether something is being judged, or was unpacked and not yet taken. */
  get busy(): boolean {
    return this.#at !== undefined || this.#ready.length > 0;
  }

  /**
   * What was unpacked since; the descriptors are the caller's now. Nothing may be read of `files` meanwhile: a content whose first
   * bytes were just being read when it was judged is recognised here.
   */
  async take(files: ReadonlySet<TrackedFile>): Promise<readonly Unpacked[]> {
    const taken: Unpacked[] = [];
    for (const unpacked of this.#ready) {
      const { found, fd, size } = unpacked;
      const file = unpacked.file ?? (await followedAs(familyOf(found, files), fd, size, this.#lookedMs));
      if (file !== undefined && file !== unpacked.file && isReadOn(file, size, this.#lookedMs)) {
        closeSync(fd);
        this.#note(identityKey(found.identity), { stamp: stampOf(found), known: { size, file }, againMs: Infinity });
      } else {
        taken.push({ found, fd, size, file });
      }
    }
    this.#ready = [];
    return taken;
  }

  /** Begins to judge the first file that needs it; whether one is being judged. */
  look(compressed: readonly FoundCompressed[], context: CompressedLook): boolean {
    const { files, startedNs, nowMs } = context;
    this.#lookedMs = nowMs;
    for (const found of compressed) {
      const key = identityKey(found.identity);
      const stamp = stampOf(found);
      const tracked = [...files].find((file) => identityKey(file.identity) === key);
      if (tracked !== undefined) tracked.lastSeenMs = nowMs;
      const known = this.#judged.get(key)?.known;
      if (tracked === undefined && known !== undefined && known.file.settledUpTo(known.size)) {
        this.#judged.delete(key);
        context.onRead(found, known.size);
        continue;
      }
      if ((this.busy && !context.skip) || !this.#isDue({ key, stamp, tracked, nowMs })) continue;
      const facts = gzipFacts(found.path, found.size);
      if (facts === undefined) continue; // still being written, most likely
      if (context.skip && tracked === undefined) {
        context.onRead(found, facts.contentBytes);
        continue;
      }
      const writtenNs = facts.originalSeconds > 0 ? BigInt(facts.originalSeconds + 1) * 1_000_000_000n : found.mtimeNs;
      this.#note(key, { stamp, known: undefined, againMs: Infinity });
      if (tracked === undefined && !found.matched && (writtenNs < startedNs || found.mtimeNs < startedNs)) continue;
      this.#at = found.path;
      const family = familyOf(found, files).filter((file) => file !== tracked);
      void this.#judge(found, { tracked, family, contentBytes: facts.contentBytes, nowMs })
        .then((judged) => this.#note(key, { stamp, known: judged, againMs: Infinity }), (error: unknown) => {
          this.#note(key, { stamp, known: undefined, againMs: nowMs + againAfterMs });
          this.#complain(found, error);
        })
        .then(() => {
          this.#at = undefined;
          this.#options.onUnpacked();
        });
    }
    return this.busy;
  }

  #note(key: string, judgement: Judgement): void {
    if (this.#judged.size >= judgedMax) this.#judged.clear();
    this.#judged.set(key, judgement);
  }

  /** A judgement ends when the file changes, or when the followed file with the content went before all of it was read. */
  #isDue({ key, stamp, tracked, nowMs }: { readonly key: string; readonly stamp: string; readonly tracked: TrackedFile | undefined; readonly nowMs: number }): boolean {
    const judgement = this.#judged.get(key);
    if (judgement !== undefined && judgement.againMs !== Infinity && judgement.stamp === stamp) return nowMs >= judgement.againMs;
    if (tracked !== undefined) return tracked.fd === undefined && !(tracked.seenTo > 0 && tracked.settledUpTo(tracked.seenTo)) && tracked.inFlight === 0;
    if (judgement === undefined || judgement.stamp !== stamp) return true;
    const { known } = judgement;
    return known !== undefined && !known.file.gone && !isThere(known.file, nowMs) && known.file.inFlight === 0 && !known.file.settledUpTo(known.size);
  }

  async #judge(found: FoundCompressed, context: { readonly tracked: TrackedFile | undefined; readonly family: readonly TrackedFile[]; readonly contentBytes: number; readonly nowMs: number }): Promise<Judgement["known"]> {
    const { tracked, family, contentBytes, nowMs } = context;
    if (tracked === undefined) {
      // Mostly a file that was read to its end and then compressed: head and length tell.
      const head = await gunzipHead(found.path, headBytesMax);
      const same = family.find((file) => sizeOf(file) === contentBytes && isReadOn(file, contentBytes, nowMs) && beginsWith(file, head));
      if (same !== undefined) return { size: contentBytes, file: same };
    }
    const modifiedSeconds = Number(found.mtimeNs / 1_000_000n) / 1_000;
    const { fd, size } = await gunzipToUnnamed(found.path, { ...this.#options, modifiedSeconds });
    const file = tracked ?? (await followedAs(family, fd, size, nowMs));
    if (file !== undefined && file !== tracked && isReadOn(file, size, nowMs)) {
      closeSync(fd);
      return { size, file };
    }
    this.#ready.push({ found, fd, size, file });
    return undefined;
  }

  #complain(found: FoundCompressed, error: unknown): void {
    // What is cut off is still being written, and is judged again when it has changed.
    const isCutOff = error instanceof Error && "code" in error && error.code === "Z_BUF_ERROR";
    this.#options.log[this.#said || isCutOff ? "debug" : "error"]({ err: error, path: found.path, maxBytes: this.#options.maxBytes }, "Cannot unpack a compressed log file; it is left alone until it changes. See that it is whole, and that the state directory has room for its content");
    this.#said ||= !isCutOff;
  }
}

const stampOf = (found: FoundCompressed): string => `${found.size} ${found.mtimeNs}`;

/** Those that had the file's name before. */
const familyOf = (found: FoundCompressed, files: ReadonlySet<TrackedFile>): readonly TrackedFile[] => [...files].filter((file) => found.formerPaths.includes(file.path));

/** Whether the content is delivered from the plain file, or was. */
const isReadOn = (file: TrackedFile, size: number, nowMs: number): boolean => isThere(file, nowMs) || file.inFlight > 0 || file.settledUpTo(size);

/** The followed file that has this content: as its beginning or altogether, where the file can be looked into, else as far as it was read. */
async function followedAs(family: readonly TrackedFile[], fd: number, size: number, nowMs: number): Promise<TrackedFile | undefined> {
  const whole = await fingerprintAt(fd, size);
  for (const file of family) {
    const { offset, print, fd: plain } = file;
    if (file.gone || size === 0) continue;
    const reached = Math.max(file.seenTo, file.size, offset);
    if (offset === 0 && isUnreadAndGone(file, { reached, size, nowMs })) return file;
    // What has just been truncated may still count as open.
    if (plain !== undefined && (await holdsContent(plain, offset, print))) {
      if (sizeOf(file) >= size && (await holdsContent(plain, size, whole))) return file;
      continue;
    }
    if (print.headLength === 0 || reached > size || (plain === undefined && isThere(file, nowMs) && reached !== size)) continue;
    if (await holdsContent(fd, offset, print)) return file;
  }
  return undefined;
}

/**
 * Of a content nothing was read, so nothing is known of it but how long it was seen to be, and it is no longer in its plain file, which
 * may have been truncated a moment ago. Whichever content of its name it is taken for: each is read once, from its start.
 */
function isUnreadAndGone(file: TrackedFile, { reached, size, nowMs }: { readonly reached: number; readonly size: number; readonly nowMs: number }): boolean {
  return reached > 0 && reached <= size && (file.fd === undefined ? !isThere(file, nowMs) : sizeOf(file) < reached);
}

/** Whether the plain file can be read on. */
function isThere(file: TrackedFile, nowMs: number): boolean {
  return file.fd !== undefined || file.lastSeenMs >= nowMs;
}

function sizeOf(file: TrackedFile): number {
  return file.fd === undefined ? Math.max(file.seenTo, file.size, file.offset) : fstatSync(file.fd).size;
}

/** Whether the file's content begins with `head`, as far as can be told: by what was read of it, else by the open file. */
function beginsWith(file: TrackedFile, head: Buffer): boolean {
  const { headLength, headHash } = file.print;
  if (headLength > 0) return head.length >= headLength && hashBytes(head.subarray(0, headLength)) === headHash;
  if (file.fd === undefined) return false;
  const own = Buffer.alloc(head.length);
  return readSync(file.fd, own, 0, own.length, 0) === head.length && own.equals(head);
}
