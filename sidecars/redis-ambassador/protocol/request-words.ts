// pure
import { argumentIs } from "../commands/key-positions.ts";
import type { RequestScanner } from "./request-scanner.ts";

/** Whether the scanned XREAD or XREADGROUP may wait on the server. */
export function hasBlockOption(scanner: RequestScanner, bytes: Uint8Array): boolean {
  const args = { bytes, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd };
  for (let index = 1; index < scanner.argc; index += 1) {
    if (argumentIs(args, index, "STREAMS")) return false;
    if (argumentIs(args, index, "BLOCK")) return true;
    // GROUP and CONSUMER names could read "block".
    if (argumentIs(args, index, "GROUP")) index += 2;
  }
  return false;
}

/** The words of the scanned request as latin1 text, made only when somebody asks. */
export function wordsReader(scanner: RequestScanner, bytes: Buffer): () => string[] {
  const { argc } = scanner;
  const starts = scanner.argStart.slice(0, argc), ends = scanner.argEnd.slice(0, argc);
  return () => starts.map((start, index) => bytes.toString("latin1", start, ends[index]));
}
