import type { Readable } from "node:stream";
import type { Json } from "./engine-json.ts";

const lineBytesMax = 4 * 1024 * 1024;

/** JSON values of a body that holds one per line. Throws Error on a line that is not JSON or longer than 4 MiB. */
export async function* jsonLines(body: Readable): AsyncGenerator {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array)) continue;
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > lineBytesMax) throw new Error(`the engine sent a line longer than ${lineBytesMax} bytes`);
    for (const line of lines) if (line.trim() !== "") yield parse(line);
  }
  if (rest.trim() !== "") yield parse(rest);
}

function parse(line: string): Json {
  const value: Json = JSON.parse(line);
  return value;
}
