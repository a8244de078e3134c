// pure
import { crc32 } from "node:zlib";
import type { ShapeMemory } from "../shape/shaper.ts";
import type { FileIdentity, Fingerprint } from "../tail/tail-state.ts";

/**
 * What is remembered between runs, as a log of small records, and the state that the records add up to.
 *
 * One record is one line: eight hexadecimal digits of CRC-32 over the JSON that follows, a space, the JSON. A line whose check
 * fails (a torn tail, a flipped bit) is passed over. That is safe, because a record is only taken when it fits the state: a cut
 * must begin where the last one ended, so a lost record can cause repetition, never a gap.
 *
 * A cut is written before the chunk is sent for the first time; after a crash the same ranges are cut again, so the same ids
 * carry the same bytes. Acks may come out of order; a file's offset moves over contiguous acked cuts only.
 */
export type Cut = {
  readonly from: number;
  readonly to: number;
  /** The time given to the range's records. */
  readonly seconds: number;
  readonly nanoseconds: number;
  /** The content's fingerprint at `to`. */
  readonly print: Fingerprint;
  /** Whether `from` and `to` lie inside the rest of a cut line. */
  readonly startsDiscarding: boolean;
  readonly discarding: boolean;
  /** The same for the streams of a container, a bit for each; 0 without it. */
  readonly startsCutStreams?: number;
  readonly cutStreams?: number;
  /** Whether an unterminated last line was taken as a line. */
  readonly final: boolean;
  /** What the shaping of the records depended on besides them. */
  readonly shape?: ShapeMemory;
};

export type FileState = FileIdentity & {
  readonly number: number;
  /** Counts the truncations seen of this inode. */
  readonly generation: number;
  /** Names the content in chunk ids: identity and generation of where it was first seen. It moves with the content. */
  readonly content: string;
  /** The name under which the file was first seen; it stays the file's name through rotation. */
  readonly path: string;
  readonly offset: number;
  readonly discarding: boolean;
  readonly cutStreams?: number;
  readonly print: Fingerprint;
  /** What became of the bytes before `offset` that were not acknowledged. */
  readonly columns?: Columns;
  /** How far the content was seen to reach, noted when some of it was left at the end of a run. */
  readonly seenTo?: number;
};

/** Bytes that are settled without an acknowledgement. */
export type Columns = {
  /** Passed over by filters. */
  readonly filtered: number;
  /** Stand in the dead-letter file. */
  readonly deadLettered: number;
  /** Passed over at the very first start, or known from another file. */
  readonly skipped: number;
};
export const noColumns: Columns = { filtered: 0, deadLettered: 0, skipped: 0 };

/** Bytes `from` to `to` of a content. */
export type ByteRange = { readonly from: number; readonly to: number };
export type Loss = ByteRange & { readonly path: string };
/** Sums over the contents that are no longer remembered one by one; `lost` is a sum over all contents. */
export type Retired = Columns & { readonly contents: number; readonly acked: number; readonly lost: number };

export type CheckpointRecord =
  /** When the very first run began, wall time. */
  | { readonly kind: "began"; readonly ms: number }
  | ({ readonly kind: "file" } & FileState)
  | ({ readonly kind: "cut"; readonly number: number; readonly acked?: true; readonly columns?: Columns } & Cut)
  | { readonly kind: "ack"; readonly number: number; readonly from: number; readonly columns?: Columns }
  /** The content now lives in another inode: the copy that a copytruncate made. */
  | ({ readonly kind: "move"; readonly number: number } & FileIdentity)
  | { readonly kind: "seen"; readonly number: number; readonly to: number }
  /** What was written of the content and can no longer be had. */
  | { readonly kind: "lost"; readonly number: number; readonly ranges: readonly ByteRange[] }
  /** The content is no longer followed. */
  | { readonly kind: "drop"; readonly number: number }
  | ({ readonly kind: "retired" } & Retired)
  | ({ readonly kind: "loss" } & Loss);

export type RememberedCut = Cut & { readonly acked: boolean; readonly columns?: Columns };
export type RememberedFile = { readonly file: FileState; readonly cuts: readonly RememberedCut[] };

/** More losses than these are only summed up. */
const lossesMax = 200;

type Entry = { file: FileState; cuts: RememberedCut[] };

export class CheckpointState {
  readonly #files = new Map<number, Entry>();
  #retired: Retired = { ...noColumns, contents: 0, acked: 0, lost: 0 };
  #losses: Loss[] = [];
  #beganMs: number | undefined;

  /** When the very first run began, if that is remembered. */
  get beganMs(): number | undefined {
    return this.#beganMs;
  }

