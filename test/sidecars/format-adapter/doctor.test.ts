import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, matchesGlob } from "node:path";
import { after, test } from "node:test";
import { examine } from "../../../sidecars/format-adapter/commands/doctor.ts";
import { consumerFinding, findingText, isRemote, lifeOf, mountOf, parseMounts, spaceFinding, watchLimitFinding } from "../../../sidecars/format-adapter/commands/doctor/finding.ts";
import { singleFileMounts } from "../../../sidecars/format-adapter/commands/doctor/folders.ts";
import { eventually } from "../../support/eventually.ts";
import { parseConfig } from "./support.ts";

const root = mkdtempSync(join(tmpdir(), "podkit-doctor-"));
after(() => rmSync(root, { recursive: true }));
const entry = join(import.meta.dirname, "../../../sidecars/format-adapter/main.ts");

type Place = { readonly reports: string; readonly legacy: string; readonly state: string; readonly config: string; readonly text: string };
function makePlace(options: { readonly adapter?: string; readonly examples?: string; readonly file?: string } = {}): Place {
  const directory = mkdtempSync(join(root, "case-"));
  chmodSync(directory, 0o755);
  const [reports, legacy, state] = [join(directory, "reports"), join(directory, "legacy"), join(directory, "state")];
  for (const each of [reports, legacy, state]) mkdirSync(each);
  const text = `stateDirectory: ${state}\nwatch: {dir: ${reports}, match: "*.csv"}\n${options.adapter ?? ""}\nmappings:\n  m:\n    in: {format: csv}\n    out: {format: csv, file: "${legacy}/${options.file ?? "{name}.csv"}"}\n    fields: {b: a}\n    examples: ${options.examples ?? '[{in: "a\\n1\\n", out: "b\\n1\\n"}]'}\n`;
  writeFileSync(join(directory, "config.yaml"), text);
  return { reports, legacy, state, config: join(directory, "config.yaml"), text };
}

async function found({ text }: Place, options: { readonly consumers?: readonly string[]; readonly nowMs?: number } = {}): Promise<string> {
  const parsed = parseConfig(text);
  assert.ok("config" in parsed, "problems" in parsed ? parsed.problems.join("\n") : "");
  let all = "";
  for await (const finding of examine(parsed.config, { consumers: options.consumers ?? [], nowMs: options.nowMs ?? Date.now() })) all += `${finding.level} ${finding.subject}: ${finding.detail}${finding.remedy === undefined ? "" : ` -> ${finding.remedy}`}\n`;
  return all;
}

test("a place that is as it should be has no fault, and nothing stays behind", async () => {
  const place = makePlace();
  writeFileSync(join(place.reports, "a.csv"), "a\n1\n");
  const text = await found(place, { consumers: ["*.csv"] });
  assert.doesNotMatch(text, /^fail /m);
  for (const line of ["the watched folder can be listed", '1 reports match "*.csv"', "takes files: written, synced and renamed within it", "its example holds", "it matches no temporary file", "no adapter is at work with it now"]) assert.ok(text.includes(line), `${line}\n${text}`);
  assert.deepEqual([readdirSync(place.legacy), readdirSync(place.reports)], [[], ["a.csv"]]);
});

const cases: readonly (readonly [name: string, arrange: (place: Place) => void, expected: RegExp, options?: Parameters<typeof makePlace>[0]])[] = [
  ["a watched folder that is not there", (place) => rmSync(place.reports, { recursive: true }), /^fail .*reports: the watched folder does not exist -> mount/m],
  ["a watched folder that is a file", (place) => { rmSync(place.reports, { recursive: true }); writeFileSync(place.reports, ""); }, /^fail .*watch\.dir is no folder/m],
  ["an output folder that is not there", (place) => rmSync(place.legacy, { recursive: true }), /^warn .*legacy: the folder of adapted reports does not exist; it will be made/m],
  ["an output folder that others cannot list", (place) => chmodSync(place.legacy, 0o750), /^warn .*its mode is 750: consumers that are neither user/m],
  ["a state directory that is not there", (place) => rmSync(place.state, { recursive: true }), /^warn .*state: the state directory does not exist; it will be made/m],
  ["an example that does not hold", () => undefined, /^fail mapping m: 1 of 1 examples do not hold; nothing is adapted -> run test/m, { examples: '[{in: "a\\n1\\n", out: "b\\n2\\n"}]' }],
  ["no example", () => undefined, /^warn mapping m: it has no examples -> /m, { examples: "[]" }],
  ["links among the reports", (place) => symlinkSync("/etc/hostname", join(place.reports, "l.csv")), /^warn .*1 entries match and can be no reports, such as .*l\.csv \(link\)/m],
  ["a report of the future", (place) => { writeFileSync(join(place.reports, "a.csv"), ""); utimesSync(join(place.reports, "a.csv"), new Date("2100-01-01"), new Date("2100-01-01")); }, /^warn .*a\.csv was written in the future, by our clock/m],
  ["manifests that look like reports", () => undefined, /^warn adapter-1: files named \{file\}\.csv end as the reports do \(\.csv\)/m, { adapter: 'publish: {manifest: "{file}.csv"}' }],
  ["a rule that needs more of the Pod", () => undefined, /^warn adapter-1: "closed" needs shareProcessNamespace/m, { adapter: "" }],
];
for (const [name, arrange, expected, options] of cases) {
  test(`doctor tells of ${name}`, async () => {
    const made = makePlace(options);
    const place = name.startsWith("a rule") ? { ...made, text: made.text.replace('match: "*.csv"', 'match: "*.csv", ready: [closed]') } : made;
    arrange(place);
    assert.match(await found(place), expected);
  });
}

