import { existsSync, readFileSync, readdirSync } from "node:fs";
import { copyFile, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { debianObstacle, run } from "./debian/apt.ts";
import { treeEntries, unpackPackages } from "./debian/root-tree.ts";
import { packageDescription } from "./package-description.ts";
import { pauseProgram } from "./pause/program.ts";
import type { TarEntry } from "./tar.ts";

/**
 * An image that no Dockerfile of ours makes: the base of the roles and the images that stand around them. It is assembled
 * from Debian packages where that is possible and pulled where it is not; both must do what the image's users rely on.
 */
export type BaseKind = {
  readonly name: "pause" | "busybox" | "redis" | "redis7" | "valkey" | "twemproxy" | "rsyslog" | "node-base";
  /** What a registry offers in its place; undefined: it is always assembled. */
  readonly upstream: string | undefined;
  readonly title: string;
  readonly licences: string;
  /** Made only when it is asked for by name. */
  readonly onDemand?: true;
  /** The Debian release that the packages are of. */
  readonly suite: "trixie" | "bookworm";
  /** Debian packages to resolve, and those among the resolved that are not unpacked. */
  readonly packages: readonly string[];
  readonly skip: ReadonlySet<string>;
  /** What else the content depends on, for the content hash. */
  readonly ingredients: (architecture: string) => readonly (string | Uint8Array)[];
  readonly changes: readonly string[];
  /** The image's files. `root` holds the unpacked packages. Files may be read from `root` until the image is imported. */
  readonly assemble: (o: { readonly root: string; readonly architecture: string; readonly say: (line: string) => void }) => Promise<readonly TarEntry[]>;
};

const here = import.meta.dirname;
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The uid of every process of ours in an image, and of everything it may write. */
const nonroot = 65532;
const redisUser = 999;

const pause: BaseKind = {
  name: "pause",
  suite: "trixie",
  upstream: undefined,
  title: "First process of a Pod's sandbox: holds the namespaces, reaps orphans, ends on SIGTERM",
  licences: "Apache-2.0",
  packages: [],
  skip: new Set(),
  ingredients: (architecture) => [pauseProgram(pauseArchitecture(architecture))],
  changes: [`USER ${nonroot}:${nonroot}`, 'ENTRYPOINT ["/pause"]'],
  assemble: async ({ architecture }) => [file("pause", pauseProgram(pauseArchitecture(architecture)), 0o755), ...accounts()],
};

const busybox: BaseKind = {
  name: "busybox",
  suite: "trixie",
  upstream: "busybox:1.37",
  title: "Shell and applets for demonstrations and tests",
  licences: "GPL-2.0-only",
  packages: ["busybox-static"],
  skip: new Set(),
  ingredients: () => [],
  changes: ['CMD ["sh"]', `ENV PATH=${searchPath}`],
  assemble: async ({ root }) => {
    const program = join(root, "usr/bin/busybox");
    const applets = (await run(program, ["--list"])).trim().split("\n");
    const documents = (await treeEntries(root)).filter((entry) => /^(usr(\/share(\/doc.*)?)?|var.*)$/.test(entry.path));
    return merge(
      [...folders("bin", "etc", "root", "home", "var", "usr", "usr/bin"), ...temporary(), ...accounts(), ...documents],
      [{ path: "bin/busybox", mode: 0o755, uid: 0, gid: 0, kind: "file", source: program, sizeBytes: (await stat(program)).size }],
      applets.filter((name) => name !== "busybox").map((name) => link(`bin/${name}`, "busybox")),
      [link("usr/bin/env", "../../bin/busybox")],
    );
  },
};

const redisApplets = "sh cat ls ps sleep grep sed id hostname kill tail head nc env mkdir chown wget test stat awk tr cut date netstat timeout rm cp mv touch true false seq sync";
/** Packages that only administration needs; names of both releases. */
const unusedByRedis = words(`libpam-modules libpam-modules-bin libpam0g libpam-runtime passwd adduser login.defs libsemanage2 libsemanage-common libsepol2
    libselinux1 libpcre2-8-0 libaudit1 libaudit-common libdb5.3t64 libdb5.3 libbsd0 libmd0 libbz2-1.0 base-passwd init-system-helpers debconf mawk
    openssl-provider-legacy libcap-ng0 libattr1 libacl1 libdebconfclient0 libcrypt1`);

/** A server that speaks as Redis, with the same tools and the same entry point in every image. */
function redisKind(o: Pick<BaseKind, "name" | "suite" | "upstream" | "title" | "licences"> & { readonly servers: readonly string[]; readonly links?: Readonly<Record<string, string>> }): BaseKind {
  const { servers, links = {}, ...described } = o;
  return {
    ...described,
    packages: ["base-files", "netbase", ...servers, "busybox-static", "iproute2", "iptables"],
    skip: unusedByRedis,
    ingredients: () => [readFileSync(join(here, "redis/entrypoint.sh")), redisApplets],
    changes: ["WORKDIR /data", "EXPOSE 6379", "VOLUME /data", 'ENTRYPOINT ["docker-entrypoint.sh"]', 'CMD ["redis-server"]', `ENV PATH=${searchPath}`],
    assemble: async ({ root }) => {
      const tree = mergedUsr(await treeEntries(root)), present = new Set(tree.map((entry) => entry.path));
      return merge(
        tree,
        [...folders("usr/local", "usr/local/bin", "run", "var/run"), ...temporary(), ...accounts()],
        [{ path: "data", mode: 0o755, uid: redisUser, gid: redisUser, kind: "directory" }],
        [file("usr/local/bin/docker-entrypoint.sh", readFileSync(join(here, "redis/entrypoint.sh")), 0o755)],
        Object.entries(links).map(([name, target]) => link(`usr/bin/${name}`, target)),
        redisApplets.split(" ").filter((name) => !present.has(`usr/bin/${name}`)).map((name) => link(`usr/bin/${name}`, "busybox")),
      );
    },
  };
}

/** Packages from before Debian 13 keep a part of their files outside /usr, where links stand today. */
function mergedUsr(entries: readonly TarEntry[]): readonly TarEntry[] {
  const outside = /^(bin|sbin|lib|lib64)(\/|$)/;
  if (!entries.some((entry) => outside.test(entry.path) && entry.path.includes("/"))) return entries;
  const moved = entries.flatMap((entry): TarEntry[] => (outside.test(entry.path) ? (entry.kind === "symlink" && !entry.path.includes("/") ? [] : [{ ...entry, path: `usr/${entry.path}` }]) : [entry]));
  return merge(moved, ["bin", "sbin", "lib", "lib64"].map((name) => link(name, `usr/${name}`)), folders("usr/bin", "usr/sbin", "usr/lib", "usr/lib64"));
}

const redis = redisKind({
  name: "redis", suite: "trixie", upstream: "redis:8.0", servers: ["redis-server", "redis-sentinel"],
  title: "Redis server, sentinel and client for demonstrations and tests", licences: "AGPL-3.0-only AND GPL-2.0-or-later",
});
const redis7 = redisKind({
  name: "redis7", suite: "bookworm", upstream: "redis:7.0", servers: ["redis-server", "redis-sentinel"],
  title: "Redis 7 server, sentinel and client for tests", licences: "BSD-3-Clause AND GPL-2.0-or-later",
});
const valkey = redisKind({
  name: "valkey", suite: "trixie", upstream: "valkey/valkey:8.1", servers: ["valkey-server", "valkey-sentinel"],
  links: { "redis-server": "valkey-server", "redis-cli": "valkey-cli", "redis-sentinel": "valkey-sentinel" },
  title: "Valkey 8 server, sentinel and client for tests", licences: "BSD-3-Clause AND GPL-2.0-or-later",
});

const twemproxy: BaseKind = {
  name: "twemproxy",
  onDemand: true,
  suite: "trixie",
  upstream: undefined,
  title: "Twemproxy, which the Redis ambassador is measured against",
  licences: "Apache-2.0 AND LGPL-2.1-or-later",
  packages: ["base-files", "nutcracker"],
  skip: words("adduser passwd login.defs libpam-modules libpam-modules-bin libpam0g libpam-runtime libsemanage2 libsemanage-common libsepol2 init-system-helpers debconf mawk perl-base"),
  ingredients: () => [],
  changes: [`USER ${nonroot}:${nonroot}`, 'ENTRYPOINT ["/usr/sbin/nutcracker"]'],
  assemble: async ({ root }) => merge(await treeEntries(root), [...folders("run"), ...temporary(), ...accounts()]),
};

const rsyslog: BaseKind = {
  name: "rsyslog",
  onDemand: true,
  suite: "trixie",
  upstream: undefined,
  title: "rsyslog: a peer that the log shipper is measured against, and a receiver of syslog in tests",
  licences: "GPL-3.0-or-later AND LGPL-3.0-or-later AND Apache-2.0",
  packages: ["base-files", "rsyslog", "rsyslog-openssl"],
  skip: words("mawk init-system-helpers openssl-provider-legacy"),
  ingredients: () => [],
  changes: [`USER ${nonroot}:${nonroot}`, 'ENTRYPOINT ["/usr/sbin/rsyslogd", "-n", "-i", "NONE"]'],
  assemble: async ({ root }) => merge(await treeEntries(root), [...folders("run", "var/spool"), ...temporary(), ...accounts()]),
};

/** Files of the C library that serve debuggers and other programs, certificates in single files (they are in one), our own copy of Node. */
const unusedByNode = /^(\.node$|usr\/(share\/(ca-certificates|base-files)|sbin\/update-ca|games|include)|usr\/lib\/[^/]+\/lib(mvec|c_malloc_debug|memusage|pcprofile|BrokenLocale|nsl|nss_hesiod|nss_compat|thread_db)\b)/;

const nodeBase: BaseKind = {
  name: "node-base",
  suite: "trixie",
  upstream: "gcr.io/distroless/nodejs24-debian13:nonroot",
  title: "Node without a shell: the base of every podkit role",
  licences: "MIT AND GPL-3.0-or-later WITH GCC-exception-3.1 AND LGPL-2.1-or-later",
  packages: ["base-files", "libc6", "libstdc++6", "libgcc-s1", "ca-certificates"],
  skip: words("mawk debconf openssl openssl-provider-legacy libssl3t64 libzstd1 zlib1g"),
  ingredients: (architecture) => [readFileSync(join(nodePackage(architecture), "package.json"))],
  changes: [`USER ${nonroot}:${nonroot}`, "WORKDIR /app", 'ENTRYPOINT ["/nodejs/bin/node"]', `ENV PATH=/nodejs/bin:${searchPath}`, "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
  assemble: async ({ root, architecture, say }) => {
    const program = join(root, ".node");
    await copyFile(join(nodePackage(architecture), "bin/node"), program);
    // Symbols are a seventh of the file. Without binutils the image is only larger.
    await run("strip", ["--strip-unneeded", program]).catch(() => say("strip (binutils) is not installed: the image keeps Node's symbols and is 7 MB larger when compressed"));
    const certificates = join(root, "usr/share/ca-certificates/mozilla");
    const bundle = Buffer.concat(readdirSync(certificates).toSorted().map((name) => readFileSync(join(certificates, name))));
    const tree = (await treeEntries(root)).filter((entry) => !unusedByNode.test(entry.path));
    return merge(
      tree,
      [...folders("nodejs", "nodejs/bin", "etc/ssl", "etc/ssl/certs", "app"), ...temporary(), ...accounts()],
      [file("nodejs/LICENSE", readFileSync(join(nodePackage(architecture), "LICENSE")), 0o644)],
      [{ path: "nodejs/bin/node", mode: 0o755, uid: 0, gid: 0, kind: "file", source: program, sizeBytes: (await stat(program)).size }],
      [file("etc/ssl/certs/ca-certificates.crt", bundle, 0o644)],
      [{ path: "home/nonroot", mode: 0o700, uid: nonroot, gid: nonroot, kind: "directory" }],
    );
  },
};

export const baseKinds: readonly BaseKind[] = [pause, busybox, redis, redis7, valkey, twemproxy, rsyslog, nodeBase];

/** Makes a folder, hands it to `use` and removes it. */
export async function inTemporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "podkit-image-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Unpacks and assembles; the entries may point into `root`. */
export async function assembleKind(kind: BaseKind, o: { readonly root: string; readonly architecture: string; readonly archives: string; readonly files: readonly string[]; readonly say: (line: string) => void }): Promise<readonly TarEntry[]> {
  if (kind.packages.length > 0) await unpackPackages({ archives: o.archives, files: o.files, skip: kind.skip, into: o.root });
  return await kind.assemble(o);
}

/** Why this machine cannot assemble the kind, or undefined when it can. */
export function assemblyObstacle(kind: BaseKind, engineArchitecture: string): string | undefined {
  if (kind.packages.length === 0) return undefined;
  const own = process.arch === "x64" ? "amd64" : process.arch;
  if (own !== engineArchitecture) return `the engine is ${engineArchitecture} and this machine ${own}`;
  if (kind.name === "node-base" && !existsSync(nodePackage(engineArchitecture))) return `no package carries Node for ${engineArchitecture}`;
  return debianObstacle();
}

/** The version of the Node that an assembled base holds; undefined when no package carries one for the architecture. */
export function nodeVersionOf(architecture: string): string | undefined {
  const description = join(nodePackage(architecture), "package.json");
  return existsSync(description) ? packageDescription(description).version : undefined;
}

function nodePackage(architecture: string): string {
  return join(here, "../node_modules", `node-linux-${architecture === "amd64" ? "x64" : architecture}`);
}

function pauseArchitecture(architecture: string): "amd64" | "arm64" {
  if (architecture === "amd64" || architecture === "arm64") return architecture;
  throw new Error(`Cannot make the pause image for an engine on ${architecture}: only amd64 and arm64 are known`);
}

/** Later lists win over earlier ones; the folders above every entry exist. */
function merge(...lists: readonly (readonly TarEntry[])[]): readonly TarEntry[] {
  const byPath = new Map(lists.flat().map((entry) => [entry.path, entry]));
  for (const path of byPath.keys()) {
    for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      const folder = path.slice(0, slash);
      if (!byPath.has(folder)) byPath.set(folder, { path: folder, mode: 0o755, uid: 0, gid: 0, kind: "directory" });
    }
  }
  return [...byPath.values()];
}

function file(path: string, bytes: Uint8Array, mode: number): TarEntry {
  return { path, mode, uid: 0, gid: 0, kind: "bytes", bytes };
}

function link(path: string, target: string): TarEntry {
  return { path, mode: 0o777, uid: 0, gid: 0, kind: "symlink", target };
}

function folders(...paths: readonly string[]): readonly TarEntry[] {
  return paths.map((path): TarEntry => ({ path, mode: 0o755, uid: 0, gid: 0, kind: "directory" }));
}

function temporary(): readonly TarEntry[] {
  return [{ path: "tmp", mode: 0o1777, uid: 0, gid: 0, kind: "directory" }];
}

/** The accounts that the images of ours share; no package script has made any. */
function accounts(): readonly TarEntry[] {
  const people = [["root", 0, "/root"], ["redis", redisUser, "/data"], ["nobody", 65534, "/nonexistent"], ["nonroot", nonroot, "/home/nonroot"]] as const;
  return [
    ...folders("etc"),
    file("etc/passwd", Buffer.from(people.map(([name, id, home]) => `${name}:x:${id}:${id}:${name}:${home}:/sbin/nologin\n`).join("")), 0o644),
    file("etc/group", Buffer.from(people.map(([name, id]) => `${name}:x:${id}:\n`).join("")), 0o644),
    file("etc/nsswitch.conf", Buffer.from("hosts: files dns\n"), 0o644),
  ];
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
