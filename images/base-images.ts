import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { contentHash } from "./content-hash.ts";
import { openDebianPackages, type DebianPackages } from "./debian/apt.ts";
import { packageName, packageVersion } from "./debian/root-tree.ts";
import type { ImageEngine } from "./engine.ts";
import type { ImageRecord } from "./image-list.ts";
import { assembleKind, assemblyObstacle, inTemporaryFolder, type BaseKind } from "./kinds.ts";
import { hashLabel, packagesLabel } from "./labels.ts";
import { writeTar } from "./tar.ts";

/**
 * auto: assembled from Debian packages where the machine can, else pulled. offline: assembled or an error.
 * pull: pulled or an error (the pause image is assembled all the same: it needs neither packages nor a registry).
 */
export type ImagePolicy = "auto" | "pull" | "offline";

export type BaseOptions = {
  readonly engine: ImageEngine;
  readonly architecture: string;
  readonly policy: ImagePolicy;
  readonly version: string;
  readonly cacheDirectory: string;
  /** Renews the package lists even when they are fresh. */
  readonly refresh: boolean;
  readonly nowMs: number;
  readonly say: (line: string) => void;
  /** For tests: in the place of the machine's apt, and of the pauses between tries. */
  readonly open?: typeof openDebianPackages;
  readonly pausesMs?: readonly number[];
};

/** A mirror that is being renewed takes away what its lists of a moment ago named; a download may be cut. Both are over in a while. For all kinds together. */
const usualPausesMs: readonly number[] = [3_000, 15_000, 45_000];

/**
 * Makes every kind present as `podkit/<name>:<version>` with the wanted content. What is there already is found by the hash
 * in its label. Throws an AggregateError with one error per kind that could not be had.
 */
export async function ensureBaseImages(kinds: readonly BaseKind[], o: BaseOptions): Promise<ReadonlyMap<string, ImageRecord>> {
  const plans: Plan[] = [];
  const bySuite = new Map<string, DebianPackages>();
  const packagesOf = async ({ suite }: BaseKind, again: boolean): Promise<DebianPackages> => {
    const packages = (again ? undefined : bySuite.get(suite)) ?? (await (o.open ?? openDebianPackages)({ ...o, suite, refresh: o.refresh || again }));
    bySuite.set(suite, packages);
    return packages;
  };
  const pausesMs = [...(o.pausesMs ?? usualPausesMs)];
  for (const kind of kinds) plans.push(await plan(kind, o, { debian: async (again) => await packagesOf(kind, again), pausesMs }));
  const results = await Promise.allSettled(plans.map(async (plan) => {
    const record = await perform(plan, o);
    if (plan.replaces !== undefined && plan.action !== "keep") await o.engine.removeIfUnused(plan.replaces);
    return record;
  }));
  const failures = results.flatMap((result): unknown[] => (result.status === "rejected" ? [result.reason] : []));
  if (failures.length > 0) throw new AggregateError(failures, failures.map((failure) => (failure instanceof Error ? failure.message : String(failure))).join("\n"));
  return new Map(results.flatMap((result, index): [string, ImageRecord][] => (result.status === "fulfilled" ? [[kinds[index]?.name ?? "", result.value]] : [])));
}

type Plan = { readonly kind: BaseKind; readonly reference: string; readonly replaces: string | undefined } & (
  | { readonly action: "keep"; readonly hash: string }
  | { readonly action: "assemble"; readonly hash: string; readonly files: readonly string[]; readonly archives: string }
  | { readonly action: "pull"; readonly hash: string; readonly upstream: string; readonly because: string }
  | { readonly action: "refuse"; readonly because: string }
);

/** `again`: with renewed lists. The pauses that are left are between the next tries of whatever kind. */
type PackageSource = { readonly debian: (again: boolean) => Promise<DebianPackages>; readonly pausesMs: number[] };

/** Package resolution and download happen here, one kind after the other: apt's state takes no two at once. */
async function plan(kind: BaseKind, o: BaseOptions, source: PackageSource): Promise<Plan> {
  const reference = `podkit/${kind.name}:${o.version}`;
  const present = await o.engine.inspect(reference);
  const base = { kind, reference, replaces: present?.id };
  let because = o.policy === "pull" && kind.upstream !== undefined ? "PODKIT_IMAGES=pull" : assemblyObstacle(kind, o.architecture);
  if (because === undefined) {
    try {
      const { files, hash, archives } = await fetchPackages(kind, o, source, present?.labels[hashLabel]);
      return archives === undefined ? { ...base, action: "keep", hash } : { ...base, action: "assemble", hash, files, archives };
    } catch (error) {
      if (o.policy === "offline") throw error;
      because = error instanceof Error ? error.message : String(error);
    }
  }
  if (kind.upstream === undefined || o.policy === "offline") return { ...base, action: "refuse", because };
  const hash = contentHash([kind.name, kind.upstream, o.architecture, o.version]);
  if (present?.labels[hashLabel] === hash) return { ...base, action: "keep", hash };
  return { ...base, action: "pull", hash, upstream: kind.upstream, because };
}

