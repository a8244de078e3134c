// pure
import { ConversionError } from "../conversion-error.ts";
import type { RecordHandler } from "./row.ts";

/**
 * What `parse` makes of a record that is a line, so that its end is certain however wrong it is. Undefined when it is wrong and the handler takes
 * it; throws otherwise. A record beyond a limit refuses the report: what comes next may be as large.
 */
export function parseLine<T>(handler: RecordHandler, text: string, line: number, parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (handler.onFault === undefined || !(error instanceof ConversionError) || error.code === "LIMIT") throw error;
    handler.onFault({ error, row: { line, text: () => undefined, kind: () => undefined }, raw: text });
    return undefined;
  }
}
