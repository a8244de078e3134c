// pure
import { blockBytes, blocks } from "../blocks.ts";
import { ConversionError } from "../conversion-error.ts";
import type { ByteSource } from "../formats/compression.ts";
import type { Mapping } from "../mapping/mapping.ts";
import type { Pace } from "../pace.ts";
import { Detection, type Detecting, type Step } from "./detection.ts";

/** What is held to tell a version: as much as a record may be. */
const heldBytesMax = 16_777_216;
/** A rule that so many bytes do not decide gives way to a later one that holds. What is chosen must not depend on how the report is cut. */
const patienceBytes = 262_144;

/**
 * As chooseMapping, from a source that is read until it is known; gives what was read too. Others get their turn between its pieces. Throws LIMIT when
 * much of it tells nothing, and the signal's reason when it is aborted.
 */
export async function detectMapping(adapter: Detecting, name: string, source: ByteSource, { signal, pace }: { readonly signal?: AbortSignal; readonly pace?: Pace } = {}): Promise<{ readonly bytes: Buffer; readonly mapping: Mapping }> {
  const [only] = adapter.mappings;
  if (adapter.detect.length === 0 && only !== undefined) return { bytes: Buffer.alloc(0), mapping: only };
  const take = async (steps: Iterable<Step>): Promise<void> => {
    for (const step of steps) {
      if (pace === undefined) step();
      else pace.measure(step);
      // Small reports, of which there may be thousands, are over by now.
      if (pieces.length > 1) await nextTurn();
      signal?.throwIfAborted();
    }
    pace?.adjust();
  };
  const pieces: Buffer[] = [await readStart(source)];
  let length = pieces[0]?.length ?? 0;
  for (let isAll = length === 0; ; ) {
    const detection = new Detection(adapter, name, { pieces, isAll });
    await take(detection.tryRules());
    const mapping = detection.chosen(isAll || length >= patienceBytes);
    if (mapping !== undefined) return { bytes: Buffer.concat(pieces), mapping };
    if (isAll) {
      await take(detection.readWhole());
      const atEnd = detection.atEnd();
      if (atEnd instanceof ConversionError) throw atEnd;
      return { bytes: Buffer.concat(pieces), mapping: atEnd };
    }
    if (length >= heldBytesMax) throw new ConversionError("LIMIT", `the first ${heldBytesMax} bytes of the report do not tell its version; let the first record come earlier, or tell versions by name:`, { line: 1 });
    // Twice as much each time, to a whole power of two, so that a long first record is not read over and over.
    const wanted = 2 ** Math.floor(Math.log2(Math.max(length, blockBytes / 2)) + 1);
    while (!isAll && length < wanted) {
      const piece = await readPiece(source, Math.min(pace?.blockBytes ?? blockBytes, wanted - length));
      pieces.push(piece);
      length += piece.length;
      isAll = piece.length === 0;
      signal?.throwIfAborted();
    }
  }
}

/** As many bytes as asked for, or all that there are: packed reports come in small ones. */
async function readPiece(source: ByteSource, wanted: number): Promise<Buffer> {
  const room = Buffer.allocUnsafeSlow(wanted);
  let length = 0;
  for (let count = 1; count > 0 && length < wanted; length += count) count = await source.read(room.subarray(length));
  return room.subarray(0, length);
}

/** What one read gives: most reports are all there then. */
async function readStart(source: ByteSource): Promise<Buffer> {
  const room = blocks.take();
  const piece = Buffer.from(room.subarray(0, await source.read(room)));
  blocks.give(room);
  return piece;
}

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
