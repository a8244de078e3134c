import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Case } from "./cases.ts";
import type { Receiver } from "./receiver-process.ts";

/** A folder of one run. Files of `logs` are to be shipped as they appear: warm.log, then main.log. */
export type Place = { readonly folder: string; readonly logs: string };

export type RunningPeer = {
  readonly pid: number;
  /** Rejects when it ends by itself. */
  readonly died: Promise<never>;
  /** Ends it and waits; throws when it complains about its end. */
  readonly stop: () => Promise<void>;
};

/** A shipper that can be measured. */
export type Peer = {
  readonly name: string;
  readonly version: string;
  readonly cases: readonly Case["id"][];
  /** How many lines keep it busy for about a second or two. */
  readonly lines: Readonly<Partial<Record<Case["id"], number>>>;
  /** What its chunks say of their size is not the number of records. */
  readonly wrongSizes?: true;
  readonly start: (spec: Case, place: Place, receiver: Receiver) => Promise<RunningPeer>;
};

/** Lines for the warm-up, every one of which is decoded and compared by the receiver. */
export const warmUpLines = 40_000;

/** In a container a shipper is another user. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "podkit-bench-"));
  chmodSync(folder, 0o755);
  return folder;
}

export function makePlace(parent: string): Place {
  const folder = mkdtempSync(join(parent, "run-")), logs = join(folder, "logs");
  mkdirSync(logs);
  chmodSync(folder, 0o755);
  return { folder, logs };
}
