// A Pod of two containers, cold, with its image on the machine: time until both run, by podkit, Docker Compose and podman.
//
//   npm run bench pod-start                one round to warm up, then five, the ways in turn; ROUNDS=n for more
//   npm run bench pod-start -- --install   installs podman by apt first (Debian, as root)
//
// Compose is the machine's own or Debian's, unpacked into the cache (images/debian/compose-plugin.ts).
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { composeEnvironment } from "../images/debian/compose-plugin.ts";
import { image } from "../test/support/images.ts";
import { openPodman, type Podman } from "./podman.ts";
import { median, observeCircumstances, spread, writeReport } from "./report.ts";

const root = join(import.meta.dirname, "..");
const rounds = Number(process.env["ROUNDS"] ?? "5");
const cluster = `bench-${process.pid}`;
const podkit = [process.execPath, join(root, "cli/podkit.js")];

type Environment = Readonly<Record<string, string>>;
/** One way to run the Pod. `up` returns when both containers run at the latest; `startedAt` are the starts of all containers of the Pod. */
type Way = { readonly name: string; readonly up: readonly string[]; readonly down: readonly string[]; readonly env: Environment; readonly startedAt: () => readonly number[] };
/** From the start of the command: until the last container of the Pod started, and until the command returned. */
type Reading = { readonly runningMs: number; readonly returnedMs: number };

function must(words: readonly string[], env: Environment = {}): string {
  const [command = "", ...rest] = words;
  const answer = spawnSync(command, rest, { encoding: "utf8", env: { ...process.env, ...env }, cwd: root, timeout: 120_000 });
  if (answer.status !== 0) throw new Error(`Cannot run ${words.join(" ")}: ${`${answer.stdout}${answer.stderr}`.trim().slice(-2_000)}`);
  return answer.stdout;
}

/** Starts of the running containers that the words list, in ms since the epoch. */
function starts(list: readonly string[], inspect: readonly string[], env: Environment = {}): readonly number[] {
  const ids = must(list, env).trim().split("\n").filter((id) => id !== "");
  if (ids.length === 0) return [];
  return must([...inspect, ...ids], env).trim().split("\n").map((line) => Date.parse(line.replace(/^(\S+ \S+?)(\.\d{3})\d* .*$/, "$1$2Z")));
}

async function ways(folder: string, podman: Podman | undefined): Promise<readonly Way[]> {
  const manifest = join(folder, "pod.yaml");
  const onDocker = (filter: string) => () => starts(["docker", "ps", "-q", "--no-trunc", "--filter", filter], ["docker", "inspect", "--format", "{{.State.StartedAt}}"]);
  const own = (name: string, up: string): Way => ({
    name, up: [...podkit, "up", "-f", manifest, "--cluster", up], env: {},
    down: up === cluster ? [...podkit, "down", "-f", manifest, "--cluster", up] : [...podkit, "down", "--all", "--cluster", up],
    startedAt: onDocker(`name=podkit-${up}-`),
  });
  const compose = await composeEnvironment();
  const base = ["docker", "compose", "-p", `podkit-${cluster}-compose`, "-f", join(folder, "compose.yaml")];
  return [
    own("podkit up, control plane running", cluster),
    own("podkit up, control plane started by it", `cold-${cluster}`),
    { name: "docker compose up -d", up: [...base, "up", "-d"], down: [...base, "down", "-t", "1"], env: compose, startedAt: onDocker(`label=com.docker.compose.project=podkit-${cluster}-compose`) },
    ...(podman === undefined ? [] : [{
      name: "podman kube play", up: [...podman.words, "kube", "play", manifest], down: [...podman.words, "kube", "down", manifest], env: podman.env,
      startedAt: () => starts([...podman.words, "ps", "-q", "--no-trunc"], [...podman.words, "inspect", "--format", "{{.State.StartedAt}}"], podman.env),
    }]),
  ];
}

async function measure(way: Way): Promise<Reading> {
  const beganAt = Date.now();
  const beganMs = performance.now();
  await runAsync(way.up, way.env);
  const returnedMs = performance.now() - beganMs;
  const started = way.startedAt();
  if (started.length < 3) throw new Error(`Cannot measure ${way.name}: ${started.length} of its 3 containers run`);
  must(way.down, way.env);
  return { runningMs: Math.max(...started) - beganAt, returnedMs };
}

