import { open } from "node:fs/promises";
import type { Container, Pod } from "../../api/types/pod.ts";
import { label, type ContainerStatus, type Labels, type Runtime, type RuntimeObject } from "../../runtime/runtime.ts";
import { sandboxAttemptLabel } from "../container-build.ts";
import type { Instance, InstanceState, SandboxInstance } from "../pod-lifecycle/observed.ts";
import type { PodPaths } from "../pod-paths.ts";

const terminationBytesMax = 4096;
const fallbackLines = 80;
const fallbackBytesMax = 2048;

export type Snapshot = { readonly sandboxes: readonly SandboxInstance[]; readonly instances: readonly Instance[] };

/**
 * Reads the state of one Pod from the runtime: one list, and one inspect per object whose details are not known yet. Details that cannot
 * change any more (the start of a running container, the end of an exited one) are remembered by id.
 */
export class Observer {
  readonly #runtime: Runtime;
  readonly #labels: Labels;
  readonly #paths: PodPaths;
  readonly #instances = new Map<string, Instance>();
  readonly #sandboxes = new Map<string, SandboxInstance>();

  constructor(options: { readonly runtime: Runtime; readonly labels: Labels; readonly paths: PodPaths }) {
    this.#runtime = options.runtime;
    this.#labels = options.labels;
    this.#paths = options.paths;
  }

  async observe(pod: Pod): Promise<Snapshot> {
    const objects = await this.#runtime.list(this.#labels);
    const [sandboxes, instances] = await Promise.all([
      Promise.all(objects.filter((object) => object.labels[label.kind] === "sandbox").map(async (object) => await this.#sandbox(object))),
      Promise.all(objects.filter((object) => object.labels[label.container] !== undefined).map(async (object) => await this.#instance(object, pod))),
    ]);
    const known = new Set(objects.map((object) => object.id));
    for (const map of [this.#instances, this.#sandboxes]) for (const id of map.keys()) if (!known.has(id)) map.delete(id);
    return { sandboxes: sandboxes.filter((sandbox) => sandbox !== undefined), instances: instances.filter((instance) => instance !== undefined) };
  }

  async #sandbox(object: RuntimeObject): Promise<SandboxInstance | undefined> {
    const known = this.#sandboxes.get(object.id);
    if (known !== undefined && known.state === object.state) return known;
    const base = { id: object.id, attempt: Number(object.labels[label.attempt] ?? 0), state: object.state };
    if (object.state !== "running") return { ...base, ip: undefined };
    const status = await this.#runtime.sandboxStatus(object.id);
    if (status === undefined) return undefined;
    const sandbox = { ...base, state: status.state.kind, ip: status.ip };
    if (sandbox.state === "running") this.#sandboxes.set(object.id, sandbox);
    return sandbox;
  }

  async #instance(object: RuntimeObject, pod: Pod): Promise<Instance | undefined> {
    const known = this.#instances.get(object.id);
    if (known !== undefined && known.state.kind === object.state && known.state.kind !== "created") return known;
    const status = await this.#runtime.containerStatus(object.id);
    if (status === undefined) return undefined;
    const container = object.labels[label.container] ?? "";
    const attempt = Number(object.labels[label.attempt] ?? 0);
    const spec = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find((candidate) => candidate.name === container);
    const instance: Instance = {
      id: object.id, container, attempt, sandboxAttempt: Number(object.labels[sandboxAttemptLabel] ?? 0), specHash: object.labels[label.specHash] ?? "",
      image: status.image, imageId: status.imageId, state: await this.#state(status, spec, attempt),
    };
    this.#instances.set(object.id, instance);
    return instance;
  }

  async #state(status: ContainerStatus, spec: Container | undefined, attempt: number): Promise<InstanceState> {
    const { state } = status;
    if (state.kind === "created") return state;
    if (state.kind === "running") return { kind: "running", startedAtMs: state.startedAtMs };
    const reason = state.oomKilled ? "OOMKilled" : state.exitCode === 0 ? "Completed" : "Error";
    const message = spec === undefined ? "" : await this.#terminationMessage(status.id, spec, attempt, state.exitCode);
    return { kind: "exited", exitCode: state.exitCode, startedAtMs: state.startedAtMs, finishedAtMs: state.finishedAtMs, reason, message: message === "" ? state.error : message };
  }

  /** What the container wrote to its terminationMessagePath, or the end of its log where the policy says so. */
  async #terminationMessage(id: string, spec: Container, attempt: number, exitCode: number): Promise<string> {
    const text = await readStart(this.#paths.terminationLog(spec.name, attempt), terminationBytesMax);
    if (text !== "" || spec.terminationMessagePolicy !== "FallbackToLogsOnError" || exitCode === 0) return text;
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of this.#runtime.logs(id, { follow: false, tailLines: fallbackLines, timestamps: false })) chunks.push(chunk.bytes);
      return Buffer.concat(chunks).subarray(-fallbackBytesMax).toString("utf8");
    } catch {
      return ""; // a message is worth less than the status it belongs to
    }
  }
}

async function readStart(path: string, bytesMax: number): Promise<string> {
  try {
    const file = await open(path, "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, 0);
      return buffer.subarray(0, bytesRead).toString("utf8");
    } finally {
      await file.close();
    }
  } catch {
    return ""; // never made, or not ours to read
  }
}
