// pure
import { invariant } from "../../../kit/assert.ts";

/**
 * The loss ledger: every byte taken in is, at any moment, in exactly one of the columns, so that
 * read = acked + filtered + dead-lettered + pending. Bytes are those of the source (of the log file, or of the entries that an
 * application sent), not of the encoded form.
 */
export type LedgerTotals = { readonly readBytes: number; readonly ackedBytes: number; readonly filteredBytes: number; readonly deadLetteredBytes: number; readonly pendingBytes: number };

export class Ledger {
  #read = 0;
  #acked = 0;
  #filtered = 0;
  #deadLettered = 0;
  #pending = 0;

  read(bytes: number): void {
    this.#read += bytes;
    this.#pending += bytes;
  }

  /** `bytes` leave the pending ones; some of them were passed over on purpose, or stand in the dead-letter file. */
  settled(bytes: number, { filteredBytes, deadLetteredBytes }: { readonly filteredBytes: number; readonly deadLetteredBytes: number }): void {
    this.#take(bytes);
    this.#acked += bytes - filteredBytes - deadLetteredBytes;
    this.#filtered += filteredBytes;
    this.#deadLettered += deadLetteredBytes;
  }

  /** `bytes` leave the pending ones as if they had not been read: they will be read again. */
  returned(bytes: number): void {
    this.#take(bytes);
    this.#read -= bytes;
  }

  totals(): LedgerTotals {
    const totals = { readBytes: this.#read, ackedBytes: this.#acked, filteredBytes: this.#filtered, deadLetteredBytes: this.#deadLettered, pendingBytes: this.#pending };
    invariant(totals.readBytes === totals.ackedBytes + totals.filteredBytes + totals.deadLetteredBytes + totals.pendingBytes, `the ledger does not balance: ${JSON.stringify(totals)}`);
    return totals;
  }

  #take(bytes: number): void {
    invariant(bytes >= 0 && bytes <= this.#pending, `cannot settle ${bytes} bytes: only ${this.#pending} are pending`);
    this.#pending -= bytes;
  }
}
