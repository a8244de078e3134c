import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import type { AdapterConfig } from "./adapter-config.ts";
import { ConversionError } from "./conversion-error.ts";
import { sniffColumns, startConversion } from "./convert.ts";
import type { Mapping } from "./mapping/mapping.ts";
import { Publication } from "./publish.ts";

/** What became of one try to adapt one file. */
export type AdaptOutcome =
  | { readonly kind: "adapted"; readonly mapping: Mapping; readonly rows: number; readonly output: string; readonly stat: string; readonly content: string; readonly wrote: boolean; readonly bytes: number }
  /** Not finished yet, by its format. */
  | { readonly kind: "waiting"; readonly stat: string; readonly reason: string }
  /** It changed while it was read: try again. */
  | { readonly kind: "torn" }
  | { readonly kind: "gone" }
  | { readonly kind: "refused"; readonly error: ConversionError; readonly mapping: Mapping | undefined; readonly stat: string; readonly content: string };

const blockBytes = 1_048_576;

/** The stat tuple that tells whether a file was touched. Its ctime shows also a rewrite of the same size and mtime. */
export function statKey(stat: { readonly dev: bigint; readonly ino: bigint; readonly size: bigint; readonly mtimeNs: bigint; readonly ctimeNs: bigint }): string {
  return [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(".");
}

/** Where a mapping puts the adapted form of an input. */
export function outputPath(mapping: Mapping, inputPath: string): string {
  const name = basename(inputPath).replace(/\.[^.]+$/, "");
  return mapping.output.file.replaceAll("{name}", () => name);
}

/**
 * Reads a report once, adapts and publishes it. The file is read through one descriptor and its stat compared before and after, so that a torn
 * read is never published. Faults of the input are an outcome; faults of the system (no space, no rights, I/O) are thrown, as is the signal's
 * reason when it is aborted between two blocks; nothing half-done stays then.
 */
export async function adaptFile(path: string, adapter: AdapterConfig, signal: AbortSignal): Promise<AdaptOutcome> {
  const file = await open(path, "r").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return { kind: "gone" };
  try {
    return await adaptOpened(file, path, adapter, signal);
  } finally {
    await file.close();
  }
}

async function adaptOpened(file: FileHandle, path: string, adapter: AdapterConfig, signal: AbortSignal): Promise<AdaptOutcome> {
  const before = statKey(await file.stat({ bigint: true }));
  const input = new TextInput(file);
  let mapping: Mapping | undefined;
  let publication: Publication | undefined;
  try {
    const first = (await input.next()) ?? "";
    if (first === "" && adapter.watch.ready.complete) return { kind: "waiting", stat: before, reason: "it is empty" };
    mapping = chooseMapping(adapter, first);
    if (mapping === undefined) return { kind: "waiting", stat: before, reason: "its columns are not there yet" };
    const conversion = startConversion(mapping);
    const output = outputPath(mapping, path);
    publication = await Publication.begin(output);
    for (let text: string | undefined = first; text !== undefined; text = await input.next()) {
      signal.throwIfAborted();
      await publication.write(conversion.push(text));
    }
    await publication.write(conversion.end({ takeUnfinished: !adapter.watch.ready.complete }));
    if (statKey(await file.stat({ bigint: true })) !== before) {
      await publication.abandon();
      return { kind: "torn" };
    }
    const wrote = await publication.commit();
    return { kind: "adapted", mapping, rows: conversion.rows, output, stat: before, content: input.contentHash(), wrote, bytes: input.bytes };
  } catch (error) {
    await publication?.abandon();
    if (!(error instanceof ConversionError)) throw error;
    if (statKey(await file.stat({ bigint: true })) !== before) return { kind: "torn" };
    if (error.code === "INCOMPLETE" && adapter.watch.ready.complete) return { kind: "waiting", stat: before, reason: error.message };
    await input.readRest();
    return { kind: "refused", error, mapping, stat: before, content: input.contentHash() };
  }
}

/** The mapping for a report that begins with this text; undefined when its columns are not known yet. Throws VERSION when no rule fits. */
function chooseMapping(adapter: AdapterConfig, text: string): Mapping | undefined {
  const [only, ...others] = adapter.mappings;
  if (adapter.detect.length === 0) return others.length === 0 ? only : undefined;
  let seen: readonly string[] | undefined;
  for (const rule of adapter.detect) {
    const mapping = adapter.mappings.find((candidate) => candidate.name === rule.use);
    if (mapping === undefined) continue;
    const columns = sniff(mapping, text);
    seen ??= columns;
    if (columns !== undefined && rule.header.every((column) => columns.includes(column))) return mapping;
  }
  if (seen === undefined) return adapter.mappings.length === 1 ? only : undefined;
  throw new ConversionError("VERSION", `no rule of detect fits a report with the columns ${seen.join(", ")}`, { line: 1 });
}

/** The text may be in the format of another rule's mapping: then it has no columns in this one. */
function sniff(mapping: Mapping, text: string): readonly string[] | undefined {
  try {
    return sniffColumns(mapping.input, text);
  } catch (error) {
    if (error instanceof ConversionError) return undefined;
    throw error;
  }
}

/** Reads a file in blocks as UTF-8 text, checking every byte, and hashes its content on the way. */
class TextInput {
  readonly #file: FileHandle;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #hash = createHash("sha256");
  readonly #block = Buffer.allocUnsafe(blockBytes);
  #linesBefore = 0;
  #ended = false;
  bytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async next(): Promise<string | undefined> {
    if (this.#ended) return undefined;
    const block = await this.#read();
    try {
      const text = block === undefined ? this.#decoder.decode() : this.#decoder.decode(block, { stream: true });
      if (block !== undefined) this.#linesBefore += countNewlines(block);
      return block === undefined && text === "" ? undefined : text;
    } catch (error) {
      throw new ConversionError("ENCODING", "the file is not UTF-8", { line: this.#linesBefore + 1 + (block === undefined ? 0 : goodLines(block)), sample: error instanceof Error ? error.message : undefined });
    }
  }

  /** Hashes what was not read for the conversion, so that the content can be known again. */
  async readRest(): Promise<void> {
    while ((await this.#read()) !== undefined);
  }

  contentHash(): string {
    return this.#hash.copy().digest("hex").slice(0, 32);
  }

  async #read(): Promise<Buffer | undefined> {
    const { bytesRead } = await this.#file.read(this.#block, 0, blockBytes, null);
    if (bytesRead === 0) {
      this.#ended = true;
      return undefined;
    }
    this.bytes += bytesRead;
    const block = this.#block.subarray(0, bytesRead);
    this.#hash.update(block);
    return block;
  }
}

function countNewlines(block: Buffer): number {
  let lines = 0;
  for (let position = block.indexOf(10); position >= 0; position = block.indexOf(10, position + 1)) lines++;
  return lines;
}

/** How many whole lines of a block stand before the first one that is not UTF-8. */
function goodLines(block: Buffer): number {
  let lines = 0;
  let from = 0;
  for (let end = block.indexOf(10); end >= 0; end = block.indexOf(10, from)) {
    if (!isUtf8(block.subarray(from, end))) break;
    lines++;
    from = end + 1;
  }
  return lines;
}
