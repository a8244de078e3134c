import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { ConversionError } from "../conversion-error.ts";
import { checkCompression, unpack, type ByteSource } from "../formats/compression.ts";
import { createByteReader } from "../formats/create-reader.ts";
import type { ExportedSource } from "./exporter-config.ts";
import { SeriesCollector, type Reading } from "./series.ts";

/** `atMs`: when the values were true: the file's time of change, or the time of the answer. */
export type SourceReading = Reading & { readonly atMs: number };

/**
 * Reads a source once, whole. Throws ConversionError for what is not as the mapping says, and the faults of files and connections. A file that
 * changes meanwhile is an error; the next reading will find it whole.
 */
export async function readExported(source: ExportedSource, nowMs: () => number, signal: AbortSignal): Promise<SourceReading> {
  const timed = AbortSignal.any([signal, AbortSignal.timeout(source.timeoutMs)]);
  return source.place.kind === "file" ? await readFile(source, source.place.path, timed) : await readAnswer(source, source.place.url, { nowMs, signal: timed });
}

async function readFile(source: ExportedSource, path: string, signal: AbortSignal): Promise<SourceReading> {
  // A pipe in the file's place must not hold us up.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) throw new Error(`${path} is not a file`);
    const reading = await collect(source, { read: async (room) => (await file.read(room, 0, room.length, null)).bytesRead }, signal);
    const after = await file.stat({ bigint: true });
    if (after.mtimeNs !== before.mtimeNs || after.size !== before.size || after.ctimeNs !== before.ctimeNs) throw new Error(`${path} changed while it was read`);
    return { ...reading, atMs: Number(before.mtimeMs) };
  } finally {
    await file.close();
  }
}

async function readAnswer(source: ExportedSource, url: string, { nowMs, signal }: { readonly nowMs: () => number; readonly signal: AbortSignal }): Promise<SourceReading> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    // No agent: one connection each time, so that a restarted application never meets a dead one. Redirections are not followed.
    get(url, { agent: false, signal, headers: { "accept-encoding": "identity", "user-agent": "podkit-format-adapter" } }, resolve).on("error", reject);
  });
  try {
    if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}`);
    const chunks = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let rest: Buffer = Buffer.alloc(0);
    const reading = await collect(source, {
      async read(room) {
        while (rest.length === 0) {
          const next = await chunks.next();
          if (next.done === true) return 0;
          rest = next.value;
        }
        const count = rest.copy(room);
        rest = rest.subarray(count);
        return count;
      },
    }, signal);
    return { ...reading, atMs: nowMs() };
  } finally {
    answer.destroy();
  }
}

async function collect(source: ExportedSource, bytes: ByteSource, signal: AbortSignal): Promise<Reading> {
  const collector = new SeriesCollector(source);
  const unpacked = await unpack(bytes);
  try {
    checkCompression(source.input.compression, unpacked.compression);
    const reader = createByteReader(source.input, { onColumns: (columns, line) => collector.onColumns(columns, line), onRow: (row) => collector.onRow(row) });
    const room = Buffer.allocUnsafe(65_536);
    let total = 0;
    for (let count = await unpacked.read(room); count > 0; count = await unpacked.read(room)) {
      signal.throwIfAborted();
      total += count;
      if (total > source.maxBytes) throw new ConversionError("LIMIT", `larger than maxSize, ${source.maxBytes} bytes`, { line: 1 });
      reader.push(room.subarray(0, count));
    }
    reader.end({ takeUnfinished: true });
    return collector.reading();
  } finally {
    unpacked.close();
  }
}
