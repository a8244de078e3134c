import { Wait } from "testcontainers";
import { container, startPod, type StartedPod } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";
import type { ServerImage } from "../../support/redis-topology.ts";
import { Dialogue } from "./dialogue.ts";
import { patient } from "./support.ts";
import type { Place } from "./wire.ts";

/** The servers that every promise of same answers is held against. */
export const serverKinds: readonly { readonly image: ServerImage; readonly title: string }[] = [
  { image: "redis7", title: "Redis 7" }, { image: "redis", title: "Redis 8" }, { image: "valkey", title: "Valkey 8" },
];

/** All four servers have the same settings, and keys have the same encodings on all of them. */
const settings = ["--save", "''", "--appendonly", "no", "--protected-mode", "no", "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];
const ports = { plain: 7000, primary: 7001, replicas: [7002, 7003], ambassador: 6379, admin: 9901 } as const;

/** A plain server, and beside it a primary with two replicas behind the ambassador's image, all in one Pod. */
export class PairScene implements AsyncDisposable {
  readonly #pod: StartedPod;

  constructor(pod: StartedPod) {
    this.#pod = pod;
  }

  #place(port: number): Place {
    return { host: this.#pod.host, port: this.#pod.port(port) };
  }
  get plain(): Place {
    return this.#place(ports.plain);
  }
  get primary(): Place {
    return this.#place(ports.primary);
  }
  get replicas(): readonly Place[] {
    return ports.replicas.map((port) => this.#place(port));
  }
  get through(): Place {
    return this.#place(ports.ambassador);
  }

  async metrics(): Promise<string> {
    const { host, port } = this.#place(ports.admin);
    return await (await fetch(`http://${host}:${port}/metrics`)).text();
  }

  /** Calls of a command that each replica has answered. */
  async #callsOfReplicas(command: string): Promise<readonly number[]> {
    return await Promise.all(this.replicas.map(async (replica) => {
      await using dialogue = await Dialogue.open(replica);
      const [info = ""] = await dialogue.ask(["INFO", "commandstats"]);
      return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(info)?.[1] ?? 0);
    }));
  }

  /** Calls of a command that both replicas together have answered. */
  async callsOnReplicas(command: string): Promise<number> {
    return (await this.#callsOfReplicas(command)).reduce((sum, calls) => sum + calls, 0);
  }

  /** Waits until every replica answers for a key that is written through the ambassador. */
  async replicasAnswer(key: string): Promise<void> {
    await using dialogue = await Dialogue.open(this.through);
    const before = await this.#callsOfReplicas("get");
    await eventually(async () => {
      for (let read = 0; read < 4; read += 1) await dialogue.ask(["GET", key]);
      return (await this.#callsOfReplicas("get")).every((calls, index) => calls > (before[index] ?? 0));
    }, { what: "replicas that answer reads" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pod[Symbol.asyncDispose]();
  }
}

/** `password`: the servers require it, and the ambassador's clients have to give it themselves. */
export async function startPair(image: ServerImage, options: { readonly password?: string } = {}): Promise<PairScene> {
  const { password } = options;
  const pod = await startPod({ ports: [ports.plain, ports.primary, ...ports.replicas, ports.ambassador, ports.admin] });
  const auth = password === undefined ? [] : ["--requirepass", password, "--masterauth", password];
  const server = (port: number, ...words: readonly string[]): string => ["redis-server", "--port", String(port), ...settings, ...auth, ...words].join(" ");
  const replicaOf = ["--replicaof", "127.0.0.1", String(ports.primary)];
  const lines = [...[ports.plain, ports.primary].map((port) => server(port)), ...ports.replicas.map((port) => server(port, ...replicaOf))];
  await pod.add(container(image).withCommand(["sh", "-c", `${lines.map((line) => `${line} &`).join("\n")}\nwait`]).withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/, 4)));
  await pod.add(container("redis-ambassador").withEnvironment({
    ...patient, PODKIT_LISTEN: `0.0.0.0:${ports.ambassador}`, PODKIT_ADMIN_ADDR: `0.0.0.0:${ports.admin}`,
    PODKIT_UPSTREAM_NODES: [ports.primary, ...ports.replicas].map((port) => `127.0.0.1:${port}`).join(","),
    ...(password === undefined ? {} : { PODKIT_UPSTREAM_PASSWORD: password, PODKIT_LISTEN_AUTH: "server" }),
  }).withWaitStrategy(Wait.forAll([])));
  const scene = new PairScene(pod);
  await eventually(async () => [...(await scene.metrics()).matchAll(/replica_eligible\{[^}]*\} 1/g)].length === ports.replicas.length, { what: "two eligible replicas" });
  return scene;
}
