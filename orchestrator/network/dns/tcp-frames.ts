// pure
/** DNS over TCP (RFC 1035 §4.2.2): every message after its length in two bytes, big-endian. */
export class TcpFrames {
  readonly #bytesMax: number;
  #held = new Uint8Array(0);

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The whole messages so far. Throws RangeError when one announces more bytes than are allowed. Holds at most one message. */
  push(bytes: Uint8Array): readonly Uint8Array[] {
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (all.length - at >= 2) {
      const length = (all[at] ?? 0) * 256 + (all[at + 1] ?? 0);
      if (length > this.#bytesMax) throw new RangeError(`a message of ${length} bytes is longer than ${this.#bytesMax}`);
      if (all.length - at - 2 < length) break;
      messages.push(all.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    this.#held = all.slice(at);
    return messages;
  }
}

export function frame(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(message.length + 2);
  framed[0] = message.length >> 8;
  framed[1] = message.length & 0xff;
  framed.set(message, 2);
  return framed;
}
