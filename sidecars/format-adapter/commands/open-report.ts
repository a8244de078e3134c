import { open } from "node:fs/promises";
import { unpack, type ByteSource } from "../formats/compression.ts";
import { ReportInput, type ReadableFile } from "../report-input.ts";
import { standardInput, standardInputFile } from "./standard-input.ts";

/** Opens a file; it is closed when `use` is over. Throws what the system refuses. */
export async function withFile<T>(path: string, use: (file: ReadableFile) => Promise<T>): Promise<T> {
  if (path === standardInput) return await use(standardInputFile);
  const file = await open(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Opens a report and gives its bytes, unpacked; they are closed when `use` is over. Throws what the system refuses, and ConversionError. */
export async function withReport<T>(path: string, use: (source: ByteSource, file: ReadableFile) => Promise<T>): Promise<T> {
  return await withFile(path, async (file) => {
    const packed = new ReportInput(file);
    try {
      const source = await unpack(packed);
      try {
        return await use(source, file);
      } finally {
        source.close();
      }
    } finally {
      packed.close();
    }
  });
}
