// Converts a report that is made while it is read, and prints what came of it and the most memory that this process had.
import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { convertReport } from "../../../sidecars/format-adapter/convert.ts";
import { mappingOf } from "./support.ts";

const [, , settings = "", fields = "{a: a, b: b}", start = "", more = "", length = "0", end = ""] = process.argv;
const mapping = mappingOf({ in: `{format: csv, strict: false${settings}}`, fields });

/** `start`, `more` again and again up to `length` bytes, `end`. */
function* report(): Generator<Buffer> {
  yield Buffer.from(start);
  const block = Buffer.from(more.repeat(Math.ceil(65_536 / Math.max(1, more.length))));
  for (let left = Number(length); left > 0; left -= block.length) yield block.subarray(0, left);
  yield Buffer.from(end);
}

const pieces = report();
let piece: Buffer = Buffer.alloc(0);
let [read, written] = [0, 0];
const source = {
  read(room: Buffer): Promise<number> {
    let at = 0;
    while (at < room.length) {
      if (piece.length === 0) {
        const next = pieces.next();
        if (next.done === true) break;
        piece = next.value;
      }
      const count = piece.copy(room, at);
      piece = piece.subarray(count);
      at += count;
    }
    read += at;
    return Promise.resolve(at);
  },
};
let outcome = "converted";
try {
  const { rows } = await convertReport({ mapping, source, write: (bytes) => Promise.resolve(void (written += bytes.length)), takeUnfinished: false, signal: new AbortController().signal });
  outcome = `${rows} rows`;
} catch (error) {
  if (!(error instanceof ConversionError)) throw error;
  outcome = `${error.code} line ${error.line}`;
}
console.log(JSON.stringify({ outcome, read, written, peakMiB: process.resourceUsage().maxRSS / 1024 }));
