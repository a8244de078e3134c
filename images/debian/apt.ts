import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";

/**
 * Packages of a Debian release, resolved and fetched by the machine's own apt under a configuration of ours: its own package
 * lists, an empty package database, its own archive. Nothing is installed, no maintainer script runs, no privilege is needed.
 * apt checks the signatures of the release against Debian's keyring.
 *
 * Where packages come from is the machine's business: the mirror, proxies and certificates that its apt is set to are used;
 * a machine that is not Debian names a mirror in PODKIT_DEBIAN_MIRROR. The archive and lists are shared by all clones and guarded
 * by a lock, since apt itself is told not to lock.
 */
export type DebianPackages = {
  /** The packages and all they depend on, by file name (`name_version_architecture.deb`). The index is renewed when it is older than a day. */
  resolve(packages: readonly string[]): Promise<readonly string[]>;
  /** Fetches what resolve() named and is not in the archive yet. Returns the folder that holds the files. */
  download(packages: readonly string[]): Promise<string>;
};

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** Names a Debian mirror for a machine that is not Debian itself, or one to prefer. */
const mirrorVariable = "PODKIT_DEBIAN_MIRROR";
const indexAgeMaxMs = 24 * 3_600_000;

/** Why this machine cannot unpack Debian packages, or undefined when it can. */
export function debianObstacle(): string | undefined {
  const missing = ["/usr/bin/apt-get", "/usr/bin/dpkg-deb", keyring].filter((path) => !existsSync(path));
  return missing.length === 0 ? undefined : `${missing.join(", ")} not present`;
}

