import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleRole, writeBundle, type Bundle } from "./bundle.ts";
import { contentHash } from "./content-hash.ts";
import type { ImageEngine } from "./engine.ts";
import type { ImageRecord } from "./image-list.ts";
import { hashLabel, packagesLabel } from "./labels.ts";
import type { Role } from "./roles.ts";
import { billOfMaterials } from "./sbom.ts";
import { readTarFiles, writeTar, type TarEntry } from "./tar.ts";
import { warmStart, warmStarter } from "./warm-start.ts";

export type RoleOptions = {
  readonly root: string;
  readonly engine: ImageEngine;
  readonly base: ImageRecord;
  readonly version: string;
  /** Where the source is published; from package.json. */
  readonly source: string;
  readonly nodeVersion: string | undefined;
};

/**
 * Bundles the role and makes `podkit/<role>:<version>` of it, unless an image of the same content is there already.
 * The commit in the image's labels is the one at which it was made; it is not part of the content.
 */
export async function ensureRoleImage(role: Role, o: RoleOptions): Promise<ImageRecord> {
  const reference = `podkit/${role.name}:${o.version}`;
  const bundle = await bundleRole({ root: o.root, role, version: o.version });
  const dockerfile = await readFile(join(o.root, "images/Dockerfile"));
  const hash = contentHash([dockerfile, await readFile(import.meta.filename), await readFile(warmStarter), role.warmUp?.("") ?? "", role.name, role.title, role.user ?? "", o.version, o.source, o.base.hash, o.base.reference, ...bundle.files.flatMap((file) => [file.name, file.bytes])]);
  const present = await o.engine.inspect(reference);
  const base = await o.engine.inspect(o.base.reference);
  if (base === undefined) throw new Error(`Cannot build ${reference}: its base ${o.base.reference} is not on the engine`);
  const bill = billOfMaterials({
    role: role.name, version: o.version, contentHash: hash, packages: bundle.packages, baseName: o.base.reference,
    debianPackages: (base.labels[packagesLabel] ?? "").split(" ").filter((name) => name !== ""),
    nodeVersion: (base.labels[packagesLabel] ?? "") === "" ? undefined : o.nodeVersion,
  });
  const content = [...bundle.files, { name: "sbom.cdx.json", bytes: Buffer.from(`${JSON.stringify(bill, undefined, 1)}\n`) }];
  await writeBundle(o.root, role, content);
  if (present?.labels[hashLabel] === hash) return { reference, hash, how: "present" };

  const cache = await compiledCode(role, o, bundle.files);
  const files = [...cache.map((file) => ({ path: `dist/${role.name}/${file.name}`, bytes: file.bytes })), { path: "Dockerfile", bytes: dockerfile }, ...content.map((file) => ({ path: `dist/${role.name}/${file.name}`, bytes: file.bytes }))];
  const context = files.map((file): TarEntry => ({ ...file, kind: "bytes", mode: 0o644, uid: 0, gid: 0 }));
  await o.engine.build({
    context: writeTar(context),
    reference,
    buildArguments: {
      NODE_BASE: o.base.reference, ROLE: role.name, TITLE: role.title, VERSION: o.version, REVISION: revision(o.root), SOURCE: o.source,
      BASE_NAME: o.base.reference, BASE_DIGEST: base.repoDigests[0]?.split("@")[1] ?? base.id, CONTENT_HASH: hash,
      ...(role.user === undefined ? {} : { RUN_AS: role.user }),
    },
  });
  if (present !== undefined) await o.engine.removeIfUnused(present.id);
  return { reference, hash, how: "built" };
}

/**
 * Starts the role once where it will run, at its place, under its flags and user: what V8 compiles is keyed to all of them. A role
 * starts without it just as well, only slower.
 */
async function compiledCode(role: Role, o: RoleOptions, bundle: Bundle["files"]): Promise<Bundle["files"]> {
  const warm = warmStart(role, { node: startCommand, folder: "/app", writable: "/tmp", port: 9_901 });
  if (warm === undefined) return [];
  const files = [...bundle, ...warm.files].map((file): TarEntry => ({ path: file.name, bytes: file.bytes, kind: "bytes", mode: 0o644, uid: 0, gid: 0 }));
  const archive = await o.engine.runAndCollect({ image: o.base.reference, archive: writeTar(files), into: "/app", command: warm.command, env: ["NODE_ENV=production"], collect: warm.cache });
  const found = [...readTarFiles(archive)].map(([name, bytes]) => ({ name, bytes }));
  if (found.length === 0) throw new Error(`Cannot make the cache of ${role.name} on ${o.base.reference}: the start left none`);
  return found;
}

/** As in the Dockerfile's ENTRYPOINT. */
const startCommand = ["/nodejs/bin/node", "--max-old-space-size-percentage=60", "--max-semi-space-size=1"];

/** The commit of the working tree, or "unknown" in an unpacked archive without history. */
function revision(root: string): string {
  const answer = spawnSync("git", ["-C", root, "rev-parse", "HEAD"], { encoding: "utf8" });
  return answer.status === 0 ? answer.stdout.trim() : "unknown";
}
