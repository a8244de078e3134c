// pure
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { createParser, type ParserSettings } from "./create-parser.ts";
import { RegexpParser } from "./regexp.ts";

/** Why the parser of these settings refuses a line, for people; undefined when it takes it. Slow: for explanations alone. */
export function refusalOf(settings: ParserSettings, line: string): string | undefined {
  const parser = createParser(settings);
  const bytes = Buffer.from(line);
  if (parser === undefined || parser.object(bytes, 0, bytes.length, new MsgpackWriter(bytes.length), 0) >= 0) return undefined;
  if (parser instanceof RegexpParser) return parser.refusal(line) ?? "the pattern does not match the line";
  if (settings.format === "logfmt") return logfmtRefusal(line);
  return jsonRefusal(line);
}

function jsonRefusal(line: string): string {
  try {
    const value: unknown = JSON.parse(line);
    const kind = Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
    return kind === "a object" ? "nested deeper than 64" : `the line is JSON, but ${kind} and not an object`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function logfmtRefusal(line: string): string {
  if (line.includes("\ufffd")) return "the line is not UTF-8";
  if (!/[^\s="]=/.test(line)) return "the line holds no key=value";
  return (line.match(/(?<!\\)"/g)?.length ?? 0) % 2 === 1 ? "a quote is not closed" : "something between the pairs is neither a key nor a key=value";
}
