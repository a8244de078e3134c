// pure
import type { ExtraPairs } from "../encode/range-encoder.ts";
import { skipValue } from "../forward-protocol/msgpack-reader.ts";
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { sameBytes, type EncodedKey, type FieldPath, type KeyTable } from "./keys.ts";
import type { OutletWriter } from "./outlet-writer.ts";
import { PairTable } from "./pair-table.ts";
import { contentStart, firstPairAt, isMapType, isText, numberOf, pairCount, textAt } from "./value.ts";

/** What has become of a pair. Bits, because a field may be renamed and redacted. */
const newValue = 1;
const newKey = 2;
const removed = 4;

/**
 * One record while it is shaped: where the pairs that some setting speaks of are in the entry's bytes, and what of them has
 * changed. Nothing is decoded that nobody asks for, and what did not change is copied as it is. One object serves record after
 * record.
 *
 * A name given twice, which a Forward client may send, counts once, with its last value, if some setting speaks of it.
 */
export class ShapedRecord {
  readonly #keys: KeyTable;
  readonly #wantsAll: boolean;
  #bytes: Buffer = Buffer.alloc(0);
  #from = 0;
  #mapAt = 0;
  #to = 0;
  #addedFrom = 0;
  /** Pairs noted, in the order of the entry, new ones behind them. */
  #count = 0;
  /** Pairs that the record has now, noted or not. */
  #left = 0;
  /** Pairs that the entry came with. */
  #came = 0;
  #pairs = new PairTable(64);
  readonly #newKeys: (Buffer | undefined)[] = [];
  /** New values, one after another. */
  readonly #scratch = new MsgpackWriter(4096);
  /** By number of a name: its pair, or -1. */
  readonly #pairOf: Int32Array;
  #seconds = -1;
  #nanoseconds = 0;
  #dirty = false;
  readonly #head = new MsgpackWriter(32);

  /** Where the value is that the last `find` found; valid until the next change. */
  pair = -1;
  bytes: Buffer = this.#bytes;
  valueFrom = 0;
  valueTo = 0;
  #nestedKeyFrom = -1;
  #nestedMapAt = -1;

  /** `keys` must be complete. With `wantsAll` every pair is noted, not only those with a name among them. */
  constructor(keys: KeyTable, wantsAll: boolean) {
    this.#keys = keys;
    this.#wantsAll = wantsAll;
    this.#pairOf = new Int32Array(Math.max(1, keys.size)).fill(-1);
  }

  /** Whether the record differs from the entry that it was loaded from. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /** Whether the shipper has put the pair there, before shaping or by a filter. */
  isAdded(pair: number): boolean {
    return (this.#pairs.keyFrom[pair] ?? 0) >= this.#addedFrom;
  }

  /** Whether the value found stands in the entry as it came, and `bytes` in an object that is the whole batch's. */
  get isOriginal(): boolean {
    return this.bytes === this.#bytes;
  }

  /** How many pairs are noted, removed ones included. */
  get pairs(): number {
    return this.#count;
  }

  /**
   * Takes the entry at `from`, which must be a whole `[time, map]`; returns where it ends. `added` are the pairs that it ends with
   * because the shipper has put them there; `passOver` says that nobody wants them.
   */
  load(bytes: Buffer, from: number, added: ExtraPairs, passOver: boolean): number {
    this.#bytes = bytes;
    this.#from = from;
    this.#count = 0;
    this.#seconds = -1;
    this.#dirty = false;
    this.#scratch.length = 0;
    for (let id = 0; id < this.#pairOf.length; id++) this.#pairOf[id] = -1;
    const mapAt = bytes[from + 1] === 0xd7 ? from + 11 : skipValue(bytes, from + 1, bytes.length);
    this.#mapAt = mapAt;
    const count = pairCount(bytes, mapAt);
    this.#left = count;
    this.#came = count;
    if (this.#wantsAll && count > this.#pairs.size) this.#pairs = this.#pairs.grown(count);
    this.#to = passOver ? this.#walk(bytes, firstPairAt(bytes, mapAt), count - added.count) + added.bytes.length : this.#walk(bytes, firstPairAt(bytes, mapAt), count);
    this.#addedFrom = this.#to - added.bytes.length;
    return this.#to;
  }

  #walk(bytes: Buffer, first: number, count: number): number {
    const { lengths } = this.#keys;
    const wantsAll = this.#wantsAll;
    let at = first;
    for (let pair = 0; pair < count; pair++) {
      const keyFrom = at;
      const keyType = bytes[keyFrom] ?? 0;
      const short = keyType >= 0xa0 && keyType < 0xc0;
      const keyTo = short ? keyFrom + 1 + (keyType & 31) : skipValue(bytes, keyFrom, bytes.length);
      const type = bytes[keyTo] ?? 0;
      // The commonest values first: short text, small numbers, text of up to 255 bytes.
      at = type >= 0xa0 && type < 0xc0 ? keyTo + 1 + (type & 31) : type < 0x80 ? keyTo + 1 : type === 0xd9 ? keyTo + 2 + (bytes[keyTo + 1] ?? 0) : skipValue(bytes, keyTo, bytes.length);
      if (short && !wantsAll && ((lengths >>> (keyType & 31)) & 1) === 0) continue;
      const id = short ? this.#keys.find(bytes, keyFrom + 1, keyTo) : isText(keyType) ? this.#keys.find(bytes, contentStart(bytes, keyFrom), keyTo) : -1;
      if (id >= 0 || wantsAll) this.#note(id, keyFrom, keyTo, at);
    }
    return at;
  }

  #note(id: number, keyFrom: number, keyTo: number, end: number): void {
    const pair = this.#count++;
    // Names that are given twice may be more than there are names.
    if (pair >= this.#pairs.size) this.#pairs = this.#pairs.grown(pair + 1);
    const pairs = this.#pairs;
    pairs.state[pair] = 0;
    pairs.id[pair] = id;
    pairs.keyFrom[pair] = keyFrom;
    pairs.keyTo[pair] = keyTo;
    pairs.end[pair] = end;
    pairs.valueFrom[pair] = keyTo;
    pairs.valueTo[pair] = end;
    if (id >= 0) this.#own(id, pair);
  }

  /** The pair is the one of that name now; an earlier one goes. */
  #own(id: number, pair: number): void {
    const earlier = this.#pairOf[id] ?? -1;
    this.#pairOf[id] = pair;
    if (earlier >= 0 && earlier !== pair) this.#removePair(earlier);
  }

  #change(pair: number, state: number): void {
    this.#pairs.state[pair] = (this.#pairs.state[pair] ?? 0) | state;
    this.#dirty = true;
  }

