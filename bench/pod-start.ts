// A Pod of two containers, cold, with its image on the machine: time until both run, by podkit, by podman and by Docker Compose.
//
//   npm run bench pod-start        five rounds in turn; ROUNDS=n for more
//
// podman and Compose are measured when they are there: `apt-get install podman` (it brings its own network set-up and containers
// policy into /etc), and a `docker compose` that answers or PODKIT_COMPOSE=/path/to/docker-compose (Debian trixie's package unpacked).
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { image } from "../test/support/images.ts";
import { observeCircumstances, spread, writeReport } from "./report.ts";

const root = join(import.meta.dirname, "..");
const rounds = Number(process.env["ROUNDS"] ?? "5");
const cluster = `bench-${process.pid}`;

/** One way to run the Pod. `up` returns when both containers run; `running` proves it. */
type Way = { readonly name: string; readonly up: readonly string[]; readonly down: readonly string[]; readonly running: () => boolean };

function run(words: readonly string[], env: Readonly<Record<string, string>> = {}): { readonly ok: boolean; readonly out: string } {
  const [command = "", ...rest] = words;
  const answer = spawnSync(command, rest, { encoding: "utf8", env: { ...process.env, ...env }, cwd: root, timeout: 120_000 });
  return { ok: answer.status === 0, out: `${answer.stdout}${answer.stderr}` };
}

function must(words: readonly string[], env?: Readonly<Record<string, string>>): string {
  const answer = run(words, env);
  if (!answer.ok) throw new Error(`Cannot run ${words.join(" ")}: ${answer.out.trim().slice(-2_000)}`);
  return answer.out;
}

function ways(folder: string): readonly Way[] {
  const podkit = [process.execPath, join(root, "cli/podkit.js")];
  const manifest = join(folder, "pod.yaml");
  const found: Way[] = [{
    name: "podkit up (control plane running)",
    up: [...podkit, "up", "-f", manifest, "--cluster", cluster],
    down: [...podkit, "down", "-f", manifest, "--cluster", cluster],
    running: () => (must([...podkit, "get", "pod", "bench-pod", "-o", "json", "--cluster", cluster]).match(/"running"/g) ?? []).length === 2,
  }];
  if (run(["podman", "--version"]).ok) {
    if (!run(["podman", "image", "exists", image("busybox")]).ok) must(["sh", "-c", `docker save ${image("busybox")} | podman load`]);
    found.push({ name: "podman kube play", up: ["podman", "kube", "play", manifest], down: ["podman", "kube", "down", manifest], running: () => must(["podman", "ps", "--filter", "pod=bench-pod", "--format", "{{.Names}}"]).includes("bench-pod-two") });
  } else console.log("podman is not installed: not measured");
  const compose = process.env["PODKIT_COMPOSE"] === undefined ? ["docker", "compose"] : [process.env["PODKIT_COMPOSE"]];
  if (run([...compose, "version"]).ok) {
    const base = [...compose, "-p", `podkit-${cluster}`, "-f", join(folder, "compose.yaml")];
    found.push({ name: "docker compose up", up: [...base, "up", "-d"], down: [...base, "down", "-t", "1"], running: () => must([...base, "ps", "--services", "--status", "running"]).trim().split("\n").length === 3 });
  } else console.log("docker compose is not installed: not measured");
  return found;
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "podkit-pod-start-"));
  const busybox = image("busybox");
  const container = (name: string): string => `  - name: ${name}\n    image: ${busybox}\n    imagePullPolicy: Never\n    command: [sleep, "1000"]\n`;
  await writeFile(join(folder, "pod.yaml"), `apiVersion: v1\nkind: Pod\nmetadata: { name: bench-pod }\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n${container("one")}${container("two")}`);
  const service = (name: string): string => `  ${name}: { image: "${busybox}", command: [sleep, "1000"], network_mode: "service:sandbox", pull_policy: never, init: true }\n`;
  await writeFile(join(folder, "compose.yaml"), `services:\n  sandbox: { image: "${image("pause")}", pull_policy: never }\n${service("one")}${service("two")}`);
  const circumstances = observeCircumstances(`Docker Engine ${must(["docker", "version", "--format", "{{.Server.Version}}"]).trim()}`);
  const times = new Map<string, number[]>();
  const podkit = [process.execPath, join(root, "cli/podkit.js")];
  try {
    const all = ways(folder);
    // The control plane stays for all rounds, as podman's storage and the engine do.
    must([...podkit, "up", "-f", join(folder, "pod.yaml"), "--cluster", cluster]);
    const keep = join(folder, "keep.yaml");
    await writeFile(keep, "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: keep }\n");
    must([...podkit, "up", "-f", keep, "--cluster", cluster]);
    must([...podkit, "down", "-f", join(folder, "pod.yaml"), "--cluster", cluster]);
    for (let round = 0; round < rounds; round++) {
      for (const way of all) {
        const startedMs = performance.now();
        must(way.up);
        const tookMs = performance.now() - startedMs;
        if (!way.running()) throw new Error(`Cannot measure ${way.name}: its containers do not run`);
        must(way.down);
        times.set(way.name, [...(times.get(way.name) ?? []), tookMs]);
        console.log(`round ${round + 1}: ${way.name} ${Math.round(tookMs)} ms`);
      }
    }
    await writeReport("pod-start", {
      title: "Time until a Pod of two containers runs",
      circumstances: circumstances(Date.now()),
      columns: ["way", "ms, median (lowest to highest)"],
      rows: [...times].map(([name, values]) => [name, spread(values, 0)]),
      remarks: [`${rounds} rounds, the ways in turn; images on the machine; each time holds the start of the command itself. podkit waits until the Pod is Ready, the others return when the containers were started.`],
      values: Object.fromEntries(times),
    });
  } finally {
    run([...podkit, "down", "--all", "--cluster", cluster]);
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
