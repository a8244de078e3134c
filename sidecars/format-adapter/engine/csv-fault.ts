// pure
import type { CsvDialect } from "../formats/csv-dialect.ts";
import { parseRecord, syntaxOf } from "../formats/csv-record.ts";

const lookBytes = 4_096;

/**
 * Where the record ends that the bytes begin with and that the core has refused. "unknown" when its quotes leave that open, "more" when
 * its end is not there.
 */
export function wrongRecordEnd(bytes: Buffer, dialect: CsvDialect, isLast: boolean): number | "unknown" | "more" {
  const syntax = syntaxOf(dialect);
  // Records are mostly short, and there may be many wrong ones in a block.
  for (let length = lookBytes; ; length *= 4) {
    const isAll = length >= bytes.length;
    // A character a byte: what shapes a record is ASCII.
    const parsed = parseRecord(bytes.toString("latin1", 0, length), 0, syntax, { isLast: isAll && isLast, seeksEnd: true });
    if (parsed.kind === "more" && !isAll) continue;
    const record = parsed.kind === "record" ? parsed : parsed.kind === "fault" ? parsed.record : undefined;
    if (record !== undefined) return record.ended ? record.end : "more";
    return parsed.kind === "more" ? "more" : "unknown";
  }
}
