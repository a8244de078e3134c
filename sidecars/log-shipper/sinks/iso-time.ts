// pure
import type { EntryTime } from "./entry.ts";
import type { JsonWriter } from "./json-writer.ts";

/** Writes times as `2026-01-31T12:00:00.123456789Z`. Records come in the order of time, so the last second is kept. */
export class IsoTimes {
  #second = -1;
  #text = "";

  /** The date and time to the second and a point. */
  upToSecond(seconds: number): string {
    if (seconds !== this.#second) {
      this.#second = seconds;
      this.#text = new Date(seconds * 1_000).toISOString().slice(0, 20);
    }
    return this.#text;
  }

  write(writer: JsonWriter, time: EntryTime): void {
    writer.ascii(this.upToSecond(time.seconds));
    writer.nineDigits(time.nanoseconds);
    writer.byte(0x5a);
  }
}