  get files(): readonly RememberedFile[] {
    return [...this.#files.values()];
  }

  get retired(): Retired {
    return this.#retired;
  }

  /** The latest of the losses, at most 200. */
  get losses(): readonly Loss[] {
    return this.#losses;
  }

  /** False when the record does not fit what is known, and then nothing has changed. */
  apply(record: CheckpointRecord): boolean {
    switch (record.kind) {
      case "file": {
        const { kind: _, ...file } = record;
        this.#files.set(record.number, { file, cuts: [] });
        return true;
      }
      case "retired": {
        const { kind: _, ...retired } = record;
        this.#retired = retired;
        return true;
      }
      case "began":
        this.#beganMs = record.ms;
        return true;
      case "loss":
        this.#noteLoss({ path: record.path, from: record.from, to: record.to });
        return true;
      default: {
        const entry = this.#files.get(record.number);
        return entry !== undefined && this.#applyTo(entry, record);
      }
    }
  }

  /** The fewest records that add up to this state. */
  snapshot(): readonly CheckpointRecord[] {
    const past: CheckpointRecord[] = this.#beganMs === undefined ? [] : [{ kind: "began", ms: this.#beganMs }];
    if (this.#retired.contents > 0 || this.#retired.lost > 0) past.push({ kind: "retired", ...this.#retired }, ...this.#losses.map((loss) => ({ kind: "loss" as const, ...loss })));
    return past.concat(
      this.files.flatMap(({ file, cuts }) => [
        { kind: "file" as const, ...file },
        ...cuts.map(({ acked, ...cut }) => ({ kind: "cut" as const, number: file.number, ...cut, ...(acked ? { acked: true as const } : {}) })),
      ]),
    );
  }

  #applyTo(entry: Entry, record: Extract<CheckpointRecord, { readonly number: number }>): boolean {
    switch (record.kind) {
      case "drop":
        this.#retire(entry);
        return this.#files.delete(record.number);
      case "lost":
        this.#retired = { ...this.#retired, lost: this.#retired.lost + record.ranges.reduce((sum, range) => sum + range.to - range.from, 0) };
        for (const { from, to } of record.ranges) this.#noteLoss({ path: entry.file.path, from, to });
        return true;
      case "seen":
        entry.file = { ...entry.file, seenTo: record.to };
        return true;
      case "move":
        entry.file = { ...entry.file, dev: record.dev, ino: record.ino, birthNs: record.birthNs };
        return true;
      case "cut": {
        if (record.from !== (entry.cuts.at(-1)?.to ?? entry.file.offset) || record.to <= record.from) return false;
        const { kind: _kind, number: _number, acked, ...cut } = record;
        entry.cuts.push({ ...cut, acked: acked === true });
        return true;
      }
      case "ack": {
        const index = entry.cuts.findIndex((cut) => cut.from === record.from);
        const cut = entry.cuts[index];
        if (cut === undefined) return false;
        entry.cuts[index] = { ...cut, acked: true, ...(record.columns === undefined ? {} : { columns: record.columns }) };
        advance(entry);
        return true;
      }
      default:
        return false;
    }
  }

  #retire(entry: Entry): void {
    const { acked, columns } = settledOf(entry);
    this.#retired = { ...addColumns(this.#retired, columns), contents: this.#retired.contents + 1, acked: this.#retired.acked + acked };
  }

  #noteLoss(loss: Loss): void {
    this.#losses.push(loss);
    if (this.#losses.length > lossesMax) this.#losses.shift();
  }
}

function advance(entry: Entry): void {
  for (let first = entry.cuts[0]; first?.acked === true; first = entry.cuts[0]) {
    const { columns, cutStreams = 0 } = first;
    entry.file = { ...entry.file, offset: first.to, discarding: first.discarding, ...(cutStreams === 0 && entry.file.cutStreams === undefined ? {} : { cutStreams }), print: first.print, ...(columns === undefined ? {} : { columns: addColumns(entry.file.columns ?? noColumns, columns) }) };
    entry.cuts.shift();
  }
}

/** What is settled of a content, the acknowledged cuts beyond its offset included. */
export function settledOf({ file, cuts }: RememberedFile): { readonly acked: number; readonly columns: Columns } {
  let columns = file.columns ?? noColumns;
  let bytes = file.offset;
  for (const cut of cuts) {
    if (!cut.acked) continue;
    bytes += cut.to - cut.from;
    columns = addColumns(columns, cut.columns ?? noColumns);
  }
  return { acked: bytes - columns.filtered - columns.deadLettered - columns.skipped, columns };
}

/** The sums, with whatever else `to` has. */
export function addColumns<T extends Columns>(to: T, added: Columns): T {
  return { ...to, filtered: to.filtered + added.filtered, deadLettered: to.deadLettered + added.deadLettered, skipped: to.skipped + added.skipped };
}

export function encodeRecord(record: CheckpointRecord): string {
  const text = JSON.stringify(record);
  return `${crc32(text).toString(16).padStart(8, "0")} ${text}\n`;
}

/** Adds up a log. `refused` counts lines whose check failed or that did not fit; a torn last line is one of them. */
export function readCheckpoint(log: string): { readonly state: CheckpointState; readonly refused: number } {
  const state = new CheckpointState();
  let refused = 0;
  for (const line of log.split("\n")) {
    if (line === "") continue;
    const record = decodeRecord(line);
    if (record === undefined || !state.apply(record)) refused++;
  }
  return { state, refused };
}

/** The check makes the cast sound: only this program writes lines that pass it. */
function decodeRecord(line: string): CheckpointRecord | undefined {
  const text = line.slice(9);
  if (line[8] !== " " || Number.parseInt(line.slice(0, 8), 16) !== crc32(text)) return undefined;
  return JSON.parse(text) as CheckpointRecord;
}
