import { existsSync } from "node:fs";
import { lstat, readFile } from "node:fs/promises";
import { dirname, matchesGlob } from "node:path";
import { exitCode } from "../../../kit/exit-code.ts";
import type { CommandContext } from "../../../kit/process.ts";
import { outputPath } from "../adapt-file.ts";
import type { AdapterConfig } from "../adapter-config.ts";
import type { Config } from "../config.ts";
import { runExamples } from "../examples.ts";
import { watchedFolders } from "../state/state.ts";
import { lockState } from "../state/state-lock.ts";
import { listCandidates } from "../watch/candidates.ts";
import { sameFolderFault } from "../watch/same-folder.ts";
import { watchHints } from "../watch/watch-hints.ts";
import { shownName } from "./terminal.ts";
import { given, listOf } from "./command-line.ts";
import { checkInputFolder, checkOutputFolder, checkStateFolder, codeOf, readWatchLimits, singleFileMounts } from "./doctor/folders.ts";
import { consumerFinding, findingText, parseMounts, type Finding, type Mount } from "./doctor/finding.ts";

export const doctorUsage = `usage: format-adapter doctor [--strict] [--consumer GLOB]... [--config FILE]
Checks what the adapter finds around it: folders and rights, room, file watches,
clocks, the state directory, examples, reports that would collide. In each
output folder a file is written and removed again, as the adapter does it; the
reports are not touched. Run it in the adapter's container.

  --consumer GLOB   a pattern by which consumers look for reports
  --strict          a warning fails too

Exit code 0: nothing failed; 78: something did.
`;

/** `doctor`: checks the environment. */
export async function doctor({ config, argv, print }: CommandContext<Config>): Promise<number> {
  const args = given(argv, print, doctorUsage, { strict: { type: "boolean" }, consumer: { type: "string", multiple: true } });
  if (typeof args === "number") return args;
  const counts = { ok: 0, warn: 0, fail: 0 };
  for await (const finding of examine(config, { consumers: listOf(args.values["consumer"]), nowMs: Date.now() })) {
    counts[finding.level]++;
    print(findingText({ ...finding, subject: shownName(finding.subject), detail: shownName(finding.detail) }));
  }
  print(`\n${counts.ok} ok, ${counts.warn} to look at, ${counts.fail} failed\n`);
  return counts.fail > 0 || (args.values["strict"] === true && counts.warn > 0) ? exitCode.config : exitCode.ok;
}

/** All checks, in the order of what they are about. */
export async function* examine(config: Config, { consumers, nowMs }: { readonly consumers: readonly string[]; readonly nowMs: number }): AsyncGenerator<Finding> {
  const mounts = parseMounts(await readFile("/proc/self/mountinfo", "utf8").catch(() => ""));
  yield* checkProcess();
  yield await readWatchLimits();
  for (const adapter of config.adapters) {
    yield* await checkInputFolder(adapter.watch.directory, mounts, { writes: adapter.retention.inputs !== undefined });
    yield* await checkReports(adapter, nowMs);
    for (const hint of watchHints(adapter)) yield { level: "warn", subject: adapter.name, detail: hint };
  }
  for (const adapter of config.adapters) {
    const doubled = await sameFolderFault(adapter, watchedFolders(config));
    if (doubled !== undefined) yield { level: "fail", subject: adapter.name, ...doubled };
  }
  yield* await checkOutputs(config, mounts);
  for (const consumer of consumers) yield consumerFinding(consumer, ".podkit-0123456789abcdef.tmp", matchesGlob);
  yield* await checkStateFolder(config.stateDirectory, config.adapters.map((adapter) => adapter.watch.directory), mounts);
  yield* checkLock(config.stateDirectory);
  yield* checkExamples(config);
  for (const source of config.exporter?.sources ?? []) if (source.place.kind === "file" && !existsSync(source.place.path)) yield { level: "warn", subject: source.place.path, detail: `the metrics' source "${source.name}" is not there`, remedy: "correct file: or mount it; the source counts as down until it comes" };
}

const fewMemoryBytes = 67_108_864;
const fewOpenFiles = 256;

async function* checkProcess(): AsyncGenerator<Finding> {
  const user = `uid ${process.getuid?.() ?? "?"}, gid ${process.getgid?.() ?? "?"}, groups ${process.getgroups?.().join(" ") ?? "?"}`;
  yield process.getuid?.() === 0 ? { level: "warn", subject: "process", detail: `runs as root (${user})`, remedy: "set runAsNonRoot: true; the image's own user is 65532" } : { level: "ok", subject: "process", detail: user };
  const memory = Number(await readFile("/sys/fs/cgroup/memory.max", "utf8").catch(() => "")) || 0;
  if (memory > 0 && memory < fewMemoryBytes) yield { level: "warn", subject: "memory", detail: `the container has ${Math.floor(memory / 1_048_576)} MiB`, remedy: "give it 64 MiB or more" };
  const files = Number(/^Max open files\s+(\d+)/m.exec(await readFile("/proc/self/limits", "utf8").catch(() => ""))?.[1] ?? 0);
  if (files > 0 && files < fewOpenFiles) yield { level: "warn", subject: "open files", detail: `at most ${files}`, remedy: `raise the limit to ${fewOpenFiles} or more` };
}

