// pure
import { lineBytesMax, parseLength, shownByte } from "./request-scanner.ts";

/**
 * Follows one big multibulk request over any number of pieces, so that its bytes can be passed on as they arrive.
 * It starts at the first byte of the request; the same edges as in `RequestScanner` hold.
 */
export class RequestTail {
  #state: "count" | "length" | "body" = "count";
  #line: number[] = [];
  #argumentsLeft = 0;
  #bodyLeft = 0;
  done = false;
  /** The text of a protocol error; nothing after it may be passed on. */
  failure: string | undefined;

  /** Consumes from `bytes[start, end)` and gives the index after what belongs to this request. */
  feed(bytes: Uint8Array, start: number, end: number, bulkBytesMax: number): number {
    let at = start;
    while (at < end && !this.done && this.failure === undefined) {
      if (this.#state === "body") {
        const part = Math.min(this.#bodyLeft, end - at);
        at += part;
        this.#bodyLeft -= part;
        if (this.#bodyLeft === 0) this.#argumentEnded();
      } else {
        const byte = bytes[at] ?? 0;
        at += 1;
        this.#line.push(byte);
        // The line ends with the byte after the carriage return, whatever it is.
        if (this.#line.length >= 2 && this.#line.at(-2) === 13) this.#lineEnded(bulkBytesMax);
        else if (this.#line.length > lineBytesMax) this.failure = "too big bulk count string";
      }
    }
    return at;
  }

  #argumentEnded(): void {
    this.#argumentsLeft -= 1;
    if (this.#argumentsLeft === 0) this.done = true;
    else this.#state = "length";
  }

  #lineEnded(bulkBytesMax: number): void {
    const line = Uint8Array.from(this.#line);
    this.#line = [];
    const value = parseLength(line, 1, line.length - 2);
    if (this.#state === "count") {
      this.#argumentsLeft = value;
      if (!(value <= 2_147_483_647)) this.failure = "invalid multibulk length";
      else if (value <= 0) this.done = true;
      else this.#state = "length";
      return;
    }
    if (line[0] !== 36) {
      this.failure = `expected '$', got '${shownByte(line[0] ?? 46)}'`;
    } else if (!(value >= 0 && value <= bulkBytesMax)) {
      this.failure = "invalid bulk length";
    } else {
      this.#bodyLeft = value + 2;
      this.#state = "body";
    }
  }
}
