// pure
/**
 * Decoder of the engine's multiplexed stream (attach, exec and logs of a container without a TTY): frames of an 8-byte header
 * (stream type, three zero bytes, big-endian length) and that many bytes. Source: Docker Engine API reference, "Attach to a container".
 * It keeps no payload: a frame cut anywhere yields the bytes at hand at once, so memory does not grow with the length a peer announces.
 */
export type StreamPiece = { readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array };

const headerBytes = 8;

export class FrameDecoder {
  readonly #header = new Uint8Array(headerBytes);
  #headerFilled = 0;
  #stream: "stdin" | "stdout" | "stderr" = "stdout";
  #payloadLeft = 0;

  /** The pieces refer to the given bytes, they are not copies. Throws SyntaxError when a header is not one: the stream is lost then. */
  push(bytes: Uint8Array): readonly StreamPiece[] {
    const pieces: StreamPiece[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.#payloadLeft === 0) {
        at += this.#fillHeader(bytes, at);
        continue;
      }
      const take = Math.min(this.#payloadLeft, bytes.length - at);
      // The engine never sends stdin back except in old versions' attach; it is nobody's output.
      if (this.#stream !== "stdin") pieces.push({ stream: this.#stream, bytes: bytes.subarray(at, at + take) });
      this.#payloadLeft -= take;
      at += take;
    }
    return pieces;
  }

  /** Whether the stream may end here without having lost part of a frame. */
  get atFrameBoundary(): boolean {
    return this.#headerFilled === 0 && this.#payloadLeft === 0;
  }

  #fillHeader(bytes: Uint8Array, at: number): number {
    const take = Math.min(headerBytes - this.#headerFilled, bytes.length - at);
    this.#header.set(bytes.subarray(at, at + take), this.#headerFilled);
    this.#headerFilled += take;
    if (this.#headerFilled === headerBytes) {
      this.#headerFilled = 0;
      this.#stream = streamOf(this.#header);
      this.#payloadLeft = new DataView(this.#header.buffer).getUint32(4);
    }
    return take;
  }
}

function streamOf(header: Uint8Array): "stdin" | "stdout" | "stderr" {
  const names = ["stdin", "stdout", "stderr"] as const;
  const name = names[header[0] ?? 255];
  if (name === undefined || header[1] !== 0 || header[2] !== 0 || header[3] !== 0) {
    throw new SyntaxError(`Cannot decode the engine's stream: ${Buffer.from(header).toString("hex")} is not a frame header`);
  }
  return name;
}
