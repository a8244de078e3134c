// pure
import { recordId, type Chunk } from "./chunk.ts";
import { skipValue } from "../forward-protocol/msgpack-reader.ts";
import { EntryTime } from "../sinks/entry.ts";
import { IsoTimes } from "../sinks/iso-time.ts";
import type { JsonWriter } from "../sinks/json-writer.ts";

/** Records of a chunk that a destination refused; `letters` by ascending index. */
export type Burial = { readonly sink: string; readonly chunk: Chunk; readonly letters: readonly { readonly index: number; readonly status: number; readonly reason: string }[] };

/**
 * One line of JSON per refused record: when and where it came from, why it was refused, and the record. `offset` and `bytes` tell
 * which bytes of the source are its own. Where text of the record was not UTF-8, `msgpack` has the whole entry, base64, beside what
 * can be shown.
 */
export function writeDeadLetters(writer: JsonWriter, { sink, chunk, letters }: Burial): void {
  const { entries, origin } = chunk;
  const wanted = new Map(letters.map((letter) => [letter.index, letter]));
  const time = new EntryTime();
  const times = new IsoTimes();
  let at = 0;
  for (let index = 0; at < entries.length && wanted.size > 0; index++) {
    const end = skipValue(entries, at, entries.length);
    const letter = wanted.get(index);
    if (letter !== undefined) {
      wanted.delete(index);
      writer.ascii('{"reason":');
      writer.text(letter.reason);
      writer.ascii(`,"status":${letter.status},"sink":`);
      writer.text(sink);
      writer.ascii(',"tag":');
      writer.text(chunk.tag);
      writer.ascii(`,"id":"${recordId(origin, index)}","content":`);
      writer.text(origin.content);
      if (origin.path !== undefined) {
        writer.ascii(',"path":');
        writer.text(origin.path);
      }
      writer.ascii(`,"offset":${origin.from + (origin.spans[index * 2] ?? 0)},"bytes":${origin.spans[index * 2 + 1] ?? 0},"time":"`);
      const mapAt = time.read(entries, at);
      times.write(writer, time);
      writer.ascii('","record":');
      const { replaced } = writer;
      writer.record(entries, mapAt);
      if (writer.replaced > replaced) writer.ascii(`,"msgpack":"${Buffer.from(entries.subarray(at, end)).toString("base64")}"`);
      writer.ascii("}\n");
    }
    at = end;
  }
}
