/**
 * The hot core: log lines to Forward entries, in the language AssemblyScript (https://www.assemblyscript.org), compiled by
 * setup/compile-assembly.ts. What it makes is defined by the TypeScript reference, encode/line-encoder.ts with encode/framing.ts and
 * parse/json.ts, and for filters by shape/create-shaper.ts; tests hold both to the same bytes.
 *
 * Memory, in pages of 64 KiB, is imported with a fixed size and never grows, so that the host's views stay valid:
 *   page 0       constants of the module, and from 32768 what the host writes before each range
 *   pages 1, 2   keys of the objects that are open in the JSON line under way
 *   from page 3  input, output and spans, and the area for shaping (record.ts), placed by the host
 *
 * Blocks of 16 bytes are read and written up to 31 bytes past the end of what they are about. Behind the input and the output
 * lies slack for that; within the output the next write covers it.
 */
export { at, configure, discardedBytes, discarding, lineStart, open, openOutput, output, records, run, takeRest, unparsed } from "./lines";
export { describeShape, droppedBytes, entry, kept, openShape, pass, shape, span } from "./shape";
export { shaped } from "./record";
