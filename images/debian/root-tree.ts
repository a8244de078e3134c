import { lstat, mkdir, readdir, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TarEntry } from "../tar.ts";
import { run } from "./apt.ts";

/** What an image of programs does not need: manuals, translations, service managers' files, package managers' hooks. Licences (doc/…/copyright) stay. */
const needless = [
  /^usr\/share\/(man|info|lintian|locale|bug|doc-base|bash-completion|gdb|polkit-1|initramfs-tools|pixmaps|menu)(\/|$)/,
  /^usr\/share\/doc\/[^/]+\/(?!copyright$)/,
  /^usr\/lib\/[^/]+\/gconv(\/|$)/,
  /^(usr\/)?lib\/(systemd|udev|tmpfiles\.d|sysusers\.d)(\/|$)/,
  /^etc\/(init\.d|init|cron[^/]*|logrotate\.d|default|systemd|apparmor\.d|dpkg|pam\.d|security|update-motd\.d|profile\.d|skel)(\/|$)/,
  /^var\/(cache|backups|log|mail|spool|local|opt)\/?.+/,
];

/**
 * Unpacks packages into a folder without running anything of theirs, and records each under var/lib/dpkg/status.d, where
 * scanners look for the packages of an image that has no package manager.
 */
export async function unpackPackages(o: { readonly archives: string; readonly files: readonly string[]; readonly skip: ReadonlySet<string>; readonly into: string }): Promise<readonly string[]> {
  const taken = o.files.filter((file) => !o.skip.has(packageName(file)));
  const records = join(o.into, "var/lib/dpkg/status.d");
  await mkdir(records, { recursive: true });
  for (const file of taken) await run("dpkg-deb", ["-x", join(o.archives, file), o.into]);
  for (const file of taken) await writeFile(join(records, packageName(file)), await run("dpkg-deb", ["-f", join(o.archives, file)]));
  return taken;
}

export function packageName(file: string): string {
  return file.slice(0, file.indexOf("_"));
}

/** `name_1%3a2.0_amd64.deb` -> `name=1:2.0`. */
export function packageVersion(file: string): string {
  const [name = "", version = ""] = file.split("_");
  return `${name}=${decodeURIComponent(version)}`;
}

/** Every file of an unpacked root that an image keeps, all owned by root and without set-user-id bits. Device nodes and sockets are left out. */
export async function treeEntries(root: string): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  const visit = async (folder: string): Promise<void> => {
    for (const name of await readdir(join(root, folder))) {
      const path = folder === "" ? name : `${folder}/${name}`;
      if (needless.some((pattern) => pattern.test(path))) continue;
      const found = await lstat(join(root, path));
      const owner = { path, mode: found.mode & 0o777, uid: 0, gid: 0 };
      if (found.isDirectory()) {
        entries.push({ ...owner, kind: "directory" });
        await visit(path);
      } else if (found.isSymbolicLink()) entries.push({ ...owner, mode: 0o777, kind: "symlink", target: await readlink(join(root, path)) });
      else if (found.isFile()) entries.push({ ...owner, kind: "file", source: join(root, path), sizeBytes: found.size });
    }
  };
  await visit("");
  return entries;
}
