// pure
import { crc32 } from "node:zlib";
import type { ShapeMemory } from "./shape/shaper.ts";
import type { FileIdentity, Fingerprint } from "./tail-state.ts";

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
  readonly print: Fingerprint;
};

export type CheckpointRecord =
  | ({ readonly kind: "file" } & FileState)
  | ({ readonly kind: "cut"; readonly number: number; readonly acked?: true } & Cut)
  | { readonly kind: "ack"; readonly number: number; readonly from: number }
  /** The content now lives in another inode: the copy that a copytruncate made. */
  | ({ readonly kind: "move"; readonly number: number } & FileIdentity)
  | { readonly kind: "drop"; readonly number: number };

export type RememberedCut = Cut & { readonly acked: boolean };
export type RememberedFile = { readonly file: FileState; readonly cuts: readonly RememberedCut[] };

export class CheckpointState {
  readonly #files = new Map<number, { file: FileState; cuts: RememberedCut[] }>();

  get files(): readonly RememberedFile[] {
    return [...this.#files.values()];
  }

  /** False when the record does not fit what is known, and then nothing has changed. */
  apply(record: CheckpointRecord): boolean {
    if (record.kind === "file") {
      const { kind: _, ...file } = record;
      this.#files.set(record.number, { file, cuts: [] });
      return true;
    }
    const entry = this.#files.get(record.number);
    if (entry === undefined) return false;
    if (record.kind === "drop") return this.#files.delete(record.number);
    if (record.kind === "move") {
      entry.file = { ...entry.file, dev: record.dev, ino: record.ino, birthNs: record.birthNs };
      return true;
    }
    if (record.kind === "cut") {
      if (record.from !== (entry.cuts.at(-1)?.to ?? entry.file.offset) || record.to <= record.from) return false;
      const { kind: _kind, number: _number, acked, ...cut } = record;
      entry.cuts.push({ ...cut, acked: acked === true });
      return true;
    }
    const index = entry.cuts.findIndex((cut) => cut.from === record.from);
    const cut = entry.cuts[index];
    if (cut === undefined) return false;
    entry.cuts[index] = { ...cut, acked: true };
    this.#advance(entry);
    return true;
  }

  /** The fewest records that add up to this state. */
  snapshot(): readonly CheckpointRecord[] {
    return this.files.flatMap(({ file, cuts }) => [
      { kind: "file" as const, ...file },
      ...cuts.map(({ acked, ...cut }) => ({ kind: "cut" as const, number: file.number, ...cut, ...(acked ? { acked: true as const } : {}) })),
    ]);
  }

  #advance(entry: { file: FileState; cuts: RememberedCut[] }): void {
    for (let first = entry.cuts[0]; first?.acked === true; first = entry.cuts[0]) {
      entry.file = { ...entry.file, offset: first.to, discarding: first.discarding, print: first.print };
      entry.cuts.shift();
    }
  }
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
