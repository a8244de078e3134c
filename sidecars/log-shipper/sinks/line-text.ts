// pure
import { JsonWriter } from "./json-writer.ts";
import { KeyNames } from "./key-names.ts";

/**
 * The text of a record for receivers of lines: of its line field if that is all there is to it beside the omitted fields, else the
 * record without them as JSON. One object is used for record after record.
 */
export class LineText {
  readonly #json = new JsonWriter(4_096);
  readonly #names: KeyNames;
  readonly #prefixBytes: number;
  /** A view, valid until the next `read`. */
  bytes: Buffer = Buffer.alloc(0);
  /** Whether `bytes` are what stands between the quotes of a JSON string: the line field, escaped. Else they are the JSON of the record. */
  escaped = false;

  constructor({ omit, lineField }: { readonly omit: readonly string[]; readonly lineField: string }) {
    const omitted = omit.filter((name) => name !== lineField);
    this.#names = new KeyNames([...omitted, lineField], omitted.length);
    this.#prefixBytes = Buffer.byteLength(lineField) + 5;
  }

  /** Takes the record whose map begins at `mapAt`. */
  read(bytes: Uint8Array, mapAt: number): void {
    const json = this.#json;
    json.reset();
    json.record(bytes, mapAt, this.#names);
    // `{"log":"…"}` and nothing after it.
    const before = this.#prefixBytes;
    this.escaped = json.found >>> (this.#names.count - 1) === 1 && json.topMembers === 1 && json.buffer[before - 1] === 0x22 && json.buffer[before - 2] === 0x3a;
    this.bytes = this.escaped ? json.buffer.subarray(before, json.length - 2) : json.bytes();
  }

  /** As it is, without escapes. */
  plain(): Uint8Array {
    if (!this.escaped || !this.bytes.includes(0x5c)) return this.bytes;
    const text: unknown = JSON.parse(`"${this.bytes.toString("utf8")}"`);
    return Buffer.from(String(text));
  }
}
