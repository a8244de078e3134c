// pure
import { crc32 } from "node:zlib";
import { contentHashName } from "../hash/content-hash.ts";

const version = 2;
type Header = { readonly ledger: number; readonly hash: string };

/** What became of one input with one content under one mapping. */
export type LedgerEntry = {
  readonly path: string;
  /** The adapter that took it. */
  readonly adapter: string;
  /** Device, inode, size and times: equal means unread, so that the content need not be hashed again. */
  readonly stat: string;
  readonly content: string;
  readonly mapping: string;
  readonly mappingHash: string;
  readonly outcome: "adapted" | "quarantined";
  readonly output: string | undefined;
  readonly rows: number;
  /** Which rules chose the mapping; absent in entries of earlier versions. */
  readonly detect?: string;
  /** What stands at `output` since, by identityOfOutput; so that it is not taken for an input where folders are adapted both ways. */
  readonly published?: string;
  /** What stood there before, while the one is being replaced by the other. */
  readonly publishedBefore?: string;
  /** Device and inode of the watched folder. */
  readonly folder?: string;
  /** The input is there no more; kept because its output is. */
  readonly inputGone?: true;
  /** How far a growing report was adapted. */
  readonly stream?: StreamPosition;
};

export type StreamPosition = {
  /** Everything before this byte is adapted or refused. */
  readonly offset: number;
  /** Number of the last segment; never goes back for one name. */
  readonly segment: number;
  /** The segment that is being published, from `offset` to here: after a crash exactly it is published again. */
  readonly until?: number;
  /** Records adapted so far. */
  readonly rows: number;
  /** Hash of the report's first bytes, and how many: another start means another report under the old inode. */
  readonly head: string;
  readonly headBytes: number;
};

export type Forgotten = { readonly path: string; readonly adapter: string; readonly gone: true };

/** What an entry is found by: two adapters may take the same input. */
export function entryKey({ adapter, path }: { readonly adapter: string; readonly path: string }): string {
  return `${adapter}\0${path}`;
}

/** The first line: which form the others have, and by what the content was hashed. */
export function encodeHeader(): string {
  return encodeLine({ ledger: version, hash: contentHashName });
}

/** One line: CRC-32 of the JSON text as 8 hex digits, a space, the JSON text. */
export function encodeEntry(entry: LedgerEntry | Forgotten): string {
  return encodeLine(entry);
}

function encodeLine(entry: LedgerEntry | Forgotten | Header): string {
  const json = JSON.stringify(entry);
  return `${crc(json)} ${json}\n`;
}

/**
 * The entries of a ledger file, latest for each entryKey. A torn or damaged line is left out and counted; what follows it still counts. Where
 * the content was hashed in another way than now (or the header that told it is lost), the hash is left empty: it equals none. What another version
 * of this program wrote in another form is left out whole (`otherVersion`).
 */
export function decodeLedger(text: string): { readonly entries: ReadonlyMap<string, LedgerEntry>; readonly damagedLines: number; readonly otherVersion?: number } {
  const entries = new Map<string, LedgerEntry>();
  const texts = new Map<string, string>();
  let damagedLines = 0;
  let isHashKnown = false;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const json = line.slice(9);
    if (line[8] !== " " || line.slice(0, 8) !== crc(json)) {
      damagedLines++;
      continue;
    }
    // The checksum vouches that this is a line of ours.
    const entry = JSON.parse(json) as LedgerEntry | Forgotten | Header;
    if ("ledger" in entry && entry.ledger !== version) return { entries: new Map(), damagedLines, otherVersion: entry.ledger };
    if ("ledger" in entry) isHashKnown = entry.hash === contentHashName;
    else if ("gone" in entry) entries.delete(entryKey(entry));
    else entries.set(entryKey(entry), sharing(isHashKnown ? entry : { ...entry, content: "" }, texts));
  }
  return { entries, damagedLines };
}

/** One text for what many entries have in common: each is a text of its own when it is read. */
function sharing(entry: LedgerEntry, texts: Map<string, string>): LedgerEntry {
  const shared = (text: string): string => {
    const known = texts.get(text);
    if (known === undefined) texts.set(text, text);
    return known ?? text;
  };
  const { adapter, mapping, mappingHash, detect, folder } = entry;
  return {
    ...entry, adapter: shared(adapter), mapping: shared(mapping), mappingHash: shared(mappingHash),
    ...(detect === undefined ? {} : { detect: shared(detect) }),
    ...(folder === undefined ? {} : { folder: shared(folder) }),
  };
}

function crc(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
