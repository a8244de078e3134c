import { destination, pino } from "pino";
import type { Chunk } from "../chunk.ts";
import { decodeEntries } from "./decode-entries.ts";
import type { Sink } from "./sink.ts";

/**
 * Records as JSON lines, through pino, on a file descriptor (1 = standard output; our own diagnostics are on 2). A chunk is
 * delivered when all its bytes were handed to the kernel. Not promised: that whoever reads the pipe has read or kept them.
 */
export class StdoutSink implements Sink {
  readonly name: string;
  readonly #destination: ReturnType<typeof destination>;
  readonly #write: (fields: object) => void;
  #problem: string | undefined;

  constructor(options: { readonly name: string; readonly fd?: number }) {
    this.name = options.name;
    this.#destination = destination({ fd: options.fd ?? 1, sync: false, minLength: 65_536 });
    this.#destination.on("error", (error: Error) => (this.#problem = `standard output failed: ${error.message}`));
    const logger = pino({ base: null, timestamp: false, formatters: { level: () => ({}) } }, this.#destination);
    this.#write = (fields) => logger.info(fields);
  }

  async deliver(chunk: Chunk): Promise<"delivered" | "stopped"> {
    for (const { timeMs, record } of decodeEntries(chunk)) this.#write({ time: new Date(timeMs).toISOString(), tag: chunk.tag, record });
    const { promise, resolve } = Promise.withResolvers<"delivered" | "stopped">();
    this.#destination.flush((error) => resolve(error === undefined || error === null ? "delivered" : "stopped"));
    return await promise;
  }

  problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#destination.flushSync();
  }
}
