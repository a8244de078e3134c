import { closeSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import { exitCode } from "../../../kit/exit-code.ts";
import type { CommandContext } from "../../../kit/process.ts";
import { checkFile, fileReport } from "./check-file.ts";
import { contradictions, type ShipperConfig } from "../config.ts";
import { discoveriesOf, type FoundFile } from "../tail/discover.ts";
import { extraOf } from "./explain.ts";
import type { LinesSource } from "./preview.ts";

/** How much of each file is looked at, and of how many files. */
const sampleMax = 65_536;
const filesMax = 100;

/**
 * `check`: which files each tail source matches now, which rotated forms of them it sees, and what would become of each file's
 * first lines: how many its parser takes, the first that it refuses and why, whether times are found, what filters drop, and which
 * sinks would get how many. Changes nothing and sends nothing.
 */
export async function runCheck({ config, print }: CommandContext<ShipperConfig>): Promise<number> {
  const faults = contradictions(config);
  for (const fault of faults) print(`${fault}\n`);
  if (faults.length > 0) return exitCode.config;
  let matched = 0;
  const looks = discoveriesOf(config.sources.filter((source) => source.type === "tail")).map((discovery) => discovery.look());
  const named = new Set(looks.flatMap(({ matches, compressed }) => [...matches, ...compressed.filter((found) => found.matched)]).map(({ path }) => path));
  for (const [index, source] of config.sources.entries()) {
    if (source.type !== "tail") continue;
    const look = looks.shift();
    if (look === undefined) continue;
    matched += look.matches.length;
    print(`sources[${index}] tail ${source.paths.join(" ")} (${source.format}, tag ${source.tag}): ${look.matches.length} files\n`);
    for (const [nth, found] of look.matches.entries()) {
      print(`  ${found.path}  ${found.size} bytes\n`);
      if (nth < filesMax) print(await linesOf(config, source, found));
      else if (nth === filesMax) print(`    the first lines of this and later files are not looked at: more than ${filesMax} files\n`);
    }
    // Rotated names that another source matches stand there.
    for (const found of look.siblings) if (!named.has(found.path)) print(`  ${found.path}  ${found.size} bytes, a rotated ${found.formerPath}: read only if it was rotated while the shipper knew it\n`);
    for (const found of look.compressed) if (found.matched || !named.has(found.path)) print(`  ${found.path}  ${found.size} bytes, compressed: ${source.gzip.read ? "read if its content was not read before" : "left alone"}\n`);
    if (look.directories.length === 0) print("  none of the directories exists yet\n");
    for (const directory of look.unlisted) print(`  ${directory} cannot be listed: check its permissions\n`);
  }
  return matched > 0 ? exitCode.ok : exitCode.unavailable;
}

async function linesOf(config: ShipperConfig, source: Extract<LinesSource, { type: "tail" }>, found: FoundFile): Promise<string> {
  const bytes = beginning(found.path);
  if (typeof bytes === "string") return `    cannot be read: ${bytes}\n`;
  const time = { seconds: Number(found.mtimeNs / 1_000_000_000n), nanoseconds: Number(found.mtimeNs % 1_000_000_000n) };
  const checked = checkFile(config, source, bytes, { time, extra: await extraOf(config, source, found.path), tag: source.tag.replaceAll("{file}", basename(found.path)), path: found.path, whole: bytes.length === found.size });
  return fileReport(checked, source);
}

/** The first bytes of the file, or why it cannot be read. */
function beginning(path: string): Buffer | string {
  const buffer = Buffer.alloc(sampleMax);
  try {
    const fd = openSync(path, "r");
    try {
      return buffer.subarray(0, readSync(fd, buffer, 0, sampleMax, 0));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
