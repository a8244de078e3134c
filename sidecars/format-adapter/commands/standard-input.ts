import { fstat, read } from "node:fs";
import { promisify } from "node:util";
import { systemClock } from "../../../kit/clock.ts";
import type { ReadableFile } from "../report-input.ts";
import { CommandFault } from "./command-line.ts";

/** In the place of a file's name: what comes by standard input. It can be read once, and in order. */
export const standardInput = "-";

const [readOnce, statOnce] = [promisify(read), promisify(fstat)];
const descriptor = 0;
const againMs = 10;

/** By its descriptor: to open it anew by a name, it must be a file or a pipe of this very user. */
export const standardInputFile: ReadableFile = {
  async read(room, offset, length, position) {
    if (position !== null) throw new CommandFault("this format is not read in order; put what comes by standard input into a file");
    for (;;) {
      try {
        return await readOnce(descriptor, room, offset, length, null);
      } catch (error) {
        // Whoever made it may have made it non-blocking.
        if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
        await systemClock.sleep(againMs);
      }
    }
  },
  stat: async () => await statOnce(descriptor),
};