async function runAsync(words: readonly string[], env: Environment): Promise<void> {
  const [command = "", ...rest] = words;
  const child = spawn(command, rest, { env: { ...process.env, ...env }, cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => { errors = (errors + chunk.toString()).slice(-2_000); });
  const code = await new Promise<number | null>((resolve, reject) => { child.once("error", reject).once("exit", resolve); }); // a control plane may keep the pipe
  child.stderr.destroy();
  if (code !== 0) throw new Error(`Cannot run ${words.join(" ")}: ${errors}`);
}

async function writeManifests(folder: string): Promise<void> {
  const busybox = image("busybox");
  const container = (name: string): string => `  - name: ${name}\n    image: ${busybox}\n    imagePullPolicy: Never\n    command: [sleep, "1000"]\n`;
  await writeFile(join(folder, "pod.yaml"), `apiVersion: v1\nkind: Pod\nmetadata: { name: bench-pod }\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n${container("one")}${container("two")}`);
  const service = (name: string): string => `  ${name}: { image: "${busybox}", command: [sleep, "1000"], network_mode: "service:sandbox", pull_policy: never, init: true }\n`;
  await writeFile(join(folder, "compose.yaml"), `services:\n  sandbox: { image: "${image("pause")}", pull_policy: never }\n${service("one")}${service("two")}`);
  await writeFile(join(folder, "keep.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: keep }\n");
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "podkit-pod-start-"));
  await writeManifests(folder);
  const opened = await openPodman({ install: process.argv.includes("--install"), image: image("busybox") });
  if (typeof opened === "string") console.log(opened);
  const podman = typeof opened === "string" ? undefined : opened;
  const readings = new Map<string, Reading[]>();
  try {
    const all = await ways(folder, podman);
    const composeVersion = must(["docker", "compose", "version", "--short"], await composeEnvironment()).trim();
    const circumstances = observeCircumstances([`Docker Engine ${must(["docker", "version", "--format", "{{.Server.Version}}"]).trim()}`, `Compose ${composeVersion}`, ...(podman === undefined ? [] : [podman.version])].join(", "));
    must([...podkit, "up", "-f", join(folder, "keep.yaml"), "--cluster", cluster]); // starts the control plane that stays
    for (let round = 0; round <= rounds; round++) {
      for (const way of all) {
        const reading = await measure(way);
        if (round > 0) readings.set(way.name, [...(readings.get(way.name) ?? []), reading]);
        console.log(`${round === 0 ? "warm-up" : `round ${round}`}: ${way.name}: running after ${Math.round(reading.runningMs)} ms, returned after ${Math.round(reading.returnedMs)} ms`);
      }
    }
    const values = (name: string, key: keyof Reading): number[] => (readings.get(name) ?? []).map((reading) => reading[key]);
    const compose = median(values("docker compose up -d", "runningMs"));
    await writeReport("pod-start", {
      title: "Time until a Pod of two containers runs",
      circumstances: circumstances(Date.now()),
      columns: ["way", "last container started, ms", "of Compose's", "command returned, ms"],
      rows: all.map(({ name }) => [name, spread(values(name, "runningMs"), 0), `${(median(values(name, "runningMs")) / compose).toFixed(2)} x`, spread(values(name, "returnedMs"), 0)]),
      remarks: [
        `Medians of ${rounds} rounds after one to warm up, lowest and highest in brackets; the ways took turns. A sandbox and two containers of one image that is on the machine; both times run from the start of the command.`,
        "When the last container started is what the engine says. podkit returns when the Pod is Ready, the others when the containers were started.",
        ...(podman === undefined ? ["podman was not there."] : []),
      ],
      values: Object.fromEntries(readings),
    });
  } finally {
    for (const each of [cluster, `cold-${cluster}`]) spawnSync(process.execPath, [...podkit.slice(1), "down", "--all", "--cluster", each]);
    await podman?.remove();
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
