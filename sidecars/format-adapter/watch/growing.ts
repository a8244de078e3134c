import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import { adapterHash, mappingHash } from "../adapter-config.ts";
import { outputPath } from "../adapt-file.ts";
import type { Candidate } from "./candidates.ts";
import { ConversionError } from "../conversion-error.ts";
import { convertReport } from "../convert.ts";
import { detectMapping } from "../detect/detect-mapping.ts";
import { sourceOf } from "../formats/compression.ts";
import type { Turn } from "./dispatch.ts";
import { contentHashOf } from "../hash/content-hash.ts";
import type { LedgerEntry, StreamPosition } from "../state/ledger-log.ts";
import type { Mapping } from "../mapping/mapping.ts";
import { Publication } from "../publish/publish.ts";
import { quarantine } from "../state/quarantine.ts";
import { countRefusal, quarantineDirectory, type AdapterOptions } from "../record.ts";
import { idOf, statKey } from "../stat-key.ts";
import { firstRecordEnd, lastRecordEnd } from "./record-ends.ts";

const pieceBytes = 1_048_576;
/** A record that is longer is refused, as in whole reports. */
const recordBytesMax = 16_777_216;
const headBytesMax = 1_024;
const segmentDigits = 6;

/** `more`: there may be further whole lines by now. `nothing`: none. */
export type Growth = "more" | "nothing" | "gone";

/**
 * Adapts reports that grow for ever, segment by segment: the whole lines that came since the last one, in an output of its own, with the header
 * again where the format has one. Before a segment gets its name the ledger says on disk which bytes it holds, so that after a crash exactly it
 * is made again. Positions go with the inode: a report that was renamed is read on under its new name, when that matches.
 *
 * Not promised: what a writer truncates or overwrites before it was read; a changed mapping changes later segments alone; without its ledger a
 * report is adapted from its start, in other segments.
 */
export class GrowingReports {
  readonly #options: AdapterOptions;
  readonly #lastMs = new Map<string, number>();
  /** Positions of files that another one has taken the name of since the last look; by their identity. */
  readonly #displaced = new Map<string, LedgerEntry>();

  constructor(options: AdapterOptions) {
    this.#options = options;
  }