const aheadMs = 60_000;
/** No clock that is right shows less: the program is younger. */
const earliestMs = Date.UTC(2026, 0, 1);

/** What stands in the folder now: how much of it matches, what would collide, and what the clocks say. */
async function checkReports(adapter: AdapterConfig, nowMs: number): Promise<readonly Finding[]> {
  const subject = adapter.watch.directory;
  const listing = await listCandidates(adapter).catch(() => undefined);
  const clock: readonly Finding[] = nowMs < earliestMs ? [{ level: "warn", subject: "clock", detail: `it shows ${new Date(nowMs).toISOString()}`, remedy: "set the machine's clock; ages in retention and quarantine go by it" }] : [];
  if (listing === undefined) return clock; // told already
  const { candidates, ignored } = listing;
  const findings: Finding[] = [...clock, { level: "ok", subject, detail: `${candidates.length} reports match "${adapter.watch.match}"` }];
  if (ignored.length > 0) findings.push({ level: "warn", subject, detail: `${ignored.length} entries match and can be no reports, such as ${ignored[0]?.path ?? ""} (${ignored[0]?.reason ?? ""})`, remedy: "links, pipes and names that are not UTF-8 are passed over; have the application write regular files" });
  let ahead: string | undefined;
  const outputs = new Map<string, string>();
  const colliding: string[] = [];
  for (const { path, name } of candidates) {
    const made = await lstat(path).catch(() => undefined);
    if (made !== undefined && made.mtimeMs > nowMs + aheadMs) ahead ??= name;
    for (const output of new Set(adapter.mappings.map((mapping) => outputPath(mapping, path)))) {
      const other = outputs.get(output);
      if (other !== undefined && other !== name) colliding.push(`${other} and ${name}`);
      outputs.set(output, name);
    }
  }
  if (ahead !== undefined) findings.push({ level: "warn", subject, detail: `${ahead} was written in the future, by our clock`, remedy: "set the clocks of the machines that share the folder; order: mtime, stable and retention go by them" });
  if (colliding.length > 0) findings.push({ level: "warn", subject, detail: `${colliding.length} pairs of reports may have one adapted form, such as ${colliding[0]}; the second of them is refused with NAME`, remedy: "narrow watch.match, or have the application give names that differ before the last point" });
  return findings;
}

async function checkOutputs(config: Config, mounts: readonly Mount[]): Promise<readonly Finding[]> {
  const files = [...new Set(config.adapters.flatMap((adapter) => adapter.mappings.map(({ output }) => output.file)))];
  const findings: Finding[] = [...singleFileMounts(files, mounts)];
  for (const directory of new Set(files.map((file) => dirname(file)))) findings.push(...(await checkOutputFolder(directory, { what: "the folder of adapted reports", readers: true })));
  for (const { name, publish, mappings } of config.adapters) {
    for (const beside of [publish.manifest, publish.done].filter((each) => each !== undefined)) {
      const sample = mappings.map(({ output }) => ({ file: output.file, beside: beside.replaceAll("{file}", "x").replaceAll("{name}", "x") })).find((each) => endingOf(each.file) !== "" && endingOf(each.file) === endingOf(each.beside));
      if (sample !== undefined) findings.push({ level: "warn", subject: name, detail: `files named ${beside} end as the reports do (${endingOf(sample.file)}): consumers that look for *${endingOf(sample.file)} take them for reports`, remedy: 'give them another ending, such as "{file}.manifest"' });
    }
  }
  return findings;
}

function endingOf(path: string): string {
  return /\.[^./]+$/.exec(path)?.[0] ?? "";
}

function checkLock(directory: string): readonly Finding[] {
  const subject = directory;
  if (!existsSync(directory)) return []; // told already
  const lock = lockState(directory);
  switch (lock.kind) {
    case "held":
      lock.release();
      return [{ level: "ok", subject, detail: "it can be locked: no adapter is at work with it now" }];
    case "taken":
      return [{ level: "ok", subject, detail: "an adapter is at work with it; a second one would wait" }];
    case "unlocked":
      return [{ level: "warn", subject, detail: `it cannot be locked: ${codeOf(lock.error)}`, remedy: "see that no second adapter uses this state directory" }];
  }
}

function* checkExamples(config: Config): Generator<Finding> {
  for (const adapter of config.adapters) {
    for (const mapping of adapter.mappings) {
      const subject = `mapping ${mapping.name}`;
      const [failure, ...more] = runExamples([mapping]);
      if (failure !== undefined) yield { level: "fail", subject, detail: `${1 + more.length} of ${mapping.examples.length} examples do not hold; nothing is adapted`, remedy: "run test for what came instead" };
      else if (mapping.examples.length === 0) yield { level: "warn", subject, detail: "it has no examples", remedy: "give it at least one; infer drafts them from samples" };
      else yield { level: "ok", subject, detail: mapping.examples.length === 1 ? "its example holds" : `its ${mapping.examples.length} examples hold` };
    }
  }
}