  /** Looks for a field; `pair`, `bytes`, `valueFrom` and `valueTo` tell where its value is. */
  find(path: FieldPath): boolean {
    if (this.#findTop(path.whole)) return true;
    return path.rest.length > 0 && this.#findTop(path.first) && this.#descend(path.rest);
  }

  #findTop(id: number): boolean {
    const pair = this.#pairOf[id] ?? -1;
    return pair >= 0 && this.select(pair);
  }

  /** Finds the pair by its place; false for a removed one. */
  select(pair: number): boolean {
    const pairs = this.#pairs;
    const state = pairs.state[pair] ?? 0;
    if ((state & removed) !== 0) return false;
    this.pair = pair;
    this.bytes = (state & newValue) === 0 ? this.#bytes : this.#scratch.buffer;
    this.valueFrom = pairs.valueFrom[pair] ?? 0;
    this.valueTo = pairs.valueTo[pair] ?? 0;
    this.#nestedKeyFrom = -1;
    return true;
  }

  #descend(rest: readonly Buffer[]): boolean {
    const { bytes } = this;
    for (const name of rest) {
      const mapAt = this.valueFrom;
      if (!isMapType(bytes[mapAt] ?? 0)) return false;
      const count = pairCount(bytes, mapAt);
      let at = firstPairAt(bytes, mapAt);
      let found = false;
      for (let pair = 0; pair < count; pair++) {
        const keyFrom = at;
        const valueFrom = skipValue(bytes, keyFrom, bytes.length);
        at = skipValue(bytes, valueFrom, bytes.length);
        if (!isText(bytes[keyFrom] ?? 0)) continue;
        const content = contentStart(bytes, keyFrom);
        if (valueFrom - content !== name.length || !sameBytes(name, bytes, content)) continue;
        found = true;
        this.#nestedKeyFrom = keyFrom;
        this.#nestedMapAt = mapAt;
        this.valueFrom = valueFrom;
        this.valueTo = at;
      }
      if (!found) return false;
    }
    return true;
  }

  /** The text of the value found: see textAt. */
  text(): string | undefined {
    return textAt(this.bytes, this.valueFrom, this.valueTo);
  }

  /** Replaces the value found, wherever it is nested. `write` appends exactly one value and must not look at this record. */
  replaceFound(write: (writer: MsgpackWriter) => void): void {
    if (this.#nestedKeyFrom >= 0) {
      this.#spliceFound(this.valueFrom, this.valueTo, write);
      return;
    }
    const from = this.#scratch.length;
    write(this.#scratch);
    this.#settle(this.pair, from);
  }

  /** Takes the field found out of its map. */
  removeFound(): void {
    if (this.#nestedKeyFrom < 0) return this.#removePair(this.pair);
    const mapOffset = this.#nestedMapAt - (this.#pairs.valueFrom[this.pair] ?? 0);
    const at = this.#spliceFound(this.#nestedKeyFrom, this.valueTo, () => undefined) + mapOffset;
    const { buffer } = this.#scratch;
    const type = buffer[at] ?? 0;
    if (type < 0x90) buffer[at] = type - 1;
    else if (type === 0xde) buffer.writeUInt16BE(buffer.readUInt16BE(at + 1) - 1, at + 1);
    else buffer.writeUInt32BE(buffer.readUInt32BE(at + 1) - 1, at + 1);
  }

  #removePair(pair: number): void {
    const id = this.#pairs.id[pair] ?? -1;
    if (id >= 0 && this.#pairOf[id] === pair) this.#pairOf[id] = -1;
    this.#left--;
    this.#change(pair, removed);
  }

  /** Writes the top-level value around the found one anew, with `[from, to)` replaced; returns where it begins in the scratch buffer. */
  #spliceFound(from: number, to: number, write: (writer: MsgpackWriter) => void): number {
    const { pair, bytes } = this;
    const scratch = this.#scratch;
    const start = scratch.length;
    // A source inside the scratch buffer stays readable when the buffer grows: the former one is kept by `bytes`.
    const valueFrom = this.#pairs.valueFrom[pair] ?? 0;
    const valueTo = this.#pairs.valueTo[pair] ?? 0;
    scratch.raw(bytes, valueFrom, from);
    write(scratch);
    scratch.raw(bytes, to, valueTo);
    this.#settle(pair, start);
    return start;
  }

  #settle(pair: number, scratchFrom: number): void {
    this.#pairs.valueFrom[pair] = scratchFrom;
    this.#pairs.valueTo[pair] = this.#scratch.length;
    this.#change(pair, newValue);
  }

  /** Gives the found top-level field another name, or lifts a nested one out to the top under that name. A field of that name goes. */
  renameFound(key: EncodedKey): void {
    if (this.#nestedKeyFrom >= 0) {
      const value = Buffer.from(this.bytes.subarray(this.valueFrom, this.valueTo));
      this.removeFound();
      return this.put(key, value);
    }
    const { pair } = this;
    const former = this.#pairs.id[pair] ?? -1;
    if (former === key.id) return;
    if (former >= 0) this.#pairOf[former] = -1;
    this.#pairs.id[pair] = key.id;
    this.#newKeys[pair] = key.encoded;
    this.#change(pair, newKey);
    this.#own(key.id, pair);
  }

  /** Sets a top-level field to one encoded value: in its place if it exists, at the end if not. */
  put(key: EncodedKey, value: Uint8Array): void {
    if (this.#findTop(key.id)) return this.replaceFound((writer) => writer.raw(value));
    const pair = this.#count;
    this.#note(key.id, this.#to, this.#to, this.#to);
    this.#left++;
    this.#newKeys[pair] = key.encoded;
    this.#change(pair, newKey);
    const from = this.#scratch.length;
    this.#scratch.raw(value);
    this.#settle(pair, from);
  }

  /** The time that the record came with, in whole seconds since 1970; 0 if it is of no known form. */
  timeSeconds(): number {
    const bytes = this.#bytes;
    const at = this.#from + 1;
    const type = bytes[at];
    if (type === 0xd7 && bytes[at + 1] === 0) return bytes.readUInt32BE(at + 2);
    if (type === 0xc7 && bytes[at + 1] === 8 && bytes[at + 2] === 0) return bytes.readUInt32BE(at + 3);
    return Math.floor(numberOf(bytes, at) ?? 0);
  }

  setTime(seconds: number, nanoseconds: number): void {
    this.#seconds = seconds;
    this.#nanoseconds = nanoseconds;
    this.#dirty = true;
  }

  /** Gives out the entry as it stands now. */
  write(out: OutletWriter): void {
    if (!this.#dirty) return out.pass(this.#from, this.#to);
    const first = firstPairAt(this.#bytes, this.#mapAt);
    const isTimed = this.#seconds >= 0;
    // A changed record has the shortest header.
    const isCounted = this.#left !== this.#came || first - this.#mapAt !== (this.#left < 16 ? 1 : this.#left < 65_536 ? 3 : 5);
    out.pass(this.#from, isTimed ? this.#from : isCounted ? this.#mapAt : first);
    if (isTimed || isCounted) {
      const head = this.#head;
      head.reset();
      if (isTimed) {
        head.byte(0x92);
        head.eventTime(this.#seconds, this.#nanoseconds);
      }
      head.mapHeader(this.#left);
      out.put(head.buffer, 0, head.length);
    }
    this.#writePairs(out, first);
  }

  #writePairs(out: OutletWriter, first: number): void {
    const { state, keyFrom, keyTo, end, valueFrom, valueTo } = this.#pairs;
    let passed = first;
    for (let pair = 0; pair < this.#count; pair++) {
      const what = state[pair] ?? 0;
      if (what === 0) continue;
      out.pass(passed, keyFrom[pair] ?? 0);
      passed = end[pair] ?? 0;
      if ((what & removed) !== 0) continue;
      const key = (what & newKey) === 0 ? undefined : this.#newKeys[pair];
      if (key !== undefined) out.put(key, 0, key.length);
      else out.pass(keyFrom[pair] ?? 0, keyTo[pair] ?? 0);
      if ((what & newValue) !== 0) out.put(this.#scratch.buffer, valueFrom[pair] ?? 0, valueTo[pair] ?? 0);
      else passed = keyTo[pair] ?? 0;
    }
    out.pass(passed, this.#to);
  }
}
