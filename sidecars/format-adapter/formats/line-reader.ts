// pure
import { ConversionError } from "../conversion-error.ts";
import { readerLimitsDefault, type RecordReader } from "./row.ts";

/**
 * A reader of lines, each ended by LF, CRLF or CR, without their ends. A BOM at the start is passed over. `end` is called when all lines
 * were given. A last line without an end is INCOMPLETE unless it is to be taken.
 */
export function createLineReader(take: (text: string, line: number) => void, end: (line: number) => void = () => undefined): RecordReader {
  const charsMax = readerLimitsDefault.recordCharsMax;
  let rest = "";
  let line = 0;
  let isFirst = true;
  const drain = (isLast: boolean): void => {
    // A CR at the end may have its LF to come.
    const lines = rest.split(isLast ? /\r\n|\n|\r/ : /\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const text of lines) take(text, ++line);
  };
  return {
    push(given) {
      rest += isFirst && given.startsWith("\uFEFF") ? given.slice(1) : given;
      if (given !== "") isFirst = false;
      drain(false);
      if (rest.length > charsMax) throw new ConversionError("LIMIT", `a line is longer than ${charsMax} characters`, { line: line + 1, sample: rest });
    },
    end({ takeUnfinished }) {
      drain(true);
      if (rest !== "" && !takeUnfinished) throw new ConversionError("INCOMPLETE", "the last line has no end", { line: line + 1, sample: rest });
      if (rest !== "") take(rest, ++line);
      end(line + 1);
    },
  };
}
