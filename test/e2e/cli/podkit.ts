import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connectDocker } from "../../../orchestrator/runtime/docker/docker-runtime.ts";
import type { Runtime } from "../../../orchestrator/runtime/runtime.ts";
import { label } from "../../../orchestrator/runtime/runtime.ts";

export const entry = join(import.meta.dirname, "../../../cli/podkit.js");

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type RunOptions = { readonly env?: NodeJS.ProcessEnv; readonly input?: string; readonly uid?: number };
export type Running = { readonly pid: number; readonly output: () => string; readonly kill: (signal: NodeJS.Signals) => void; readonly ended: Promise<Ended> };

/** A cluster of its own for one test file, with everything to drive `podkit` and to see what it left on the engine. */
export class TestCluster implements AsyncDisposable {
  readonly name: string;
  readonly home: string;
  readonly runtime: Runtime;

  private constructor(name: string, home: string, runtime: Runtime) {
    this.name = name;
    this.home = home;
    this.runtime = runtime;
  }

  static async create(name: string): Promise<TestCluster> {
    const home = await mkdtemp(join(tmpdir(), "pk-"));
    const runtime = await connectDocker({ dockerHost: process.env["DOCKER_HOST"], configDirectory: process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker") });
    return new TestCluster(`${name}-${process.pid}`, home, runtime);
  }

  get folder(): string {
    return join(this.home, "clusters", this.name);
  }

  async file(name: string, text: string): Promise<string> {
    const path = join(this.home, name);
    await writeFile(path, text);
    return path;
  }

  start(words: readonly string[], options: RunOptions = {}): Running {
    return start(process.execPath, [entry, ...words], { ...options, env: this.#env(options) });
  }

  async run(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return await this.start(words, options).ended;
  }

  /** Runs it, and shows all its output when the exit code is not the expected one. */
  async expect(code: number, words: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const ended = await this.run(words, options);
    assert.equal(ended.code, code, `podkit ${words.join(" ")} ended with ${ended.code}\n--- stdout\n${ended.stdout}\n--- stderr\n${ended.stderr}`);
    return ended;
  }

  /** Runs it behind a terminal of 100 columns (util-linux `script`); what the terminal got is the output. */
  onTerminal(words: readonly string[]): Running {
    const quoted = [process.execPath, entry, ...words].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(" ");
    return start("script", ["-qefc", `stty cols 100 rows 40; exec ${quoted}`, "/dev/null"], { env: { ...this.#env({}), TERM: "xterm" } });
  }

  #env(options: RunOptions): NodeJS.ProcessEnv {
    return { ...process.env, PODKIT_HOME: this.home, PODKIT_CLUSTER: this.name, ...options.env };
  }

  /** The cluster's containers that run, and their ids. */
  async containers(): Promise<readonly string[]> {
    return (await this.runtime.list({ [label.cluster]: this.name })).map((object) => object.id).toSorted();
  }

  /** What is left of the cluster on the engine and on the disk; empty when nothing is. */
  async leftovers(): Promise<readonly string[]> {
    const labels = { [label.cluster]: this.name };
    const [objects, networks, volumes] = await Promise.all([this.runtime.list(labels), this.runtime.listNetworks(labels), this.runtime.listVolumes(labels)]);
    return [
      ...objects.map((object) => `container ${object.name}`), ...networks.map((network) => `network ${network.name}`), ...volumes.map((volume) => `volume ${volume.name}`),
      ...(existsSync(this.folder) ? [`folder ${this.folder}`] : []),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(["down", "--all"]);
    await this.runtime.close();
    await rm(this.home, { recursive: true, force: true });
  }
}

function start(command: string, words: readonly string[], options: RunOptions): Running {
  const child = spawn(command, words, { stdio: ["pipe", "pipe", "pipe"], ...(options.env === undefined ? {} : { env: { ...options.env } }), ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }) });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  if (options.input !== undefined || command !== "script") child.stdin.end(options.input ?? "");
  const ended = once(child, "close").then(() => ({ code: child.exitCode, stdout, stderr }));
  assert.ok(child.pid !== undefined);
  return { pid: child.pid, output: () => stdout + stderr, kill: (signal) => void child.kill(signal), ended };
}
