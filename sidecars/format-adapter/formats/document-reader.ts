// pure
import { ConversionError } from "../conversion-error.ts";
import { readerLimitsDefault, type RecordHandler, type RecordReader } from "./row.ts";
import { recordsOf, RecordSink, type RecordsPlace, type Tree } from "./tree.ts";

/** How a format of documents is read. `maxBytes`: a document is held in memory, many times its size; a larger one is LIMIT. */
export type DocumentOptions = RecordsPlace & { readonly maxBytes: number };

/** Reads a report that can be understood as a whole only. Without a line end at its end it is INCOMPLETE. */
export function createDocumentReader(options: DocumentOptions, parse: (text: string) => Tree, handler: RecordHandler): RecordReader {
  let pieces: string[] = [];
  let length = 0;
  return {
    push(piece) {
      length += piece.length;
      if (length > options.maxBytes) throw tooLarge(options.maxBytes, 1);
      pieces.push(piece);
    },
    end({ takeUnfinished }) {
      const text = pieces.join("").replace(/^\uFEFF/, "");
      pieces = [];
      if (text.trim() === "") throw new ConversionError("INCOMPLETE", "the document is empty", { line: 1 });
      if (!takeUnfinished && !/[\r\n]$/.test(text)) throw new ConversionError("INCOMPLETE", "the last line has no end", { line: 1 });
      const sink = new RecordSink(handler, readerLimitsDefault);
      for (const record of recordsOf(parse(text), options)) sink.take(record);
    },
  };
}

export function tooLarge(maxBytes: number, line: number): ConversionError {
  return new ConversionError("LIMIT", `a document is larger than ${maxBytes} characters; raise maxSize under in:, and the memory of the container`, { line });
}
