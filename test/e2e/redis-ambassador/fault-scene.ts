import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Wait, type StartedNetwork, type StartedTestContainer } from "testcontainers";
import { container, startNetwork } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";
import { startFaultProxy, type FaultProxy } from "../../support/fault-proxy.ts";
import { openWire, type Place } from "./wire.ts";

const redisPort = 6379;
/** How long is waited for what has to come: it says nothing about how fast anything is. */
const patienceMs = 60_000;
const main = new URL("../../../sidecars/redis-ambassador/main.ts", import.meta.url).pathname;

/** Runs redis-server, and again whenever it has ended, but not while the file "down" is there. Words for it are kept in "words". */
const keeper = `while :; do
  if [ -e down ]; then sleep 0.02; continue; fi
  redis-server $(cat words) & echo $! > pid; wait $!
  touch down
done`;

/** Nothing is saved, a replica's first copy does not wait for others, and a lost peer is noticed within seconds. */
const fast = ["--protected-mode", "no", "--save", "''", "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--repl-timeout", "4"];

/** A server whose process can be killed, frozen and started again while its container stays. */
export class FaultNode {
  readonly name: string;
  readonly started: StartedTestContainer;
  /** Where the ambassador finds it: every fault of the network happens here. */
  readonly proxy: FaultProxy;

  /** Its address among the servers. */
  readonly inside: string;

  constructor(name: string, started: StartedTestContainer, inside: string, proxy: FaultProxy) {
    this.name = name;
    this.started = started;
    this.inside = inside;
    this.proxy = proxy;
  }

  /** Where the test finds it, past the proxy. */
  get place(): Place {
    return { host: this.started.getHost(), port: this.started.getMappedPort(redisPort) };
  }
  get address(): string {
    return `${this.proxy.host}:${this.proxy.port}`;
  }

  /** Asks the server itself; throws on an error reply. */
  async ask(...words: readonly string[]): Promise<string> {
    await using wire = await openWire(this.place);
    const reply = await wire.one(...words);
    if (reply === "" || reply.startsWith("-")) throw new Error(`${this.name} answered ${words.join(" ")} with: ${reply === "" ? "the end of the connection" : reply.trim()}`);
    return reply;
  }

  async info(section: string, field: string): Promise<string | undefined> {
    return new RegExp(`^${field}:([^\\r\\n]*)`, "m").exec(await this.ask("INFO", section))?.[1];
  }

  /** Calls of a command as the server counts them. */
  async calls(command: string): Promise<number> {
    return Number(/calls=(\d+)/.exec((await this.info("commandstats", `cmdstat_${command}`)) ?? "")?.[1] ?? 0);
  }

  async kill(): Promise<void> {
    await this.#sh("touch down; kill -9 $(cat pid)");
  }
  async freeze(): Promise<void> {
    await this.#sh("kill -STOP $(cat pid)");
  }
  async thaw(): Promise<void> {
    await this.#sh("kill -CONT $(cat pid)");
  }

  /** Starts the killed server; `words` replaces how it is started from now on, `empty` throws away what it kept. */
  async start(o: { readonly words?: readonly string[]; readonly empty?: boolean } = {}): Promise<void> {
    const rewrite = o.words === undefined ? "" : `echo "${[...fast, "--replica-announce-ip", this.name, ...o.words].join(" ")}" > words; `;
    await this.#sh(`${rewrite}${o.empty === true ? "rm -rf dump.rdb appendonlydir; " : ""}rm -f down`);
  }

  /** Resolves once the server answers. */
  async answers(): Promise<void> {
    await eventually(async () => (await this.ask("PING")) === "+PONG\r\n", { what: `${this.name} answering` });
  }

  /** Nothing that it sends to `other` arrives any more, and neither is told. Until `reach`. */
  async lose(other: FaultNode): Promise<void> {
    await this.#sh(`ip route add blackhole ${other.inside}`);
  }
  async reach(other: FaultNode): Promise<void> {
    await this.#sh(`ip route del blackhole ${other.inside}`);
  }

  async #sh(command: string): Promise<string> {
    const result = await this.started.exec(["sh", "-c", command], { user: "root", workingDir: "/data" });
    if (result.exitCode !== 0) throw new Error(`Cannot run "${command}" at ${this.name}: exit code ${result.exitCode}: ${result.output.trim()}`);
    return result.output.trim();
  }
}

