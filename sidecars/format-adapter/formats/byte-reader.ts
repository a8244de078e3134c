// pure
import { ConversionError } from "../conversion-error.ts";
import { Core } from "../engine/core.ts";
import { explainRecord } from "../engine/explain.ts";
import { Scanner } from "../engine/scanner.ts";
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
  /** As of RecordReader. */
  end(options: { readonly takeUnfinished: boolean }): void;
  /** Gives its memory to the next reader, if it has any worth that. May be left out; nothing may be pushed afterwards. */
  close?(): void;
};

/** A reader of text as a reader of UTF-8. */
export function readerOfUtf8(reader: RecordReader): ByteReader {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let line = 1;
  let isFirst = true;
  const decode = (bytes: Uint8Array, isLast: boolean): string => {
    try {
      const text = decoder.decode(bytes, { stream: !isLast });
      line += countLineEnds(text);
      return text;
    } catch {
      // From this piece on; where in it would take a second look.
      throw new ConversionError("ENCODING", "the file is not UTF-8", { line });
    }
  };
  return {
    push(bytes) {
      if (isFirst) refuseUtf16(bytes);
      isFirst &&= bytes.length === 0;
      reader.push(decode(bytes, false));
    },
    end(options) {
      reader.push(decode(new Uint8Array(), true));
      reader.end(options);
    },
  };
}

/** The engine's reading half alone, for outputs that it does not write. */
export function createScannerReader(input: EngineInput, handler: RecordHandler): ByteReader {
  const core = new Core();
  const scanner: Scanner = new Scanner({
    core,
    input,
    recordBytesMax: readerLimitsDefault.recordCharsMax,
    columnsMax: readerLimitsDefault.columnsMax,
    onColumns: (columns, line) => handler.onColumns(columns, line),
    explain: (text, line, isWhole) => explainRecord(input, text, { line, columns: scanner.columns.length, isWhole }),
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
