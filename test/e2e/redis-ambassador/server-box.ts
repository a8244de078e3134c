import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Wait, type StartedTestContainer } from "testcontainers";
import { container } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";
import type { ServerImage } from "../../support/redis-topology.ts";
import type { Place } from "./wire.ts";

/** Nothing is saved, and a replica's first copy does not wait for others. */
const fast = ["--save", "", "--repl-diskless-sync-delay", "0", "--protected-mode", "no", "--daemonize", "yes"];
/** How long is waited for what has to come: it says nothing about how fast anything is. */
const patienceMs = 60_000;
const main = new URL("../../../sidecars/redis-ambassador/main.ts", import.meta.url).pathname;

/** Many servers in one container, told apart by port. They know one another by 127.0.0.1, which from here is another place. */
export class ServerBox implements AsyncDisposable {
  readonly #started: StartedTestContainer;
  readonly #ports: readonly number[];

  constructor(started: StartedTestContainer, ports: readonly number[]) {
    this.#started = started;
    this.#ports = ports;
  }

  place(port: number): Place {
    return { host: this.#started.getHost(), port: this.#started.getMappedPort(port) };
  }
  address(port: number): string {
    const { host, port: mapped } = this.place(port);
    return `${host}:${mapped}`;
  }
  /** What the servers call themselves -> where they are found from here. */
  get addressMap(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#ports.map((port) => [`127.0.0.1:${port}`, this.address(port)]));
  }

  async server(port: number, ...words: readonly string[]): Promise<void> {
    await this.#exec(["redis-server", "--port", String(port), "--pidfile", `/tmp/${port}.pid`, "--logfile", `/tmp/${port}.log`, ...fast, ...words]);
  }

  /** Starts a server that speaks TLS alone. */
  async tlsServer(port: number, ...words: readonly string[]): Promise<void> {
    await this.#exec(["redis-server", "--port", "0", "--tls-port", String(port), "--pidfile", `/tmp/${port}.pid`, "--logfile", `/tmp/${port}.log`, ...fast, ...words]);
  }

  async sentinel(port: number, ...lines: readonly string[]): Promise<void> {
    await this.put(`/tmp/${port}.conf`, [...(lines.includes("port 0") ? [] : [`port ${port}`]), "daemonize yes", "protected-mode no", `pidfile /tmp/${port}.pid`, ...lines, ""].join("\n"));
    await this.resumeSentinel(port);
  }

  /** Starts it with what it knew when it ended. */
  async resumeSentinel(port: number): Promise<void> {
    await this.#exec(["redis-sentinel", `/tmp/${port}.conf`]);
  }

  async put(path: string, content: string): Promise<void> {
    await this.#started.copyContentToContainer([{ content, target: path, mode: 0o666 }]);
  }

  async kill(port: number): Promise<void> {
    await this.#exec(["sh", "-c", `kill -9 $(cat /tmp/${port}.pid)`]);
  }

  /** The answer of redis-cli, trimmed. */
  async cli(port: number, ...words: readonly string[]): Promise<string> {
    return await this.#exec(["redis-cli", "-p", String(port), ...words]);
  }

  /** Waits until the server has so many replicas in sync. */
  async replicas(port: number, count: number, ...auth: readonly string[]): Promise<void> {
    await eventually(async () => [...(await this.cli(port, ...auth, "info", "replication")).matchAll(/^slave\d+:.*state=online/gm)].length === count, { timeoutMs: patienceMs, what: `${count} replicas of ${port}` });
  }

  async #exec(words: readonly string[]): Promise<string> {
    const result = await this.#started.exec([...words], { user: "root" });
    if (result.exitCode !== 0) throw new Error(`Cannot run ${words.join(" ")}: exit code ${result.exitCode}: ${result.output.trim()}`);
    return result.output.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started.stop({ timeout: 0 });
  }
}

