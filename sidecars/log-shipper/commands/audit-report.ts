// pure
import { settledOf, type ByteRange, type Columns, type Loss, type RememberedFile, type Retired } from "../state/checkpoint-log.ts";

/**
 * The account of every file: bytes on disk = acknowledged + filtered + dead-lettered + skipped + pending, each from the saved
 * positions and the size on disk, and the exact ranges behind `pending`.
 */
export type Whereabouts =
  /** The content is at `path`, all of what was read of it is still in place. */
  | { readonly kind: "present"; readonly path: string; readonly size: number }
  /** Neither its file nor a copy of it can be found. */
  | { readonly kind: "gone" }
  /** Its file now holds something else. */
  | { readonly kind: "overwritten" };

export type AuditRow = Columns & {
  /** The name under which the file was first seen. */
  readonly path: string;
  /** Where it is now. */
  readonly at: string | undefined;
  readonly state: "delivered" | "pending" | "delivered, gone" | "lost" | "does not balance";
  readonly bytes: number;
  readonly acked: number;
  readonly pending: number;
  /** What is not delivered and still there, or `lost`. */
  readonly ranges: readonly ByteRange[];
};

export type AuditReport = {
  readonly rows: readonly AuditRow[];
  readonly retired: Retired;
  readonly losses: readonly Loss[];
  /** Nothing is undelivered and nothing was lost. */
  readonly complete: boolean;
};

export function auditRow(remembered: RememberedFile, found: Whereabouts): AuditRow {
  const { file, cuts } = remembered;
  const { acked, columns } = settledOf(remembered);
  const reached = Math.max(file.offset, ...cuts.filter((cut) => cut.acked).map((cut) => cut.to));
  const present = found.kind === "present";
  const end = present ? found.size : Math.max(cuts.at(-1)?.to ?? file.offset, file.seenTo ?? 0);
  const ranges = undelivered(remembered, end);
  const pending = ranges.reduce((sum, range) => sum + range.to - range.from, 0);
  const balanced = end >= reached && acked >= 0 && acked + columns.filtered + columns.deadLettered + columns.skipped + pending === end;
  const state = !balanced ? "does not balance" : present ? (pending === 0 ? "delivered" : "pending") : pending === 0 ? "delivered, gone" : "lost";
  return { path: file.path, at: present ? found.path : undefined, state, bytes: end, acked, ...columns, pending, ranges };
}

/** A matching file that the shipper does not know yet. */
export function unknownRow(path: string, size: number): AuditRow {
  const ranges = size === 0 ? [] : [{ from: 0, to: size }];
  return { path, at: path, state: size === 0 ? "delivered" : "pending", bytes: size, acked: 0, filtered: 0, deadLettered: 0, skipped: 0, pending: size, ranges };
}

export function auditReport(rows: readonly AuditRow[], retired: Retired, losses: readonly Loss[]): AuditReport {
  const complete = retired.lost === 0 && rows.every((row) => row.state === "delivered" || row.state === "delivered, gone");
  return { rows, retired, losses, complete };
}

/** The gaps between what is acknowledged. */
function undelivered({ file, cuts }: RememberedFile, end: number): readonly ByteRange[] {
  const ranges: ByteRange[] = [];
  let from = file.offset;
  for (const cut of cuts) {
    if (!cut.acked) continue;
    if (cut.from > from) ranges.push({ from, to: cut.from });
    from = cut.to;
  }
  if (end > from) ranges.push({ from, to: end });
  return ranges;
}

const headings = ["file", "bytes", "acked", "filtered", "dead-lettered", "skipped", "pending", "state"] as const;

/** The report for people. */
export function renderAudit({ rows, retired, losses, complete }: AuditReport): string {
  const cells = rows.map((row) => [row.at === undefined || row.at === row.path ? row.path : `${row.path} (now ${row.at})`, row.bytes, row.acked, row.filtered, row.deadLettered, row.skipped, row.pending, row.state]);
  if (retired.contents > 0) {
    const { acked, filtered, deadLettered, skipped } = retired;
    cells.push([`${retired.contents} contents no longer followed`, acked + filtered + deadLettered + skipped, acked, filtered, deadLettered, skipped, 0, "settled"]);
  }
  const lines = table([[...headings], ...cells]);
  for (const row of rows) for (const { from, to } of row.ranges) lines.push(`${row.state === "lost" ? "lost" : "undelivered"}: ${row.path} bytes ${from} to ${to} (${to - from})`);
  for (const { path, from, to } of losses) lines.push(`lost earlier: ${path} bytes ${from} to ${to} (${to - from})`);
  if (retired.lost > 0) lines.push(`lost in all: ${retired.lost} bytes`);
  lines.push(complete ? "Nothing is missing: every byte is acknowledged, filtered, dead-lettered or skipped." : "Not everything is delivered.");
  return `${lines.join("\n")}\n`;
}

function table(rows: readonly (readonly (string | number)[])[]): string[] {
  const widths = headings.map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  return rows.map((row) => row.map((cell, column) => (column === 0 || column === headings.length - 1 ? String(cell).padEnd(widths[column] ?? 0) : String(cell).padStart(widths[column] ?? 0))).join("  ").trimEnd());
}
