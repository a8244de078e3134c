// Servers and proxies for the measurements. Everything listens on the loopback interface of the machine, so that the way
// from client to proxy to server is the same for all; containers run without a seccomp filter, which costs at every system call.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { image } from "../../test/support/images.ts";
import { encode, keyName, keysMax } from "./cases.ts";

const root = join(import.meta.dirname, "../..");
const prefix = `podkit-bench-${process.pid}`;

export type Candidate = { readonly name: string; readonly port: number; readonly pid: number | undefined };

function docker(words: readonly string[]): string {
  const answer = spawnSync("docker", words, { encoding: "utf8", timeout: 60_000 });
  if (answer.status !== 0) throw new Error(`Cannot run docker ${words.join(" ")}: ${`${answer.stdout}${answer.stderr}`.trim().slice(-1_000)}`);
  return answer.stdout.trim();
}

/** The first reply of a server to one request, or undefined when it does not answer. */
export function ask(port: number, words: readonly (string | Buffer)[], until: (text: string) => boolean = () => true): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(encode(words)));
    let text = "";
    const settle = (value: string | undefined): void => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(5_000, () => settle(undefined));
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (until(text)) settle(text);
    });
    socket.on("error", () => settle(undefined));
  });
}

async function eventually(what: string, check: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!(await check())) {
    if (performance.now() > endMs) throw new Error(`Waited 20 s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Ports that nobody uses at the moment, all at once so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  }));
  return servers.map((server) => {
    const bound = server.address();
    server.close();
    return typeof bound === "object" && bound !== null ? bound.port : 0;
  });
}

/** Fills the keys of one size of value and waits until both replicas have them. */
async function fill(port: number, valueBytes: number): Promise<void> {
  const value = Buffer.alloc(valueBytes, "x");
  for (let from = 0; from < keysMax; from += 100) {
    const pairs: (string | Buffer)[] = ["MSET"];
    for (let index = from; index < from + 100; index += 1) pairs.push(keyName(valueBytes, index), value);
    if (!(await ask(port, pairs))?.startsWith("+OK")) throw new Error("Cannot set the keys");
  }
}

/** One primary, two replicas and the proxies in front of them. */
export class Scene {
  ports = { primary: 0, replicas: [0, 0], twemproxy: 0, twemproxyStats: 0, naive: 0, pod: 0, eventual: 0, before: 0 };
  readonly #containers: string[] = [];
  readonly #processes: ChildProcess[] = [];
  #folder = "";

  async start(valueSizes: readonly number[]): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "podkit-bench-"));
    const [first = 0, second = 0, third = 0, twemproxy = 0, twemproxyStats = 0, naive = 0, pod = 0, eventual = 0, before = 0] = await freePorts(9);
    this.ports = { primary: first, replicas: [second, third], twemproxy, twemproxyStats, naive, pod, eventual, before };
    const { primary, replicas } = this.ports;
    const server = (port: number, words: readonly string[]): void => {
      const name = `${prefix}-${port}`;
      this.#containers.push(name);
      docker(["run", "-d", "--name", name, "--network", "host", "--security-opt", "seccomp=unconfined", image("redis"), "redis-server", "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--client-output-buffer-limit", "replica 512mb 512mb 0", ...words]);
    };
    server(primary, []);
    for (const port of replicas) server(port, ["--replicaof", `127.0.0.1 ${primary}`]);
    await eventually("both replicas follow", async () => ((await ask(primary, ["INFO", "replication"], (text) => text.includes("connected_slaves")))?.match(/state=online/g)?.length ?? 0) === 2);
    for (const size of valueSizes) await fill(primary, size);
    for (const port of replicas) await eventually("the replicas have every key", async () => (await ask(port, ["DBSIZE"])) === (await ask(primary, ["DBSIZE"])));
  }

  /** The server alone, without any proxy. */
  direct(): Candidate {
    return { name: "direct", port: this.ports.primary, pid: undefined };
  }

  async twemproxy(): Promise<Candidate> {
    const { twemproxy: port, twemproxyStats, primary } = this.ports, name = `${prefix}-twemproxy`, file = join(this.#folder, "nutcracker.yml");
    await writeFile(file, `bench:\n  listen: 127.0.0.1:${port}\n  hash: fnv1a_64\n  distribution: ketama\n  redis: true\n  auto_eject_hosts: false\n  servers:\n   - 127.0.0.1:${primary}:1\n`, { mode: 0o644 });
    this.#containers.push(name);
    docker(["create", "--name", name, "--network", "host", "--security-opt", "seccomp=unconfined", image("twemproxy"), "-c", "/nutcracker.yml", "-o", "/dev/null", "-a", "127.0.0.1", "-s", String(twemproxyStats)]);
    docker(["cp", file, `${name}:/nutcracker.yml`]);
    docker(["start", name]);
    await eventually("twemproxy answers", async () => (await ask(port, ["GET", "none"])) !== undefined);
    return { name: "twemproxy", port, pid: Number(docker(["inspect", "--format", "{{.State.Pid}}", name])) };
  }

  async naive(): Promise<Candidate> {
    const { naive: port, primary, replicas } = this.ports;
    const child = this.#spawn(["bench/redis-ambassador/naive.ts"], { PORT: String(port), PRIMARY: String(primary), REPLICAS: replicas.join(",") });
    await eventually("the naive proxy answers", async () => (await ask(port, ["GET", "none"])) !== undefined);
    return { name: "naive", port, pid: child.pid };
  }

  /** `before`: consistency pod from another checkout, to compare with. */
  async ambassador(name: "pod" | "eventual" | "before", flags: readonly string[] = [], settings: Readonly<Record<string, string>> = {}, checkout = root): Promise<Candidate> {
    const { primary, replicas } = this.ports, port = this.ports[name], consistency = name === "eventual" ? "eventual" : "pod";
    const child = this.#spawn([...flags, join(checkout, "sidecars/redis-ambassador/main.ts")], {
      PODKIT_LISTEN: `127.0.0.1:${port}`, PODKIT_UPSTREAM_NODES: [primary, ...replicas].map((each) => `127.0.0.1:${each}`).join(","),
      PODKIT_READS_CONSISTENCY: consistency, PODKIT_ADMIN_ADDR: "127.0.0.1:0", PODKIT_LOG_LEVEL: "warn", ...settings,
    });
    await eventually("the ambassador answers", async () => (await ask(port, ["GET", "none"])) !== undefined);
    return { name, port, pid: child.pid };
  }

  #spawn(words: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
    const child = spawn(process.execPath, words, { cwd: root, env: { PATH: process.env["PATH"] ?? "", ...env }, stdio: ["ignore", "ignore", "inherit"] });
    this.#processes.push(child);
    return child;
  }

  /** Ends a proxy that was started as a process and waits for its end. */
  async end(candidate: Candidate): Promise<void> {
    const child = this.#processes.find(({ pid }) => pid === candidate.pid);
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }

  async stop(): Promise<void> {
    for (const child of this.#processes) child.kill("SIGKILL");
    for (const name of this.#containers) spawnSync("docker", ["rm", "-f", name]);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