/** `archives` is undefined when an image of this content is there already, and empty when the kind needs no packages. Failures are told and tried again with renewed lists. */
async function fetchPackages(kind: BaseKind, o: BaseOptions, source: PackageSource, presentHash: string | undefined): Promise<{ readonly files: readonly string[]; readonly hash: string; readonly archives: string | undefined }> {
  for (let again = false; ; again = true) {
    const packages = kind.packages.length === 0 ? undefined : await source.debian(again);
    try {
      const files = (await packages?.resolve(kind.packages)) ?? [];
      const hash = contentHash([...sources(), kind.name, o.architecture, o.version, kind.suite, ...kind.packages, ...kind.skip, ...kind.changes, ...kind.ingredients(o.architecture), ...files]);
      return { files, hash, archives: presentHash === hash ? undefined : ((await packages?.download(kind.packages)) ?? "") };
    } catch (error) {
      const pauseMs = source.pausesMs.shift();
      if (pauseMs === undefined) throw error;
      o.say(`${kind.name}: trying again in ${pauseMs / 1000} s: ${error instanceof Error ? error.message : String(error)}`);
      await sleep(pauseMs);
    }
  }
}

async function perform(plan: Plan, o: BaseOptions): Promise<ImageRecord> {
  switch (plan.action) {
    case "keep":
      return { reference: plan.reference, hash: plan.hash, how: "present" };
    case "refuse":
      throw new Error(`Cannot make image ${plan.reference} from Debian packages: ${plan.because}. Remedy: run on Debian, or allow pulling with PODKIT_IMAGES=auto`);
    case "pull": {
      o.say(`${plan.kind.name}: pulling ${plan.upstream} (${plan.because})`);
      try {
        if ((await o.engine.inspect(plan.upstream)) === undefined) await o.engine.pull(plan.upstream);
      } catch (error) {
        throw new Error(`Cannot have image ${plan.reference}: not from Debian packages (${plan.because}), and not pulled: ${error instanceof Error ? error.message : String(error)}. Remedy: reach a Debian mirror or the registry, or name an image in ${overrideVariable(plan.kind.name)}`, { cause: error });
      }
      const dockerfile = [`FROM ${plan.upstream}`, ...labels(plan.kind, plan.hash, [], o.version)].join("\n");
      await o.engine.build({ reference: plan.reference, buildArguments: {}, context: writeTar([{ path: "Dockerfile", mode: 0o644, uid: 0, gid: 0, kind: "bytes", bytes: Buffer.from(dockerfile) }]) });
      return { reference: plan.reference, hash: plan.hash, how: `pulled ${plan.upstream}` };
    }
    case "assemble":
      await inTemporaryFolder(async (root) => {
        const entries = await assembleKind(plan.kind, { root, architecture: o.architecture, archives: plan.archives, files: plan.files, say: o.say });
        await o.engine.importArchive({ archive: writeTar(entries), repository: `podkit/${plan.kind.name}`, tag: o.version, changes: [...plan.kind.changes, ...labels(plan.kind, plan.hash, plan.files, o.version)] });
      });
      return { reference: plan.reference, hash: plan.hash, how: "assembled" };
    default:
      return plan satisfies never;
  }
}

/** The variable that names an image to use instead of one of ours. */
export function overrideVariable(name: string): string {
  return `PODKIT_IMAGE_${name.toUpperCase().replaceAll("-", "_")}`;
}

function labels(kind: BaseKind, hash: string, files: readonly string[], version: string): readonly string[] {
  const packages = files.filter((file) => !kind.skip.has(packageName(file))).map(packageVersion);
  const pairs = {
    [hashLabel]: hash,
    [packagesLabel]: packages.join(" "),
    "org.opencontainers.image.title": kind.title,
    "org.opencontainers.image.version": version,
    "org.opencontainers.image.licenses": kind.licences,
  };
  return Object.entries(pairs).map(([name, value]) => `LABEL ${name}=${JSON.stringify(value)}`);
}

/** The programs that decide what an image holds: a change in one of them makes new images. */
function sources(): readonly Uint8Array[] {
  const here = import.meta.dirname;
  return ["kinds.ts", "tar.ts", ...readdirSync(join(here, "debian")).toSorted().map((name) => `debian/${name}`)].map((name) => readFileSync(join(here, name)));
}
