// What an idle sidecar costs: memory charged to its container, CPU of its start, time to its end, size of its image.
//
//   npm run bench footprint        five rounds, the roles in turn; ROUNDS=n for more
import { mkdtemp, rm, writeFile, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createGzip } from "node:zlib";
import { getContainerRuntimeClient, type ContainerRuntimeClient } from "testcontainers";
import { eventually } from "../test/support/eventually.ts";
import { idleSettings, restricted } from "../test/support/idle-settings.ts";
import { image } from "../test/support/images.ts";
import { median, observeCircumstances, spread, writeReport } from "./report.ts";

type Docker = ContainerRuntimeClient["container"]["dockerode"];
type Sample = { readonly name: string; readonly chargedMiB: number; readonly startCpuMs: number; readonly stopMs: number };

/** The goals of the sidecar contract. */
const goals: Readonly<Record<string, { readonly chargedMiB: number; readonly cpu: string }>> = {
  "log-shipper": { chargedMiB: 15, cpu: "1.5 x bare" },
  "format-adapter": { chargedMiB: 15, cpu: "1.5 x bare" },
  dns: { chargedMiB: 15, cpu: "1.5 x bare" },
  "redis-ambassador": { chargedMiB: 32, cpu: "250" },
};
const bare = "bare node:http server";
const rounds = Number(process.env["ROUNDS"] ?? "5");
/** After this time at idle the figures are read; the same for all. */
const settleMs = 4_000;
const memoryLimitBytes = 64 * 2 ** 20;

async function main(): Promise<void> {
  const { container: { dockerode: docker } } = await getContainerRuntimeClient();
  const circumstances = observeCircumstances(`Docker Engine ${(await docker.version()).Version}`);
  const folder = await mkdtemp(join(tmpdir(), "podkit-footprint-"));
  await chmod(folder, 0o755);
  const samples: Sample[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      for (const name of [bare, ...Object.keys(idleSettings)]) samples.push(await measure(docker, folder, name));
    }
    const sizes = new Map<string, number>();
    for (const name of Object.keys(idleSettings)) sizes.set(name, await compressedMB(docker, image(name)));
    const of = (name: string, key: "chargedMiB" | "startCpuMs" | "stopMs"): number[] => samples.filter((sample) => sample.name === name).map((sample) => sample[key]);
    await writeReport("footprint", {
      title: "What an idle sidecar costs",
      circumstances: circumstances(Date.now()),
      columns: ["role", "memory charged, MiB", "goal", "start CPU, ms", "goal", "SIGTERM to end, ms", "goal", "image, MB gzip", "goal"],
      rows: [bare, ...Object.keys(idleSettings)].map((name) => [name, spread(of(name, "chargedMiB"), 1), name === bare ? "" : `${goals[name]?.chargedMiB ?? ""}`, `${spread(of(name, "startCpuMs"), 0)} (${(median(of(name, "startCpuMs")) / median(of(bare, "startCpuMs"))).toFixed(1)} x bare)`, goals[name]?.cpu ?? "", spread(of(name, "stopMs"), 0), name === bare ? "" : "300", sizes.get(name)?.toFixed(1) ?? "", sizes.has(name) ? "45" : ""]),
      remarks: [
        `Medians of ${rounds} rounds, lowest and highest in brackets; the roles took turns. Limit ${memoryLimitBytes / 2 ** 20} MiB, read-only root, no capabilities, uid 65532.`,
        `Memory is what the engine charges to the container without inactive page cache, ${settleMs / 1000} s after the start; CPU is all that was used until then. The Node binary's pages are charged to whoever touched them first and are shared by all.`,
      ],
      values: { samples, compressedMB: Object.fromEntries(sizes) },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(docker: Docker, folder: string, name: string): Promise<Sample> {
  const settings = join(folder, `${name.replaceAll(/\W/g, "-")}.yaml`);
  await writeFile(settings, idleSettings[name] ?? "", { mode: 0o644 });
  const container = await docker.createContainer({
    Image: image(name === bare ? "node-base" : name), Labels: { "podkit.bench": "footprint" },
    ...(name === bare ? { Cmd: ["--max-old-space-size-percentage=60", "--max-semi-space-size=1", "-e", 'process.on("SIGTERM", () => process.exit(0)); require("http").createServer((q, r) => r.end()).listen(9901, () => console.error("Started"))'] } : {}),
    HostConfig: { ...restricted, Memory: memoryLimitBytes, Binds: [`${settings}:/etc/podkit/config.yaml:ro`] },
  });
  try {
    await container.start();
    await eventually(async () => (await container.logs({ stdout: true, stderr: true })).toString().includes("Started"), { timeoutMs: 30_000, what: `${name} started` });
    await sleep(settleMs); // what is measured is the state after just this time
    const stats: unknown = await container.stats({ stream: false });
    const chargedBytes = number(stats, "memory_stats", "usage") - (number(stats, "memory_stats", "stats", "total_inactive_file") || number(stats, "memory_stats", "stats", "inactive_file"));
    const beganMs = performance.now();
    await container.kill({ signal: "SIGTERM" });
    await container.wait();
    return { name, chargedMiB: chargedBytes / 2 ** 20, startCpuMs: number(stats, "cpu_stats", "cpu_usage", "total_usage") / 1e6, stopMs: performance.now() - beganMs };
  } finally {
    await container.remove({ force: true, v: true });
  }
}

async function compressedMB(docker: Docker, reference: string): Promise<number> {
  const gzip = createGzip({ level: 6 });
  (await docker.getImage(reference).get()).pipe(gzip);
  let bytes = 0;
  for await (const chunk of gzip) bytes += chunk instanceof Uint8Array ? chunk.length : 0;
  return bytes / 1e6;
}

/** A number deep in the engine's answer; 0 when it is not there. */
function number(value: unknown, ...path: readonly string[]): number {
  let at: unknown = value;
  for (const key of path) at = typeof at === "object" && at !== null ? new Map<string, unknown>(Object.entries(at)).get(key) : undefined;
  return typeof at === "number" ? at : 0;
}

await main();
