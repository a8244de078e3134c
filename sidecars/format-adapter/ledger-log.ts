// pure
import { crc32 } from "node:zlib";

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
};

export type Forgotten = { readonly path: string; readonly adapter: string; readonly gone: true };

/** What an entry is found by: two adapters may take the same input. */
export function entryKey({ adapter, path }: { readonly adapter: string; readonly path: string }): string {
  return `${adapter}\0${path}`;
}

/** One line: CRC-32 of the JSON text as 8 hex digits, a space, the JSON text. */
export function encodeEntry(entry: LedgerEntry | Forgotten): string {
  const json = JSON.stringify(entry);
  return `${crc(json)} ${json}\n`;
}

/** The entries of a ledger file, latest for each entryKey. A torn or damaged line is left out and counted; what follows it still counts. */
export function decodeLedger(text: string): { readonly entries: ReadonlyMap<string, LedgerEntry>; readonly damagedLines: number } {
  const entries = new Map<string, LedgerEntry>();
  let damagedLines = 0;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const json = line.slice(9);
    if (line[8] !== " " || line.slice(0, 8) !== crc(json)) {
      damagedLines++;
      continue;
    }
    // The checksum vouches that this is a line of ours.
    const entry = JSON.parse(json) as LedgerEntry | Forgotten;
    if ("gone" in entry) entries.delete(entryKey(entry));
    else entries.set(entryKey(entry), entry);
  }
  return { entries, damagedLines };
}

function crc(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