  /** How long a report must wait for its next segment. */
  waitMs(path: string): number {
    const lastMs = this.#lastMs.get(path);
    const everyMs = this.#options.adapter.watch.ready.append?.everyMs ?? 0;
    return lastMs === undefined ? 0 : Math.max(0, lastMs + everyMs - this.#options.clock.monotonicMs());
  }

  /** Carries positions over to the new names of renamed reports; before anything is adapted under their old ones, or forgotten with them. */
  async followRenames(candidates: readonly Candidate[]): Promise<void> {
    const { adapter, ledger } = this.#options;
    const byId = new Map(this.#displaced);
    this.#displaced.clear();
    for (const entry of ledger.entriesOf(adapter.name)) if (entry.stream !== undefined) byId.set(idOf(entry.stat), entry);
    for (const { path, stat } of candidates) {
      const id = idOf(stat);
      const own = ledger.get(adapter.name, path);
      const moved = byId.get(id);
      if (moved?.stream === undefined || moved.path === path || (own !== undefined && idOf(own.stat) === id)) continue;
      // Under its new name its segments have other names: the one under way is made again there, so nothing is lost, and one may be there twice.
      const { until: _until, ...position } = moved.stream;
      await ledger.putDurably({ ...moved, path, output: undefined, stream: { ...position, segment: Math.max(nextAfter(own?.stream), moved.stream.segment) } });
    }
  }

  /** Adapts what came to a report: as one segment, or as several when it is much. Throws what `adaptFile` throws. */
  async adaptNext(candidate: Candidate, folder: string, turn: Turn): Promise<Growth> {
    const file = await open(candidate.path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ELOOP")) return undefined;
      throw error;
    });
    if (file === undefined) return "gone";
    try {
      for (;;) {
        const length = await this.#adaptOpened(file, candidate, folder, turn);
        if (length === undefined) return "nothing";
        if (length < pieceBytes / 2 || this.#options.signal.aborted) return "more";
      }
    } finally {
      await file.close();
    }
  }

  /** How many bytes of lines were adapted or refused; undefined when there are none. */
  async #adaptOpened(file: FileHandle, { path, stat: found }: Candidate, folder: string, turn: Turn): Promise<number | undefined> {
    const { adapter, ledger, clock } = this.#options;
    const stat = await file.stat({ bigint: true });
    const id = `${stat.dev}.${stat.ino}`;
    // Another file has taken its name since the look; the next one finds both.
    if (!stat.isFile() || id !== idOf(found)) return undefined;
    const before = ledger.get(adapter.name, path);
    // A look that came in the middle of a rotation does not know the new name of the one before.
    if (before?.stream !== undefined && before.inputGone !== true && idOf(before.stat) !== id) this.#displaced.set(idOf(before.stat), before);
    const isSameFile = before?.stream !== undefined && idOf(before.stat) === id && (await isContinued(file, before.stream, Number(stat.size)));
    const fresh: StreamPosition = { offset: 0, segment: nextAfter(before?.stream), rows: 0, head: "", headBytes: 0 };
    const position = isSameFile && before.stream !== undefined ? before.stream : fresh;
    const csv = adapter.mappings.some((mapping) => mapping.input.format === "csv");
    const header = csv ? await readHeader(file) : Buffer.alloc(0);
    const lines = header === undefined ? undefined : await readLines(file, Math.max(position.offset, header.length), { until: position.until, csv });
    const base = { path, adapter: adapter.name, stat: statKey(stat), content: "", rows: 0, folder } as const;
    if (header === undefined || lines === undefined) {
      const mapping = adapter.mappings.find(({ name }) => name === before?.mapping);
      await ledger.put({ ...base, mapping: mapping?.name ?? "", mappingHash: mapping === undefined ? adapterHash(adapter) : mappingHash(mapping), outcome: "adapted", output: before?.output, stream: position });
      return undefined;
    }
    this.#lastMs.set(path, clock.monotonicMs());
    const until = Math.max(position.offset, header.length) + lines.length;
    const head = position.headBytes > 0 ? position : await readHead(file, until);
    const next: StreamPosition = { offset: position.offset, segment: position.segment, until, rows: position.rows, head: head.head, headBytes: head.headBytes };
    await this.#makeSegment({ bytes: Buffer.concat([header, lines]), base, next, before, turn });
    return lines.length;
  }

  async #makeSegment(segment: { readonly bytes: Buffer; readonly base: Pick<LedgerEntry, "path" | "adapter" | "stat" | "content" | "rows" | "folder">; readonly next: StreamPosition; readonly before: LedgerEntry | undefined; readonly turn: Turn }): Promise<void> {
    const { adapter, ledger, metrics, log, owner, directories, signal } = this.#options;
    const { bytes, base, next, turn } = segment;
    const { until = next.offset, ...rest } = next;
    let mapping: Mapping | undefined;
    let publication: Publication | undefined;
    try {
      const start = await detectMapping(adapter, basename(base.path), sourceOf(bytes));
      mapping = start.mapping;
      const family = outputPath(mapping, base.path);
      const other = ledger.ownerOf(family, adapter.name, base.path);
      if (other !== undefined && ledger.get(adapter.name, other)?.inputGone !== true) throw new ConversionError("NAME", `${family} is what ${other} is adapted to; two reports cannot have one adapted form`, { line: 1 });
      const output = segmentPath(family, next.segment + 1);
      publication = Publication.begin({ output, owner, digest: false });
      const opened = publication;
      const { rows } = await convertReport({ mapping, source: sourceOf(bytes), write: async (piece) => await opened.write(piece), takeUnfinished: false, signal });
      const prepared = await publication.prepare();
      const entry = { ...base, mapping: mapping.name, mappingHash: mappingHash(mapping), outcome: "adapted", output: family } as const;
      await turn.wait();
      await ledger.putDurably({ ...entry, stat: idOnly(base.stat), stream: next });
      if (prepared.kind === "new") await publication.commit(directories);
      turn.pass();
      // The stat comes to stand there when nothing is left to read.
      await ledger.put({ ...entry, stat: idOnly(base.stat), stream: { ...rest, offset: until, segment: next.segment + 1, rows: next.rows + rows } });
      metrics.files.inc({ mapping: mapping.name });
      metrics.rows.inc({ mapping: mapping.name }, rows);
      metrics.bytes.inc({ mapping: mapping.name }, bytes.length);
      log.info({ path: base.path, output, rows, mapping: mapping.name }, "Adapted what came");
    } catch (error) {
      await publication?.abandon();
      if (!(error instanceof ConversionError)) throw error;
      await this.#refuse(bytes, base, { ...rest, offset: until }, { error, mapping, before: segment.before });
    }
  }

