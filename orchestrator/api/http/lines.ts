import { StringDecoder } from "node:string_decoder";

/** Newline-delimited text of a byte stream. A line longer than `bytesMax` fails, so that a broken peer cannot fill memory. */
export async function* splitLines(chunks: AsyncIterable<unknown>, bytesMax: number): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder("utf8");
  let carried = "";
  for await (const chunk of chunks) {
    if (!(chunk instanceof Uint8Array)) continue;
    const lines = (carried + decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))).split("\n");
    carried = lines.pop() ?? "";
    if (carried.length > bytesMax) throw new RangeError(`Cannot read the stream: a line has more than ${bytesMax} characters`);
    for (const line of lines) if (line !== "") yield line;
  }
}