/** The ambassador as a process of its own, from its sources. */
export class AmbassadorProcess implements AsyncDisposable {
  readonly host = "127.0.0.1";
  /** Where applications find it; known once it is ready. */
  port = 0;
  readonly #child: ChildProcess;
  #admin = "";
  readonly exited: Promise<number | string>;
  #log = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on("data", (text) => (this.#log = (this.#log + String(text)).slice(-200_000)));
    this.exited = once(child, "close").then(([code, signal]: (number | string | null)[]) => code ?? signal ?? "nothing");
  }

  get log(): string {
    return this.#log;
  }

  async metrics(): Promise<string> {
    return await (await fetch(`${this.#admin}/metrics`)).text();
  }

  /** What the admin port answers for a path, read as JSON. */
  async admin(path: string): Promise<unknown> {
    return await (await fetch(`${this.#admin}${path}`)).json();
  }
  get adminAddress(): string {
    return this.#admin.replace("http://", "");
  }

  /** The value of one metric, summed over its labels. */
  async metric(name: string, labels = ""): Promise<number> {
    const lines = (await this.metrics()).split("\n").filter((line) => line.startsWith(`podkit_redis_ambassador_${name}`) && line.includes(labels));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  /** Resolves when it has told its addresses and answers commands. */
  async ready(): Promise<void> {
    const ready = eventually(async () => {
      const listen = /"listen":"127\.0\.0\.1:(\d+)"/.exec(this.#log)?.[1], admin = /"admin":"([^"]+)"/.exec(this.#log)?.[1];
      if (listen === undefined || admin === undefined) return false;
      this.port = Number(listen);
      this.#admin = `http://${admin}`;
      return (await fetch(`${this.#admin}/readyz`)).ok;
    }, { timeoutMs: patienceMs, what: "the ambassador ready" });
    const ended = this.exited.then((code) => Promise.reject(new Error(`The ambassador ended with ${code}`)));
    try {
      await Promise.race([ready, ended]);
    } catch (error) {
      this.#child.kill("SIGKILL");
      throw new Error(`${error instanceof Error ? error.message : String(error)}; its log:\n${this.#log}`, { cause: error });
    }
  }

  async sees(o: { readonly primary?: FaultNode | "none"; readonly eligible?: readonly FaultNode[] }): Promise<void> {
    await eventually(async () => {
      const metrics = await this.metrics();
      const ones = (name: string): string[] => [...metrics.matchAll(new RegExp(`^podkit_redis_ambassador_${name}\\{[^}]*node="([^"]*)"[^}]*\\} 1$`, "gm"))].map((match) => match[1] ?? "").toSorted();
      const seen = { primary: ones("primary"), eligible: ones("replica_eligible") };
      const wanted = { primary: o.primary === undefined ? seen.primary : o.primary === "none" ? [] : [o.primary.address], eligible: o.eligible?.map(({ address }) => address).toSorted() ?? seen.eligible };
      if (JSON.stringify(seen) === JSON.stringify(wanted)) return true;
      throw new Error(`it sees ${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
    }, { timeoutMs: patienceMs, what: "the ambassador's view" });
  }

  /** Resident memory in bytes. */
  get memoryBytes(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.#child.pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  }

  signal(name: "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
  }
}

/** Starts an ambassador for these servers and waits until it is ready. Settings are PODKIT_… variables; `yaml` is what a configuration file would contain. */
export async function startAmbassadorProcess(nodes: readonly string[], settings: Readonly<Record<string, string>> = {}, yaml?: string): Promise<AmbassadorProcess> {
  const words: string[] = [];
  if (yaml !== undefined) {
    const folder = await mkdtemp(join(tmpdir(), "podkit-ambassador-"));
    await writeFile(join(folder, "ambassador.yaml"), yaml);
    words.push("--config", join(folder, "ambassador.yaml"));
  }
  const env = {
    PATH: process.env["PATH"] ?? "", NODE_COMPILE_CACHE: join(tmpdir(), "podkit-test-compile-cache"), PODKIT_LISTEN: "127.0.0.1:0", PODKIT_ADMIN_ADDR: "127.0.0.1:0",
    PODKIT_UPSTREAM_NODES: nodes.join(","), ...settings,
  };
  const started = new AmbassadorProcess(spawn(process.execPath, [main, ...words], { stdio: ["ignore", "ignore", "pipe"], env }));
  await started.ready();
  return started;
}

/** A primary with replicas, each behind a fault proxy, and the ambassadors that were started for them. */
export class FaultScene implements AsyncDisposable {
  readonly nodes: readonly FaultNode[];
  readonly #network: StartedNetwork;
  readonly #links: readonly StartedTestContainer[];
  readonly #ambassadors: AmbassadorProcess[] = [];

  constructor(network: StartedNetwork, nodes: readonly FaultNode[], links: readonly StartedTestContainer[]) {
    this.#network = network;
    this.nodes = nodes;
    this.#links = links;
  }

  node(index: number): FaultNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`Cannot find server ${index}: there are ${this.nodes.length}`);
    return node;
  }

  async ambassador(settings: Readonly<Record<string, string>> = {}, nodes: readonly FaultNode[] = this.nodes, yaml?: string): Promise<AmbassadorProcess> {
    const ambassador = await startAmbassadorProcess(nodes.map(({ address }) => address), settings, yaml);
    this.#ambassadors.push(ambassador);
    return ambassador;
  }

  /** Waits until `replicas` are in sync with `primary`. */
  async inSync(primary: FaultNode, replicas: readonly FaultNode[]): Promise<void> {
    await eventually(async () => {
      const info = await primary.ask("INFO", "replication");
      const links = await Promise.all(replicas.map(async (replica) => await replica.info("replication", "master_link_status")));
      return [...info.matchAll(/^slave\d+:.*state=online/gm)].length === replicas.length && links.every((link) => link === "up");
    }, { timeoutMs: patienceMs, what: `${replicas.map(({ name }) => name).join(" and ")} in sync with ${primary.name}` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#ambassadors.map(async (ambassador) => await ambassador[Symbol.asyncDispose]()));
    await Promise.all(this.nodes.map(async ({ proxy }) => await proxy.close()));
    await Promise.all([...this.nodes.map(({ started }) => started), ...this.#links].map(async (started) => await started.stop({ timeout: 0 })));
    await this.#network.stop();
  }
}

export type FaultSceneOptions = {
  readonly replicas?: number;
  /** Further words for every server. */
  readonly words?: readonly string[];
  /** How far behind the primary each replica is kept, by the link that it follows; at first, until it is told to follow somebody directly. */
  readonly lagMs?: readonly number[];
};

/** A link to redis-0 that keeps every piece of the replication stream for a while. */
async function startSlowLink(network: StartedNetwork, name: string, delayMs: number): Promise<StartedTestContainer> {
  const plan = { upstream: { host: "redis-0", port: redisPort }, listen: { host: "0.0.0.0", port: redisPort }, seed: 1, rules: [{ direction: "down", action: { kind: "delay", delayMs, jitterMs: delayMs / 2 } }] };
  return await container("fault-proxy").withNetwork(network).withNetworkAliases(name).withEnvironment({ FAULT_PROXY_PLAN: JSON.stringify(plan) }).withWaitStrategy(Wait.forLogMessage(/Listening on/)).start();
}

/** Starts redis-0 as the primary and redis-1, … as its replicas. */
export async function startFaultScene(o: FaultSceneOptions = {}): Promise<FaultScene> {
  const network = await startNetwork(), { lagMs = [] } = o;
  const startNode = async (index: number): Promise<FaultNode> => {
    const name = `redis-${index}`, follows = lagMs[index - 1] === undefined ? "redis-0" : `link-${index}`;
    const words = [...fast, "--replica-announce-ip", name, ...(o.words ?? []), ...(index === 0 ? [] : ["--replicaof", follows, String(redisPort)])];
    const started = await container("redis").withNetwork(network).withNetworkAliases(name).withExposedPorts(redisPort).withAddedCapabilities("NET_ADMIN")
      .withCommand(["sh", "-c", `echo "${words.join(" ")}" > words; ${keeper}`]).withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/)).start();
    const proxy = await startFaultProxy({ upstream: { host: started.getHost(), port: started.getMappedPort(redisPort) }, seed: 1 });
    return new FaultNode(name, started, started.getIpAddress(network.getName()), proxy);
  };
  const [links, nodes] = await Promise.all([
    Promise.all(lagMs.map(async (delayMs, index) => await startSlowLink(network, `link-${index + 1}`, delayMs))),
    Promise.all(Array.from({ length: 1 + (o.replicas ?? 2) }, async (_, index) => await startNode(index))),
  ]);
  const scene = new FaultScene(network, nodes, links);
  await scene.inSync(scene.node(0), nodes.slice(1));
  return scene;
}