export async function startServerBox(ports: readonly number[], image: ServerImage = "redis"): Promise<ServerBox> {
  const started = await container(image).withExposedPorts(...ports).withCommand(["sh", "-c", "while :; do sleep 1; done"]).withWaitStrategy(Wait.forAll([])).start();
  return new ServerBox(started, ports);
}

/** An ambassador as a process of its own, from its sources, that reads its settings from a file. */
export class ConfiguredAmbassador implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #log = "";

  constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    child.stderr?.on("data", (text) => (this.#log += String(text)));
    this.exited = once(child, "close").then(([code]: (number | null)[]) => code ?? null);
  }

  get log(): string {
    return this.#log;
  }

  /** The port that the log tells first. */
  async port(): Promise<number> {
    return Number(await eventually(() => /"listen":"127\.0\.0\.1:(\d+)"/.exec(this.#log)?.[1], { what: `the ambassador listening; its log:\n${this.#log}` }));
  }
  async place(): Promise<Place> {
    return { host: this.host, port: await this.port() };
  }

  async #get(path: string): Promise<{ readonly ok: boolean; readonly text: string }> {
    const admin = await eventually(() => /"admin":"([^"]+)"/.exec(this.#log)?.[1], { what: `the ambassador started; its log:\n${this.#log}` });
    const answer = await fetch(`http://${admin}${path}`);
    return { ok: answer.ok, text: await answer.text() };
  }

  async readiness(): Promise<string> {
    return (await this.#get("/readyz?verbose")).text;
  }
  async metrics(): Promise<string> {
    return (await this.#get("/metrics")).text;
  }

  async ready(): Promise<void> {
    await eventually(async () => (await this.#get("/readyz")).ok, { timeoutMs: patienceMs, what: `the ambassador ready; its log:\n${this.#log}` });
  }

  /** Waits until it takes this server for the primary, and so many replicas for readable. */
  async sees(primary: string, eligible: number): Promise<void> {
    await eventually(async () => {
      const metrics = await this.metrics();
      const readable = [...metrics.matchAll(/replica_eligible\{[^}]*\} 1$/gm)].length;
      if (metrics.includes(`podkit_redis_ambassador_primary{node="${primary}"} 1`) && readable === eligible) return true;
      throw new Error(`it sees ${[...metrics.matchAll(/ambassador_(?:primary|replica_eligible)\{.*/g)].join(", ")}`);
    }, { timeoutMs: patienceMs, what: `${primary} as the primary with ${eligible} readable replicas; the log ends:\n${this.#log.slice(-6_000)}` });
  }

  /** Replaces the settings, as one file by another. */
  async offer(settings: object): Promise<void> {
    await writeFile(join(this.#folder, "next"), JSON.stringify(settings));
    await rename(join(this.#folder, "next"), join(this.#folder, "settings.yaml"));
  }

  /** The same, and waits until they are in force. */
  async configure(settings: object): Promise<void> {
    const before = await this.#applied();
    await this.offer(settings);
    await eventually(async () => (await this.#applied()) > before, { what: "the changed settings in force" });
  }

  async #applied(): Promise<number> {
    return Number(/config_reload_total\{result="applied"\} (\d+)/.exec(await this.metrics())?.[1] ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
    rmSync(this.#folder, { recursive: true });
  }
}

/** Starts an ambassador with these settings; any port will do where the settings name none. */
export async function startConfigured(settings: object): Promise<ConfiguredAmbassador> {
  const folder = mkdtempSync(join(tmpdir(), "podkit-ambassador-"));
  await writeFile(join(folder, "settings.yaml"), JSON.stringify({ listen: { address: "127.0.0.1:0" }, ...settings }));
  const env = { PATH: process.env["PATH"] ?? "", NODE_COMPILE_CACHE: join(tmpdir(), "podkit-test-compile-cache"), PODKIT_ADMIN_ADDR: "127.0.0.1:0", PODKIT_CONFIG: folder };
  return new ConfiguredAmbassador(spawn(process.execPath, [main], { stdio: ["ignore", "ignore", "pipe"], env }), folder);
}