export async function openDebianPackages(o: { readonly cacheDirectory: string; readonly suite: string; readonly refresh: boolean; readonly nowMs: number; readonly say: (line: string) => void }): Promise<DebianPackages> {
  const home = join(o.cacheDirectory, "apt", o.suite);
  const archives = join(home, "archives");
  for (const folder of ["lists/partial", "archives/partial", "etc", "resolved"]) await mkdir(join(home, folder), { recursive: true });
  const sources = await writeConfiguration(home, o.suite);
  const apt = async (...words: string[]): Promise<string> =>
    await run("flock", ["--timeout", "600", join(home, "lock"), "apt-get", ...words], { APT_CONFIG: join(home, "etc/apt.conf"), LC_ALL: "C" });

  let indexReady: Promise<string> | undefined;
  const index = async (): Promise<string> => {
    const before = await indexState(join(home, "lists"), sources);
    if (before.ageMs(o.nowMs) <= indexAgeMaxMs && !o.refresh) return before.id;
    o.say(`Reading the package lists of Debian ${o.suite}`);
    try {
      await apt("-qq", "-o", "APT::Update::Error-Mode=any", "update"); // otherwise a mirror that does not answer is only a warning
    } catch (error) {
      if (before.id === "") throw new Error(`Cannot read the package lists of Debian ${o.suite}. Check that the mirror in /etc/apt answers: apt-get update`, { cause: error });
      o.say(`The package lists could not be renewed, those of before are used: ${error instanceof Error ? error.message : String(error)}`);
      return before.id;
    }
    await writeFile(join(home, "lists/.podkit-stamp"), `${o.nowMs} ${sources}`);
    return (await indexState(join(home, "lists"), sources)).id;
  };

  return {
    async resolve(packages) {
      indexReady ??= index();
      const key = createHash("sha256").update([await indexReady, ...packages].join("\n")).digest("hex").slice(0, 24);
      const memo = join(home, "resolved", key);
      const known = await readFile(memo, "utf8").catch(() => undefined);
      if (known !== undefined) return known.trim().split("\n");
      // --print-uris leaves out what is in the archive already, so it is asked with an empty one.
      const empty = await mkdtemp(join(tmpdir(), "podkit-apt-"));
      try {
        await mkdir(join(empty, "partial"));
        const listing = await apt("-o", `Dir::Cache::archives=${empty}`, "install", "--print-uris", "-qq", ...packages);
        const files = [...listing.matchAll(/^'[^']*' (\S+\.deb) /gm)].map((match) => match[1] ?? "").toSorted();
        if (files.length === 0) throw new Error(`Cannot resolve ${packages.join(" ")}: apt named no package`);
        await writeFile(memo, `${files.join("\n")}\n`);
        return files;
      } finally {
        await rm(empty, { recursive: true, force: true });
      }
    },
    async download(packages) {
      await apt("install", "-qq", "--download-only", ...packages);
      return archives;
    },
  };
}

/** Writes sources.list and apt.conf; returns what tells one set of sources from another. */
async function writeConfiguration(home: string, suite: string): Promise<string> {
  const mirror = await configuredMirror();
  const line = (uri: string, release: string): string => `deb [signed-by=${keyring}] ${uri} ${release} main\n`;
  const sources = line(mirror.main, suite) + line(mirror.main, `${suite}-updates`) + (mirror.security === undefined ? "" : line(mirror.security, `${suite}-security`));
  const settings = [
    'Dir::Etc::main "/dev/null";', 'Dir::Etc::parts "/dev/null";', 'Dir::Etc::sourceparts "/dev/null";', 'Dir::Etc::preferencesparts "/dev/null";',
    `Dir::Etc::sourcelist "${home}/etc/sources.list";`, `Dir::State::lists "${home}/lists";`, `Dir::State::status "${home}/status";`,
    `Dir::Cache "${home}";`, `Dir::Cache::archives "${home}/archives";`,
    'APT::Install-Recommends "false";', 'APT::Sandbox::User "root";', 'APT::Get::Assume-Yes "true";', 'Acquire::Languages "none";', 'Acquire::Retries "3";', 'Debug::NoLocking "true";',
    ...(await accessSettings()),
  ];
  await writeFile(join(home, "status"), "");
  await writeFile(join(home, "etc/sources.list"), sources);
  await writeFile(join(home, "etc/apt.conf"), `${settings.join("\n")}\n`);
  return createHash("sha256").update(sources).digest("hex").slice(0, 16);
}

/** The mirror of a Debian machine is where its own release comes from. Throws with the remedy when none is known. */
async function configuredMirror(): Promise<{ readonly main: string; readonly security: string | undefined }> {
  const named = process.env[mirrorVariable];
  if (named !== undefined) return { main: named, security: undefined };
  const system = await readFile("/etc/os-release", "utf8").catch(() => "");
  const codename = /^VERSION_CODENAME=(\S+)$/m.exec(system)?.[1];
  const unknown = new Error(`Cannot tell where this machine gets Debian packages from; set ${mirrorVariable} to the address of a Debian mirror`);
  if (!/^ID=debian$/m.test(system) || codename === undefined) throw unknown;
  const listing = await run("apt-get", ["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"], { LC_ALL: "C" });
  const targets = listing.split("\n").map((line) => line.split(" "));
  const of = (release: string): string | undefined => targets.find((words) => words[1] === release && words[2] === "main")?.[0];
  const main = of(codename);
  if (main === undefined) throw unknown;
  return { main, security: of(`${codename}-security`) };
}

/** How the machine's apt reaches a mirror and how old an answer it accepts: kept. What it installs and prefers: not. */
async function accessSettings(): Promise<readonly string[]> {
  const dump = await run("apt-config", ["dump"], { LC_ALL: "C" });
  return dump.split("\n").filter((line) => /^Acquire::(https?|ftp|ForceIPv[46]|Check-Valid-Until|Check-Date|Max-FutureTime)\b/.test(line));
}

async function indexState(lists: string, sources: string): Promise<{ readonly id: string; ageMs(nowMs: number): number }> {
  const stamp = (await readFile(join(lists, ".podkit-stamp"), "utf8").catch(() => "")).split(" ");
  const names = (await readdir(lists)).filter((name) => name.endsWith("_InRelease") || name.includes("_Packages")).toSorted();
  if (names.length === 0 || stamp[1] !== sources) return { id: "", ageMs: () => Number.POSITIVE_INFINITY };
  const parts = await Promise.all(names.map(async (name) => { const s = await stat(join(lists, name)); return `${name} ${s.size} ${s.mtimeMs}`; }));
  return { id: createHash("sha256").update(parts.join("\n")).digest("hex"), ageMs: (nowMs) => Math.abs(nowMs - Number(stamp[0])) };
}

/** Runs a program to its end and returns its standard output; `env` is added to the environment. Throws with the last lines of its errors. */
export async function run(command: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const child = spawn("env", [...Object.entries(env).map(([name, value]) => `${name}=${value}`), command, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const out: Buffer[] = [];
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => { errors = (errors + chunk.toString()).slice(-4_000); });
  const code = await new Promise<number | null>((resolve, reject) => { child.once("error", reject).once("close", resolve); });
  if (code !== 0) throw new Error(`Cannot run ${command} ${words.join(" ").slice(0, 200)}: exit code ${code}: ${errors.trim()}`);
  return Buffer.concat(out).toString();
}
