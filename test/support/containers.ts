import { GenericContainer, Network, PullPolicy, Wait, type StartedNetwork, type StartedTestContainer } from "testcontainers";
import { image, imageRecords } from "./images.ts";

// The reaper that testcontainers starts, which removes what a killed test run leaves, is ours: it needs no registry.
const reaper = imageRecords().get("reaper")?.reference;
if (reaper !== undefined) process.env["RYUK_CONTAINER_IMAGE"] ??= reaper;

/** How long a container may take until it is what its wait strategy wants: it says nothing about how fast anything is. */
const startupTimeoutMs = 240_000;

/** A container of one of our images by name (see images.ts), never pulled. Its wait strategy is the caller's: no image here listens for Docker's own check. */
export function container(name: string): GenericContainer {
  return new GenericContainer(image(name)).withPullPolicy(PullPolicy.neverPull()).withStartupTimeout(startupTimeoutMs);
}

/** Runs until it is stopped; for the shell of tests and as a target of exec. */
export function idleContainer(): GenericContainer {
  return container("busybox").withCommand(["sleep", "100000"]).withWaitStrategy(Wait.forAll([]));
}

export type PodOptions = {
  readonly network?: StartedNetwork;
  readonly aliases?: readonly string[];
  /** Ports of the Pod that the host reaches by StartedPod.port(). */
  readonly ports?: readonly number[];
};

/**
 * Containers that share a sandbox's network namespace, as the containers of a Pod do. Ports, aliases and networks are the
 * sandbox's. Disposing it stops the members, the newest first, then the sandbox.
 */
export class StartedPod implements AsyncDisposable {
  readonly sandbox: StartedTestContainer;
  readonly #members: StartedTestContainer[] = [];

  constructor(sandbox: StartedTestContainer) {
    this.sandbox = sandbox;
  }

  get host(): string {
    return this.sandbox.getHost();
  }

  /** The host's port for a port of the Pod that was named in PodOptions.ports. */
  port(podPort: number): number {
    return this.sandbox.getMappedPort(podPort);
  }

  /** Starts a container in the Pod's network namespace. It must not have networks, aliases or exposed ports of its own. */
  async add(member: GenericContainer): Promise<StartedTestContainer> {
    const started = await member.withNetworkMode(`container:${this.sandbox.getId()}`).start();
    this.#members.push(started);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.#members.toReversed()) await member.stop({ timeout: 0 });
    await this.sandbox.stop({ timeout: 0 });
  }
}

export async function startPod(options: PodOptions = {}): Promise<StartedPod> {
  let sandbox = container("pause").withWaitStrategy(Wait.forAll([])).withExposedPorts(...(options.ports ?? []));
  if (options.network !== undefined) sandbox = sandbox.withNetwork(options.network).withNetworkAliases(...(options.aliases ?? []));
  return new StartedPod(await sandbox.start());
}

/** A network of its own for a test; dispose after the containers on it. */
export async function startNetwork(): Promise<StartedNetwork> {
  return await new Network().start();
}

/** Runs a command in a container and returns its trimmed output. Throws with the output when it fails. */
export async function sh(target: StartedTestContainer, command: string): Promise<string> {
  const result = await target.exec(["sh", "-c", command]);
  if (result.exitCode !== 0) throw new Error(`Cannot run "${command}": exit code ${result.exitCode}: ${result.output.trim()}`);
  return result.output.trim();
}
