import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../../kit/log.ts";
import { parseRecords, parseUpstreams, recordsFileName, upstreamsFileName } from "./records.ts";
import { buildZone } from "./zone.ts";
import type { Zone } from "./zone.ts";

export type RecordsFolder = {
  readonly zone: Zone | undefined;
  readonly upstreams: readonly string[];
  /** Why the newest files are not in force; undefined when they are. */
  readonly problem: string | undefined;
  /** Reads what changed. A bad file leaves the last good one in force. Never rejects. */
  reload(): Promise<void>;
};

/** The folder that the control plane writes: records and upstream resolvers, each a file replaced as a whole. */
export function openRecordsFolder(o: { readonly directory: string; readonly log: Log }): RecordsFolder {
  const problems = new Map<string, string>();
  const texts = new Map<string, string>();
  let zone: Zone | undefined;
  let upstreams: readonly string[] = [];
  let serial = 0;
  let reading: Promise<void> = Promise.resolve();

  const readOne = async (file: string, use: (text: string) => void): Promise<void> => {
    const path = join(o.directory, file);
    try {
      const text = await readFile(path, "utf8");
      if (text === texts.get(file)) return;
      use(text);
      texts.set(file, text);
      problems.delete(file);
      o.log.debug({ path }, "Read a changed file");
    } catch (error) {
      const why = `${path}: ${error instanceof Error ? error.message : String(error)}`;
      if (problems.get(file) !== why) o.log.warn({ path, why }, "Cannot use a file; what was read before stays in force");
      problems.set(file, why);
    }
  };
  const readAll = async (): Promise<void> => {
    await readOne(recordsFileName, (text) => {
      zone = buildZone(parseRecords(text), (serial += 1));
    });
    await readOne(upstreamsFileName, (text) => {
      upstreams = parseUpstreams(text);
    });
  };
  return {
    get zone() {
      return zone;
    },
    get upstreams() {
      return upstreams;
    },
    get problem() {
      return problems.size === 0 ? undefined : [...problems.values()].join("; ");
    },
    async reload() {
      // One after the other, so that an older text never replaces a newer one.
      reading = reading.then(readAll);
      await reading;
    },
  };
}
