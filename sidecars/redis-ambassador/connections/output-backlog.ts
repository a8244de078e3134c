// pure

/** A client to whom more has been said than the kernel takes. */
export interface BackloggedOutput {
  /** Bytes that wait in this process. */
  readonly waitingBytes: number;
  /** Ends the client. */
  giveUp(): void;
}

/**
 * Replies that wait for clients that read slowly or not at all: what is bearable for one of them, and for all together.
 * Above the latter the client with the most is ended, whatever the others do.
 */
export class OutputBacklog {
  clientBytesMax: number;
  allBytesMax: number;
  readonly #counted = new Map<BackloggedOutput, number>();
  /** Never too low; too high while the kernel has taken something of which nobody has told. */
  #bytes = 0;

  constructor(clientBytesMax: number, allBytesMax: number) {
    this.clientBytesMax = clientBytesMax;
    this.allBytesMax = allBytesMax;
  }

  /** To be called when something was left over by the kernel. */
  note(output: BackloggedOutput): void {
    const bytes = output.waitingBytes;
    this.#bytes += bytes - (this.#counted.get(output) ?? 0);
    this.#counted.set(output, bytes);
    while (this.#bytes > this.allBytesMax) {
      const greatest = this.#recount();
      if (greatest === undefined || this.#bytes <= this.allBytesMax) return;
      this.forget(greatest);
      greatest.giveUp();
    }
  }

  /** To be called when nothing waits any more, and when the client has gone. */
  forget(output: BackloggedOutput): void {
    this.#bytes -= this.#counted.get(output) ?? 0;
    this.#counted.delete(output);
  }

  #recount(): BackloggedOutput | undefined {
    let greatest: BackloggedOutput | undefined, most = -1;
    this.#bytes = 0;
    for (const output of this.#counted.keys()) {
      const bytes = output.waitingBytes;
      this.#counted.set(output, bytes);
      this.#bytes += bytes;
      if (bytes <= most) continue;
      most = bytes;
      greatest = output;
    }
    return greatest;
  }
}
