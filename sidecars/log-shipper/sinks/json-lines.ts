// pure
import type { Chunk } from "../delivery/chunk.ts";
import { EntryTime } from "./entry.ts";
import { IsoTimes } from "./iso-time.ts";
import { JsonWriter } from "./json-writer.ts";

/** Writes the records of chunks as lines of `{"time","tag","record"}`, with times to the nanosecond. */
export class JsonLines {
  readonly #writer = new JsonWriter();
  readonly #time = new EntryTime();
  readonly #times = new IsoTimes();

  /** A view, valid until the next call. */
  lines({ entries, tag }: Chunk): Buffer {
    const writer = this.#writer;
    writer.reset();
    const middle = `","tag":${JSON.stringify(tag)},"record":`;
    for (let at = 0; at < entries.length; ) {
      const mapAt = this.#time.read(entries, at);
      writer.ascii('{"time":"');
      this.#times.write(writer, this.#time);
      writer.utf8(middle);
      at = writer.record(entries, mapAt);
      writer.ascii("}\n");
    }
    return writer.bytes();
  }
}
