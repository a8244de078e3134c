import { constants } from "node:fs";
import { lstat, open, type FileHandle } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { folderOf, mappingHash, type AdapterConfig } from "./adapter-config.ts";
import { ConversionError } from "./conversion-error.ts";
import { convertReport } from "./convert.ts";
import { detectMapping } from "./detect/detect-mapping.ts";
import { checkCompression, ReplayedSource, unpack, type UnpackedSource } from "./formats/compression.ts";
import { isBinary } from "./formats/options.ts";
import type { Mapping } from "./mapping/mapping.ts";
import { Pace } from "./pace.ts";
import { writeBeside } from "./publish/beside.ts";
import type { DirectorySync } from "./publish/directory-sync.ts";
import type { Turn } from "./watch/dispatch.ts";
import { Publication } from "./publish/publish.ts";
import { byteOffsetOfLine, randomAccess, ReportInput } from "./report-input.ts";
import type { RowRefusals } from "./row-refusals.ts";
import { mayHideWrite, statKey } from "./stat-key.ts";

/** What became of one try to adapt one file. */
export type AdaptOutcome =
  | { readonly kind: "adapted"; readonly mapping: Mapping; readonly rows: number; readonly output: string; readonly stat: string; readonly content: string; readonly wrote: boolean; readonly bytes: number; readonly published: string; readonly refusals: RowRefusals }
  /** The mapping that its rules choose now made its adapted form already. */
  | { readonly kind: "same"; readonly mapping: Mapping; readonly stat: string }
  /** Not finished yet, by its format. */
  | { readonly kind: "waiting"; readonly stat: string; readonly reason: string }
  /** It changed while it was read, or its output is in work for another: try again. */
  | { readonly kind: "torn" }
  | { readonly kind: "gone" }
  | { readonly kind: "refused"; readonly error: ConversionError; readonly mapping: Mapping | undefined; readonly stat: string; readonly content: string; readonly byteOffsetOfLine: number | undefined };

/** Where a mapping puts the adapted form of an input. */
export function outputPath(mapping: Mapping, inputPath: string): string {
  const name = basename(inputPath).replace(/\.(?:gz|zst)$/, "").replace(/\.[^.]+$/, "");
  const { file } = mapping.output;
  const folder = folderOf(dirname(file));
  // Not joined by path.join, which would make another folder of a report's name such as "..".
  return `${folder === "/" ? "" : folder}/${basename(file).replaceAll("{name}", () => name)}`;
}

/** The folders that an adapter writes into, each by its one spelling. */
export function outputFolders(adapter: AdapterConfig): ReadonlySet<string> {
  return new Set(adapter.mappings.map(({ output }) => folderOf(dirname(output.file))));
}

/** One report to adapt, and what its adapter knows of the others. */
export type AdaptJob = {
  /** The report's place; its name gives the output's. */
  readonly path: string;
  /** Where its bytes are when they are not there, for a report taken up again from quarantine. */
  readonly source?: string;
  readonly adapter: AdapterConfig;
  /** 8 hex digits that mark this adapter's temporary files. */
  readonly owner: string;
  readonly directories: DirectorySync;
  readonly turn: Turn;
  readonly signal: AbortSignal;
  readonly monotonicMs: () => number;
  /** The wall clock, which the times of files are compared with. */
  readonly nowMs: () => number;
  /** Which other report was last adapted to this path. */
  ownerOf(output: string): string | undefined;
  /** Whether another report is just being adapted to this path. If not, nobody else may until `release`. */
  isTaken(output: string): boolean;
  release(output: string): void;
  /** Given for an output whose folder is watched too: whether the file of this identity there was published by an adapter. */
  mayReplace(output: string): ((identity: string) => boolean) | undefined;
  /** Told before the output gets its name, so that nobody takes it for a report, also when this is the last thing that is done. */
  readonly intend: (output: string, identity: string, mapping: Mapping) => Promise<void>;
  /** Whether a report of this stat was adapted by this mapping before. */
  isAdapted(stat: string, mapping: Mapping): boolean;
};

/**
 * Reads a report once, adapts and publishes it. The file is read through one descriptor and its stat compared before and after, so that a torn
 * read is never published; one written so lately that its stat may not show the next write (`mayHideWrite`) is read and hashed once more. A write
 * of the same size and tick that follows this second reading is not seen, nor one amid the pages of a report that is not read in order. Faults of
 * the input are an outcome; faults of the system (no space, no rights, I/O) are thrown, as is the signal's reason when it is aborted between two
 * blocks; nothing half-done stays then.
 */
export async function adaptFile(job: AdaptJob): Promise<AdaptOutcome> {
  // A pipe that took the file's place since the scan must not hold us up, nor a link lead us out of the folder.
  const file = await open(job.source ?? job.path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ELOOP")) return undefined;
    throw error;
  });
  if (file === undefined) return { kind: "gone" };
  try {
    return await adaptOpened(file, job);
  } finally {
    await file.close();
  }
}

