import { join } from "node:path";
import type { Clock, Random } from "../../kit/clock.ts";
import type { Log } from "../../kit/log.ts";
import type { AdaptOutcome } from "./adapt-file.ts";
import { adapterHash, detectHash, mappingHash, type AdapterConfig } from "./adapter-config.ts";
import type { AdapterMetrics } from "./adapter-metrics.ts";
import { isDrift, type ConversionError } from "./conversion-error.ts";
import type { DirectorySync } from "./publish/directory-sync.ts";
import type { Ledger } from "./state/ledger.ts";
import { dropQuarantined, quarantine, quarantineRows, type QuarantineLimits } from "./state/quarantine.ts";

export type AdapterOptions = {
  readonly adapter: AdapterConfig;
  readonly ledger: Ledger;
  readonly stateDirectory: string;
  /** 8 hex digits that mark the temporary files of this state directory's adapters. */
  readonly owner: string;
  readonly directories: DirectorySync;
  /** The folders of all adapters: what stands there may be somebody's input. */
  readonly watchedFolders: ReadonlySet<string>;
  readonly quarantine: QuarantineLimits;
  readonly metrics: AdapterMetrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
};

export function quarantineDirectory(options: { readonly stateDirectory: string }): string {
  return join(options.stateDirectory, "quarantine");
}

/** Remembers and tells that a report has its adapted form. */
export async function recordAdapted(options: AdapterOptions, path: string, folder: string, outcome: AdaptOutcome & { readonly kind: "adapted" }): Promise<void> {
  const { metrics, adapter, log, ledger } = options;
  const { mapping, output, content, stat, rows, published } = outcome;
  const before = ledger.get(adapter.name, path);
  await ledger.put({ path, adapter: adapter.name, stat, content, mapping: mapping.name, mappingHash: mappingHash(mapping), outcome: "adapted", output, rows, detect: detectHash(adapter), published, folder });
  if (before?.outcome === "quarantined" && before.content === content) await dropQuarantined(quarantineDirectory(options), path, content).catch(() => undefined); // the limits remove it some day
  const labels = { mapping: mapping.name };
  if (!outcome.wrote) {
    metrics.unchanged.inc(labels);
    return;
  }
  metrics.files.inc(labels);
  metrics.rows.inc(labels, rows);
  metrics.bytes.inc(labels, outcome.bytes);
  await recordRefusedRows(options, path, outcome);
  log.info({ path, output, rows, mapping: mapping.name }, "Adapted");
}

/** Counts and tells which records were left out, and keeps those that are to be kept. */
async function recordRefusedRows(options: AdapterOptions, path: string, { mapping, content, refusals }: AdaptOutcome & { readonly kind: "adapted" }): Promise<void> {
  const { metrics, adapter, log } = options;
  metrics.rowsFiltered.inc({ mapping: mapping.name }, refusals.dropped);
  if (refusals.count === 0) return;
  metrics.rowsRefused.inc({ mapping: mapping.name }, refusals.count);
  if (refusals.hasDrift) metrics.drift.inc({ adapter: adapter.name });
  log.warn({ path, records: refusals.count, mapping: mapping.name }, "Records were left out");
  if (refusals.rows.length === 0) return;
  await quarantineRows({ directory: quarantineDirectory(options), path, content, rows: refusals.rows, limits: options.quarantine, atMs: options.clock.nowMs() }).catch((failure: unknown) => {
    log.warn({ err: failure, path }, "Cannot keep the records that were left out in quarantine");
  });
}

/** Remembers, keeps and tells that a report was refused. Its last good adapted form stays this report's. */
export async function recordRefused(options: AdapterOptions, path: string, folder: string, outcome: AdaptOutcome & { readonly kind: "refused" }): Promise<void> {
  const { adapter, log, ledger } = options;
  const { error, mapping } = outcome;
  const hash = mapping === undefined ? adapterHash(adapter) : mappingHash(mapping);
  log.error({ path, code: error.code, line: error.line, column: error.column, sample: error.sample, mapping: mapping?.name }, `Refused: ${error.message}`);
  await quarantine({ directory: quarantineDirectory(options), adapter: adapter.name, path, refused: outcome, mappingHash: hash, limits: options.quarantine, atMs: options.clock.nowMs() }).catch((failure: unknown) => {
    log.warn({ err: failure, path }, "Cannot keep the refused report in quarantine; the ledger remembers it all the same");
  });
  const before = ledger.get(adapter.name, path);
  const published = before?.published === undefined ? {} : { published: before.published };
  await ledger.put({ path, adapter: adapter.name, stat: outcome.stat, content: outcome.content, mapping: mapping?.name ?? "", mappingHash: hash, outcome: "quarantined", output: before?.output, rows: 0, detect: detectHash(adapter), folder, ...published });
  countRefusal(options, error);
}

export function countRefusal({ metrics, adapter }: AdapterOptions, error: ConversionError): void {
  metrics.quarantined.inc({ reason: error.code });
  if (isDrift(error.code)) metrics.drift.inc({ adapter: adapter.name });
}
