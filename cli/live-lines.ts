import type { WriteStream } from "node:tty";
import { truncate } from "./print/text.ts";

/**
 * Lines at the foot of a terminal that are drawn again in place. Each is cut to the width, and the block to the height, so that it
 * can always be found again; what scrolls above stays.
 */
export class LiveLines {
  readonly #terminal: WriteStream;
  #drawn = 0;
  #before = "";

  constructor(terminal: WriteStream) {
    this.#terminal = terminal;
  }

  draw(lines: readonly string[]): void {
    const width = Math.max(20, this.#terminal.columns ?? 80);
    const height = Math.max(3, (this.#terminal.rows ?? 24) - 1);
    const fitting = lines.length <= height ? lines : [...lines.slice(0, height - 1), `… and ${lines.length - height + 1} more lines`];
    const text = fitting.map((line) => `${truncate(line, width - 1)}\u001B[K\n`).join("");
    if (text === this.#before) return;
    this.#terminal.write(`${this.#toTop()}${text}\u001B[J`);
    this.#drawn = fitting.length;
    this.#before = text;
  }

  /** Takes the block away, so that something lasting can be printed in its place. */
  clear(): void {
    if (this.#drawn > 0) this.#terminal.write(`${this.#toTop()}\u001B[J`);
    this.finish();
  }

  /** Leaves the block as it stands; the next one begins below. */
  finish(): void {
    this.#drawn = 0;
    this.#before = "";
  }

  #toTop(): string {
    return this.#drawn === 0 ? "" : `\u001B[${this.#drawn}A\r`;
  }
}
