import { closeSync, openSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { exitCode } from "../../../kit/exit-code.ts";
import type { CommandContext } from "../../../kit/process.ts";
import { auditReport, auditRow, renderAudit, unknownRow, type AuditRow, type Whereabouts } from "./audit-report.ts";
import { readCheckpoint, type RememberedFile } from "../state/checkpoint-log.ts";
import type { ShipperConfig } from "../config.ts";
import { Discovery, identityOf, statOf, type FoundCompressed, type FoundFile } from "../tail/discover.ts";
import { gzipFacts } from "../tail/gzip-file.ts";
import { spooledIn } from "../tail/spool.ts";
import { identityKey } from "../tail/tail-state.ts";
import { holdsContent } from "../tail/tracked-file.ts";

/**
 * `audit`: proves file by file, from the saved positions and the files themselves, what was delivered, and names what was not. It
 * changes nothing and takes no lock, so that it can be run beside the shipper and after its end. Beside a shipper at work it is a
 * little behind: what was acknowledged in the last milliseconds may still count as pending, never the other way round.
 *
 * Ends with 0 when nothing is missing, with 75 otherwise.
 */
export async function runAudit({ config, argv, log, print }: CommandContext<ShipperConfig>): Promise<number> {
  const path = join(config.state.directory, "positions.log");
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    const absent = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (!absent) log.error({ err: error, path }, "Cannot read the saved positions. Run the audit as the shipper's user, with its state volume");
    return absent ? "" : undefined;
  });
  if (text === undefined) return exitCode.retry;
  const { state } = readCheckpoint(text);
  const found = findFiles(config);
  const rows: AuditRow[] = [];
  for (const remembered of state.files) rows.push(auditRow(remembered, await whereabouts(remembered, found)));
  const followed = new Set(state.files.flatMap(({ file }, index) => (rows[index]?.at === undefined ? [] : [identityKey(file)])));
  for (const match of found.matches) if (!followed.has(identityKey(match.identity))) rows.push(unknownRow(match.path, match.size));
  const remembered = new Set(state.files.map(({ file }) => identityKey(file)));
  for (const each of found.compressed) if (each.matched && !remembered.has(identityKey(each.identity))) rows.push(unknownRow(each.path, gzipFacts(each.path, each.size)?.contentBytes ?? 0));
  const report = auditReport(rows, state.retired, state.losses);
  print(argv.includes("--json") ? `${JSON.stringify(report)}\n` : renderAudit(report));
  return report.complete ? exitCode.ok : exitCode.retry;
}

type Found = { readonly matches: readonly FoundFile[]; readonly byIdentity: ReadonlyMap<string, string>; readonly compressed: readonly FoundCompressed[] };

function findFiles(config: ShipperConfig): Found {
  const tails = config.sources.filter((source) => source.type === "tail").map((source) => ({ source, look: new Discovery({ patterns: source.paths, exclude: source.exclude }).look() }));
  const looks = tails.map(({ look }) => look);
  const matches = [...new Map(looks.flatMap((look) => look.matches).map((match) => [match.path, match])).values()];
  const spooled = config.spool.directory === undefined ? [] : spooledIn(config.spool.directory);
  const copies = spooled.flatMap(({ path, copyOf }) => (copyOf === undefined ? [] : [{ path, identity: copyOf.identity }]));
  const compressed = tails.flatMap(({ source, look }) => (source.gzip.read ? look.compressed : []));
  return { matches, compressed, byIdentity: new Map([...copies, ...spooled, ...looks.flatMap((look) => look.siblings), ...matches].map((file) => [identityKey(file.identity), file.path])) };
}

/** Where a content is: under a name that can belong to it, under any other name of its directory, or open in a process here. */
async function whereabouts(remembered: RememberedFile, { byIdentity, compressed }: Found): Promise<Whereabouts> {
  const { file, cuts } = remembered;
  const key = identityKey(file);
  const packed = compressed.find((each) => identityKey(each.identity) === key);
  // Not unpacked here: its length is the one that was noted when it was.
  if (packed !== undefined && file.seenTo !== undefined) return { kind: "present", path: packed.path, size: file.seenTo };
  const path = byIdentity.get(key) ?? namesWith(key, namesIn(dirname(file.path)))[0] ?? namesWith(key, openFiles())[0];
  if (path === undefined) return { kind: "gone" };
  const last = cuts.findLast((cut) => cut.acked);
  const known = last === undefined ? { to: file.offset, print: file.print } : { to: last.to, print: last.print };
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return { kind: "gone" }; // since the look
  }
  try {
    const size = Number(statOf(path)?.size ?? 0);
    const same = size >= known.to && (await holdsContent(fd, known.to, known.print));
    return same ? { kind: "present", path, size } : { kind: "overwritten" };
  } finally {
    closeSync(fd);
  }
}

function namesWith(key: string, paths: readonly string[]): readonly string[] {
  return paths.filter((path) => {
    const stats = statOf(path);
    return stats?.isFile() === true && identityKey(identityOf(stats)) === key;
  });
}

/** What processes that may be looked into have open: a deleted file lives on in the shipper. */
function openFiles(): readonly string[] {
  return namesIn("/proc").filter((path) => /^\/proc\/\d+$/.test(path)).flatMap((path) => namesIn(join(path, "fd")));
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name));
  } catch {
    return []; // gone, or not ours to see
  }
}
