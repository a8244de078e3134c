// pure
import type { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { JsonTranscoder } from "./json.ts";
import { writeLogfmt } from "./logfmt.ts";
import { RegexpParser, type RegexpConfig } from "./regexp.ts";

/** Makes fields of a line's bytes. */
export interface LineParser {
  /**
   * Appends the fields of the line in `bytes[from, end)` as a MessagePack map; returns their number, or -1, appending nothing, when the
   * line is not of the form. `extraPairs` raises the count in the map's header: the caller appends that many pairs itself.
   */
  object(bytes: Buffer, from: number, end: number, writer: MsgpackWriter, extraPairs: number): number;
}

export type ParserSettings = { readonly format: "raw" | "json" | "logfmt" | "regexp"; readonly regexp: RegexpConfig | undefined };

/** The parser of a source's settings; undefined when its lines are shipped as they are. */
export function createParser({ format, regexp }: ParserSettings): LineParser | undefined {
  if (format === "json") return new JsonTranscoder();
  if (format === "logfmt") return logfmtParser;
  return format === "regexp" && regexp !== undefined ? new RegexpParser(regexp) : undefined;
}

/** Text of a line that is not UTF-8 would not keep its bytes, so such a line is refused. */
const logfmtParser: LineParser = {
  object(bytes, from, end, writer, extraPairs) {
    const text = bytes.toString("utf8", from, end);
    return text.includes("\ufffd") ? -1 : writeLogfmt(text, writer, extraPairs);
  },
};
