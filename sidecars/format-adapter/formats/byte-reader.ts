// pure
import { isUtf8 } from "node:buffer";
import { Core } from "../engine/core.ts";
import { explainRecord, recordFault } from "../engine/explain.ts";
import { Scanner } from "../engine/scanner.ts";
import { notUtf8, unfinishedBytes, validPrefix } from "../engine/utf8.ts";
import { countLineEnds } from "./line-ends.ts";
import { refuseUtf16 } from "./byte-order.ts";
import type { EngineInput } from "./options.ts";
import { readerLimitsDefault, type RecordHandler, type RecordReader } from "./row.ts";

/**
 * Takes a report in pieces of bytes, cut anywhere, and hands out its records while a piece is pushed. A row is valid until the
 * handler returns. Throws ConversionError.
 */
export type ByteReader = {
  push(bytes: Uint8Array): void;
  /** As push, with pauses, of a reader that makes much of few bytes: what came of the records so far can be taken then. */
  steps?(bytes: Uint8Array): Iterable<void>;
  /** As of RecordReader. */
  end(options: { readonly takeUnfinished: boolean }): void;
  /** Gives its memory to the next reader, if it has any worth that. May be left out; nothing may be pushed afterwards. */
  close?(): void;
};

/** A reader of text as a reader of UTF-8. */
export function readerOfUtf8(reader: RecordReader): ByteReader {
  /** The beginning of a character whose end is to come. */
  let carry = Buffer.alloc(0);
  let line = 1;
  let isFirst = true;
  let afterReturn = false;
  const pass = (bytes: Buffer): void => {
    const text = bytes.toString("utf8");
    line += countLineEnds(text) - (afterReturn && text.startsWith("\n") ? 1 : 0);
    if (text !== "") afterReturn = text.endsWith("\r");
    reader.push(text);
  };
  /** What stands before the fault is read first: it may be wrong too. */
  const passChecked = (bytes: Buffer): void => {
    if (isUtf8(bytes)) return pass(bytes);
    const good = validPrefix(bytes);
    pass(bytes.subarray(0, good));
    throw notUtf8(line, bytes.subarray(good));
  };
  return {
    push(bytes) {
      if (isFirst) refuseUtf16(bytes);
      isFirst &&= bytes.length === 0;
      const all = Buffer.concat([carry, bytes]);
      const whole = all.length - unfinishedBytes(all);
      passChecked(all.subarray(0, whole));
      carry = Buffer.from(all.subarray(whole));
    },
    end(options) {
      if (carry.length > 0) throw notUtf8(line, carry);
      reader.end(options);
    },
  };
}

/** The engine's reading half alone, for outputs that it does not write. */
export function createScannerReader(input: EngineInput, handler: RecordHandler): ByteReader {
  const core = new Core();
  const { onFault } = handler;
  const scanner: Scanner = new Scanner({
    core,
    input,
    recordBytesMax: readerLimitsDefault.recordCharsMax,
    columnsMax: readerLimitsDefault.columnsMax,
    onColumns: (columns, line) => handler.onColumns(columns, line),
    explain: (text, line, isWhole) => explainRecord(input, text, { line, columns: scanner.columns, isWhole }),
    onFault: onFault === undefined ? undefined : (text, line) => onFault(recordFault(input, text, { line, columns: scanner.columns })),
  });
  const use = (rows: number): readonly never[] => {
    for (let row = 0; row < rows; row++) handler.onRow(scanner.row(row));
    return [];
  };
  const scan = (isLast: boolean): void => {
    scanner.scan(isLast, use).next();
  };
  return {
    push(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const room = scanner.room();
        const count = Math.min(room.length, bytes.length - at);
        room.set(bytes.subarray(at, at + count));
        scanner.filled(count);
        at += count;
        scan(false);
      }
    },
    end({ takeUnfinished }) {
      if (takeUnfinished) scanner.closeLine();
      scan(true);
      scanner.checkEnd();
    },
    close: () => core.release(),
  };
}
