// pure
// What clients saw, as text: one row per tenth of a second, uneventful rows put together.

/** How one request went. `refused`: an explicit error that says it was not executed; `uncertain`: one that says it may have been. */
export type Result = "ok" | "refused" | "uncertain" | "failed" | "stale" | "closed";

export type Kind = "read" | "readback" | "write" | "pipeline" | "blocking" | "pubsub" | "big";

/** Times are milliseconds since the recording began. `text` tells what was wrong. */
export type Seen = { readonly kind: Kind; readonly begunMs: number; readonly endedMs: number; readonly result: Result; readonly text: string };

export type Happening = { readonly atMs: number; readonly what: string };

const rowMs = 100, heldAfterMs = 100;
type Cell = { ok: number; refused: number; uncertain: number; failed: number; stale: number; closed: number; held: number };
type Row = { fromMs: number; toMs: number; readonly reads: Cell; readonly writes: Cell; readonly others: Cell; longestMs: number; readonly events: string[] };

const emptyCell = (): Cell => ({ ok: 0, refused: 0, uncertain: 0, failed: 0, stale: 0, closed: 0, held: 0 });
const columnOf = (kind: Kind): "reads" | "writes" | "others" => (kind === "read" || kind === "readback" ? "reads" : kind === "write" ? "writes" : "others");
/** Rows are put together while nothing happens in them and as many are held as before. */
const isEventless = (row: Row): boolean => row.events.length === 0 && row.longestMs < heldAfterMs
  && [row.reads, row.writes, row.others].every((cell) => cell.refused + cell.uncertain + cell.failed + cell.stale + cell.closed === 0);
const sameHeld = (one: Row, other: Row): boolean => (["reads", "writes", "others"] as const).every((column) => one[column].held === other[column].held);

/** The rows of a recording that lasted `lengthMs`. A request counts where it ended; in the rows before, after its first 100 ms, as held. */
function rowsOf(seen: readonly Seen[], happenings: readonly Happening[], lengthMs: number): Row[] {
  const rows = Array.from({ length: Math.ceil(lengthMs / rowMs) + 1 }, (_, index): Row => ({
    fromMs: index * rowMs, toMs: (index + 1) * rowMs, reads: emptyCell(), writes: emptyCell(), others: emptyCell(), longestMs: 0, events: [],
  }));
  for (const { kind, begunMs, endedMs, result, text } of seen) {
    const end = rows[Math.floor(endedMs / rowMs)];
    if (end === undefined) continue;
    const column = columnOf(kind);
    end[column][result] += 1;
    // A client that waits for a job or a message is not being stalled.
    if (kind !== "blocking" && kind !== "pubsub") {
      end.longestMs = Math.max(end.longestMs, endedMs - begunMs);
      for (let at = Math.floor((begunMs + heldAfterMs) / rowMs); at < Math.floor(endedMs / rowMs); at += 1) {
        const row = rows[at];
        if (row !== undefined) row[column].held += 1;
      }
    }
    if (result !== "ok" && end.events.length < 3) end.events.push(`${kind} ${result}: ${text.slice(0, 90)}`);
  }
  for (const { atMs, what } of happenings) rows[Math.floor(atMs / rowMs)]?.events.unshift(what);
  return rows;
}

function joinEventless(rows: readonly Row[]): Row[] {
  const joined: Row[] = [];
  for (const row of rows) {
    const last = joined.at(-1);
    if (last === undefined || !isEventless(last) || !isEventless(row) || !sameHeld(last, row)) {
      joined.push(row);
      continue;
    }
    last.toMs = row.toMs;
    last.longestMs = Math.max(last.longestMs, row.longestMs);
    for (const column of ["reads", "writes", "others"] as const) last[column].ok += row[column].ok;
  }
  return joined;
}

const cellText = (cell: Cell): string => {
  const odd = (["refused", "uncertain", "failed", "stale", "closed", "held"] as const).filter((name) => cell[name] > 0).map((name) => `${cell[name]} ${name}`);
  return [String(cell.ok), ...odd].join(", ");
};

/** Rows of "from-to s | reads | writes | others | longest ms | what happened". Counts without a word are requests that went well. */
export function drawTimeline(seen: readonly Seen[], happenings: readonly Happening[], lengthMs: number): string {
  const rows = joinEventless(rowsOf(seen, happenings, lengthMs)).map((row) => [
    `${(row.fromMs / 1000).toFixed(1)}-${(row.toMs / 1000).toFixed(1)}`, cellText(row.reads), cellText(row.writes), cellText(row.others), String(Math.round(row.longestMs)), row.events.join("; "),
  ]);
  const table = [["seconds", "reads", "writes", "others", "longest ms", "what happened"], ...rows];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ").trimEnd()).join("\n");
}