test("doctor tells of reports that would have one adapted form", async () => {
  const place = makePlace();
  const all = { ...place, text: place.text.replace('match: "*.csv"', 'match: "*"') };
  for (const name of ["x.csv", "x.txt", "y.csv"]) writeFileSync(join(place.reports, name), "");
  assert.match(await found(all), /^warn .*1 pairs of reports may have one adapted form, such as x\.csv and x\.txt; the second of them is refused with NAME/m);
});

test("doctor tells of a clock that cannot be right", async () => {
  assert.match(await found(makePlace(), { nowMs: 1_000 }), /^warn clock: it shows 1970-01-01T00:00:01\.000Z/m);
});

test("as another user, missing rights are told with what to give", { skip: process.getuid?.() === 0 ? false : "needs root to become another user" }, () => {
  const place = makePlace();
  chownSync(place.state, 65_534, 65_534);
  chmodSync(place.reports, 0o700);
  chmodSync(root, 0o755);
  const { status, stdout } = spawnSync(process.execPath, [entry, "doctor", "--config", place.config], { uid: 65_534, gid: 65_534, env: {}, encoding: "utf8", timeout: 120_000 });
  assert.equal(status, 78, stdout);
  const text = stdout.replaceAll(/\s+/g, " ");
  assert.match(text, /FAIL \S+reports: the watched folder cannot be listed: EACCES -> give uid 65534, gid 65534 the rights r and x/);
  assert.match(text, /FAIL \S+legacy: the folder of adapted reports: cannot make a file: EACCES -> give uid 65534, gid 65534 the rights w and x/);
  for (const line of stdout.split("\n")) assert.ok(line.length <= 80 || line.includes(root), line);
});

test("doctor says when an adapter is at work, and leaves its lock alone", async () => {
  const place = makePlace();
  const child = spawn(process.execPath, [entry, "--config", place.config], { env: { PODKIT_ADMIN_ADDR: "127.0.0.1:0" }, stdio: ["ignore", "ignore", "pipe"] });
  try {
    await eventually(() => readdirSync(place.state).includes("ledger.log") || readdirSync(place.state).length > 1, { what: "the adapter to have its state" });
    await eventually(async () => /an adapter is at work with it/.test(await found(place)), { what: "the adapter's lock" });
    assert.equal(child.exitCode, null);
  } finally {
    child.kill("SIGKILL");
  }
});

test("warnings fail where they are to", () => {
  const place = makePlace({ examples: "[]" });
  const codeOf = (...argv: readonly string[]): number | null => spawnSync(process.execPath, [entry, "doctor", "--config", place.config, ...argv], { env: {}, timeout: 120_000 }).status;
  assert.equal(codeOf(), 0);
  assert.equal(codeOf("--strict"), 78);
  assert.equal(codeOf("--stirct"), 64);
});

test("mounts are told apart by how long what is on them lives", () => {
  const mounts = parseMounts(`22 1 0:21 / / rw,relatime - overlay overlay rw
30 22 0:30 / /reports ro,relatime - nfs4 server:/share rw
31 22 8:1 /var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/state /podkit rw - ext4 /dev/sda1 rw
32 22 0:33 / /with\\040space rw - tmpfs tmpfs rw
33 22 8:1 /data/pvc /legacy rw master:1 - ext4 /dev/sda1 rw
34 33 8:1 /data/pvc/old.csv /legacy/old.csv rw - ext4 /dev/sda1 rw
`);
  const of = (path: string): string => {
    const mount = mountOf(path, mounts);
    return mount === undefined ? "" : `${mount.point} ${lifeOf(mount)}${isRemote(mount) ? " remote" : ""}${mount.readOnly ? " read-only" : ""}`;
  };
  assert.deepEqual(["/x", "/reports/a", "/podkit/state", "/with space", "/legacy", "/legacyother"].map(of), ["/ container", "/reports volume remote read-only", "/podkit pod", "/with space memory", "/legacy volume", "/ container"]);
  assert.deepEqual(singleFileMounts(["/legacy/old.csv", "/legacy/{name}.csv"], mounts).map(({ level, subject }) => `${level} ${subject}`), ["fail /legacy/old.csv"]);
});

test("room is judged by bytes, share and files", () => {
  const level = (bytes: number, freeBytes: number, files = 0, freeFiles = 0): string => spaceFinding("v", { bytes, freeBytes, files, freeFiles }).level;
  assert.deepEqual([level(1e12, 5e11), level(1e12, 5e9), level(1e9, 1e7), level(1e9, 0), level(1e9, 5e8, 1000, 0), level(1e9, 5e8, 1000, 50), level(1e9, 5e8, 0, 0)], ["ok", "warn", "warn", "fail", "fail", "warn", "ok"]);
});

test("the kernel's limits on watches are judged", () => {
  const level = (instances: number | undefined, watches: number | undefined): string => watchLimitFinding({ instances, watches, queued: 1 }).level;
  assert.deepEqual([level(128, 8_192), level(8, 8_192), level(128, 100), level(undefined, 1)], ["ok", "warn", "warn", "warn"]);
});

test("a consumer's pattern is held against the names of temporary files", () => {
  const level = (pattern: string): string => consumerFinding(pattern, ".podkit-0123456789abcdef.tmp", matchesGlob).level;
  assert.deepEqual([level("*.csv"), level("*"), level("*.tmp"), level(".*"), level(".podkit-*")], ["ok", "warn", "warn", "fail", "fail"]);
});

test("a finding is wrapped at 80 characters", () => {
  const text = findingText({ level: "warn", subject: "x", detail: "word ".repeat(40).trim(), remedy: "other ".repeat(30).trim() });
  for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
  assert.match(text, /^WARN {2}x: word[^]*\n {6}-> other[^]*\n {9}other/);
});