async function adaptOpened(file: FileHandle, job: AdaptJob): Promise<AdaptOutcome> {
  const { path, adapter, signal } = job;
  const startedMs = job.nowMs();
  const stat = await file.stat({ bigint: true });
  if (!stat.isFile()) return { kind: "gone" };
  const before = statKey(stat);
  const packed = new ReportInput(file);
  const isTorn = async (): Promise<boolean> => (mayHideWrite(stat.mtimeNs, startedMs) && !(await packed.isStill())) || statKey(await file.stat({ bigint: true })) !== before;
  let input: UnpackedSource | undefined;
  const { complete } = adapter.watch.ready;
  let mapping: Mapping | undefined;
  let publication: Publication | undefined;
  let taken: string | undefined;
  try {
    input = await unpack(packed);
    if (packed.bytes === 0 && complete) return { kind: "waiting", stat: before, reason: "it is empty" };
    const pace = new Pace(job.monotonicMs);
    const start = await detectMapping(adapter, basename(path), input, { signal, pace });
    mapping = start.mapping;
    if (job.isAdapted(before, mapping)) return { kind: "same", mapping, stat: before };
    checkCompression(mapping.input.compression, input.compression);
    const output = outputPath(mapping, path);
    if (job.isTaken(output)) return { kind: "torn" };
    taken = output;
    await checkOutput(output, job);
    publication = Publication.begin({ output, owner: job.owner, mayReplace: job.mayReplace(output), digest: adapter.publish.manifest !== undefined });
    const opened = publication;
    const conversion = await convertReport({ mapping, source: new ReplayedSource(start.bytes, input), file: randomAccess(file, Number(stat.size)), write: async (bytes) => await opened.write(bytes), takeUnfinished: !complete, signal, pace });
    await packed.readRest();
    if (await isTorn()) {
      await publication.abandon();
      return { kind: "torn" };
    }
    const { kind, identity } = await give(publication, { output, mapping }, job);
    const { bytes } = publication;
    const sha256 = publication.sha256();
    await writeBeside(output, adapter.publish, { file: basename(output), rows: conversion.rows, bytes, sha256: sha256 ?? "", source: basename(path), mapping: mapping.name, mappingHash: mappingHash(mapping) });
    return { kind: "adapted", mapping, rows: conversion.rows, output, stat: before, content: packed.contentHash(), wrote: kind === "new", published: identity, bytes: packed.bytes, refusals: conversion.refusals };
  } catch (error) {
    await publication?.abandon();
    if (!(error instanceof ConversionError)) throw error;
    await packed.readRest();
    const place = input?.compression === "none" ? await byteOffsetOf(error, file, mapping) : undefined;
    if (await isTorn()) return { kind: "torn" };
    if (error.code === "INCOMPLETE" && complete) return { kind: "waiting", stat: before, reason: error.message };
    return { kind: "refused", error, mapping, stat: before, content: packed.contentHash(), byteOffsetOfLine: place };
  } finally {
    if (taken !== undefined) job.release(taken);
    input?.close();
    packed.close();
  }
}

/** Where in the file a fault is, or its line begins. */
async function byteOffsetOf(error: ConversionError, file: FileHandle, mapping: Mapping | undefined): Promise<number | undefined> {
  return mapping !== undefined && isBinary(mapping.input) ? error.offset : await byteOffsetOfLine(file, error.line);
}

/** Publishes in the job's turn. Throws NAME when what stands there is not ours to replace. */
async function give(publication: Publication, { output, mapping }: { readonly output: string; readonly mapping: Mapping }, { turn, directories, intend }: AdaptJob): Promise<{ readonly kind: "new" | "same"; readonly identity: string }> {
  const prepared = await publication.prepare();
  if (prepared.kind === "foreign") throw new ConversionError("NAME", `${output} stands in a folder that is watched too and was not written by an adapter; it is not overwritten`, { line: 1 });
  await turn.wait();
  if (prepared.kind === "new") await intend(output, prepared.identity, mapping);
  // What stands there already may have got its name by a try whose sync failed, or that a kill ended before.
  const durable = prepared.kind === "new" ? publication.commit(directories) : directories.sync(dirname(output));
  turn.pass();
  await durable;
  return prepared;
}

const nameBytesMax = 255;

/** Throws NAME when the input's name gives no output of its own: trying again would not help. */
async function checkOutput(output: string, job: AdaptJob): Promise<void> {
  if (["", ".", ".."].includes(basename(output)) || output.includes("\0")) throw new ConversionError("NAME", `the adapted report would have no name of its own: ${output}`, { line: 1 });
  if (Buffer.byteLength(basename(output)) > nameBytesMax) throw new ConversionError("NAME", `the adapted report's name would be longer than ${nameBytesMax} bytes: ${output}`, { line: 1 });
  const owner = job.ownerOf(output);
  const isThere = owner !== undefined && (await lstat(owner).then(() => true, () => false));
  if (isThere) throw new ConversionError("NAME", `${output} is what ${owner} was adapted to; two reports cannot have one adapted form`, { line: 1 });
}