  /** The lines go to quarantine with their header; the report goes on behind them. */
  async #refuse(bytes: Buffer, base: Pick<LedgerEntry, "path" | "adapter" | "stat" | "content" | "rows" | "folder">, position: StreamPosition, why: { readonly error: ConversionError; readonly mapping: Mapping | undefined; readonly before: LedgerEntry | undefined }): Promise<void> {
    const { ledger, log, clock } = this.#options;
    const { error, mapping } = why;
    log.error({ path: base.path, code: error.code, line: error.line, column: error.column, sample: error.sample, mapping: mapping?.name }, `Refused a piece of a growing report: ${error.message}`);
    const refused = { kind: "refused", error, mapping, stat: base.stat, content: contentHashOf(bytes), byteOffsetOfLine: undefined } as const;
    const hash = mapping === undefined ? "" : mappingHash(mapping);
    await quarantine({ directory: quarantineDirectory(this.#options), adapter: base.adapter, path: base.path, refused, bytes, mappingHash: hash, limits: this.#options.quarantine, atMs: clock.nowMs() }).catch((failure: unknown) => {
      log.error({ err: failure, path: base.path }, "Cannot keep the refused piece in quarantine; it is only in the report itself");
    });
    countRefusal(this.#options, error);
    await ledger.putDurably({ ...base, stat: idOnly(base.stat), mapping: mapping?.name ?? "", mappingHash: hash, outcome: "adapted", output: why.before?.output, stream: position });
  }
}

/** Where a segment of this number is. */
export function segmentPath(family: string, number: number): string {
  return family.replaceAll("{segment}", String(number).padStart(segmentDigits, "0"));
}

/** The last number that must not be used again: a segment that was under way may be there already. */
function nextAfter(position: StreamPosition | undefined): number {
  return position === undefined ? 0 : position.segment + (position.until === undefined ? 0 : 1);
}

/** Equal to no statKey, but of this file. */
function idOnly(stat: string): string {
  return `${idOf(stat)}.`;
}

async function readAt(file: FileHandle, from: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  for (let count = 1; count > 0 && filled < length; filled += count) count = (await file.read(bytes, filled, length - filled, from + filled)).bytesRead;
  return bytes.subarray(0, filled);
}

async function readHead(file: FileHandle, until: number): Promise<Pick<StreamPosition, "head" | "headBytes">> {
  const bytes = await readAt(file, 0, Math.min(until, headBytesMax));
  return { head: contentHashOf(bytes), headBytes: bytes.length };
}

/** Whether the file still begins as it did, and is not shorter than what was read of it. */
async function isContinued(file: FileHandle, { offset, until, head, headBytes }: StreamPosition, size: number): Promise<boolean> {
  if (size < (until ?? offset)) return false;
  return contentHashOf(await readAt(file, 0, headBytes)) === head || headBytes === 0;
}

/** The first record with its line end; undefined when it is not there yet. */
async function readHeader(file: FileHandle): Promise<Buffer | undefined> {
  for (let length = pieceBytes / 16; ; length *= 4) {
    const bytes = await readAt(file, 0, Math.min(length, recordBytesMax));
    const end = firstRecordEnd(bytes);
    if (end > 0) return bytes.subarray(0, end);
    if (bytes.length < length) return undefined;
  }
}

/** Whole lines from there on: up to `until`, or as many as are there and fit. Undefined when there is none. */
async function readLines(file: FileHandle, from: number, { until, csv }: { readonly until: number | undefined; readonly csv: boolean }): Promise<Buffer | undefined> {
  if (until !== undefined) return await readAt(file, from, until - from);
  for (let length = pieceBytes; ; length *= 4) {
    const bytes = await readAt(file, from, length);
    const end = lastRecordEnd(bytes, csv);
    if (end > 0) return bytes.subarray(0, end);
    if (bytes.length < length) return undefined;
    // Longer than any record may be: handed over as it is, and refused.
    if (length >= recordBytesMax) return bytes;
  }
}
