import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { RuntimeError } from "../../../orchestrator/runtime/runtime.ts";
import type { ContainerSpec, ContainerStatus, LogChunk, LogOptions, Runtime, RuntimeErrorCode, RuntimeEvent, SandboxSpec } from "../../../orchestrator/runtime/runtime.ts";
import { eventually } from "../../support/eventually.ts";
import { programs } from "./programs.ts";
import type { Program } from "./programs.ts";

export type Engine = {
  readonly runtime: Runtime;
  readonly pauseImage: string;
  /** Has busybox's sh and sleep. */
  readonly shellImage: string;
  /** Nothing listened on it when it was asked for. */
  readonly freePort: () => Promise<number>;
};

/** What every driver of the Runtime interface keeps. `prefix` marks the engine's objects as this run's own. */
export function runtimeContract(name: string, o: { readonly prefix: string; readonly open: () => Promise<Engine> }): void {
  describe(name, () => {
    let engine: Engine;
    const network = `${o.prefix}-net`;
    const labels = { "podkit/cluster": o.prefix };
    let count = 0;
    const fresh = (what: string): string => `${o.prefix}-${what}-${(count += 1)}`;

    const sandboxSpec = (overrides: Partial<SandboxSpec> = {}): SandboxSpec => ({
      name: fresh("sandbox"), labels, image: engine.pauseImage, hostname: "web", network: { kind: "bridge", name: network }, ports: [], sysctls: {}, mounts: [], ...overrides,
    });
    const containerSpec = (sandboxId: string, program: Program, overrides: Partial<ContainerSpec> = {}): ContainerSpec => ({
      name: fresh("container"), labels, sandboxId, image: engine.shellImage, entrypoint: program.command, env: [], supplementalGroups: [], mounts: [],
      readOnlyRootFilesystem: true, privileged: false, noNewPrivileges: true, capabilitiesAdd: [], capabilitiesDrop: ["ALL"], seccomp: { kind: "runtimeDefault" },
      resources: {}, pidNamespace: "container", ipcNamespace: "sandbox", tty: false, stdin: false, stdinOnce: false, ...overrides,
    });
    const runningSandbox = async (overrides: Partial<SandboxSpec> = {}): Promise<string> => {
      const id = await engine.runtime.createSandbox(sandboxSpec(overrides));
      await engine.runtime.startSandbox(id);
      return id;
    };
    const runningContainer = async (program: Program, overrides: Partial<ContainerSpec> = {}): Promise<string> => {
      const id = await engine.runtime.createContainer(containerSpec(await runningSandbox(), program, overrides));
      await engine.runtime.startContainer(id);
      return id;
    };
    /** A process that answers SIGTERM does so only when it has come to its handler: the bit of signal 15 among those that it catches. */
    const listening = async (id: string): Promise<void> => {
      const command = ["grep", "-Eq", "^SigCgt:\\s*[0-9a-f]{12}[4567cdef]", "/proc/1/status"];
      await eventually(async () => {
        const result = await engine.runtime.execSync(id, { command, timeoutMs: 20_000, outputBytesMax: 100 });
        return result.kind === "exited" && result.exitCode === 0;
      }, { what: "the process listens to SIGTERM" });
    };
    const exited = async (id: string): Promise<Extract<ContainerStatus["state"], { kind: "exited" }>> => {
      return await eventually(async () => {
        const status = await engine.runtime.containerStatus(id);
        return status?.state.kind === "exited" ? status.state : undefined;
      }, { what: "the container has exited" });
    };
    const cleanUp = async (): Promise<void> => {
      const objects = await engine.runtime.list(labels);
      await Promise.all(objects.map(async ({ id }) => await engine.runtime.remove(id)));
    };

    before(async () => {
      engine = await o.open();
      await cleanUp();
      await engine.runtime.ensureNetwork({ name: network, labels });
    });
    after(async () => {
      await cleanUp();
      for (const volume of await engine.runtime.listVolumes(labels)) await engine.runtime.removeVolume(volume.name);
      for (const { name } of await engine.runtime.listNetworks(labels)) await engine.runtime.removeNetwork(name);
      assert.deepEqual(await engine.runtime.list(labels), []);
      await engine.runtime.close();
    });
    const check = (sentence: string, run: () => Promise<void>): void => {
      test(sentence, { timeout: 180_000 }, async () => {
        try {
          await run();
        } finally {
          await cleanUp();
        }
      });
    };

    check("tells its version", async () => {
      const version = await engine.runtime.version();
      assert.equal(version.os, "linux");
      assert.notEqual(version.apiVersion, "");
    });

    check("creates a sandbox once per name", async () => {
      const spec = sandboxSpec();
      assert.equal(await engine.runtime.createSandbox(spec), await engine.runtime.createSandbox(spec));
    });

    check("creates a container once per name, also at the same time", async () => {
      const spec = containerSpec(await runningSandbox(), programs.obedient);
      const ids = await Promise.all([1, 2, 3].map(async () => await engine.runtime.createContainer(spec)));
      assert.equal(new Set(ids).size, 1);
    });

    check("gives a started sandbox an address in its network, and starting it again changes nothing", async () => {
      const id = await engine.runtime.createSandbox(sandboxSpec());
      assert.equal((await engine.runtime.sandboxStatus(id))?.state.kind, "created");
      const first = await engine.runtime.startSandbox(id);
      assert.equal(first.state.kind, "running");
      assert.match(first.ip ?? "", /^\d+\.\d+\.\d+\.\d+$/);
      assert.deepEqual(await engine.runtime.startSandbox(id), first);
      assert.deepEqual(first.labels["podkit/cluster"], o.prefix);
    });

    check("gives a sandbox the address it asks for", async () => {
      const { gateway } = await engine.runtime.ensureNetwork({ name: network, labels });
      const ipv4Address = gateway.replace(/\.1$/, ".10");
      const id = await runningSandbox({ network: { kind: "bridge", name: network, ipv4Address } });
      assert.equal((await engine.runtime.sandboxStatus(id))?.ip, ipv4Address);
    });

    check("never starts an exited sandbox again", async () => {
      const id = await runningSandbox();
      await engine.runtime.stop(id, { graceSeconds: 2 });
      assert.equal((await engine.runtime.sandboxStatus(id))?.state.kind, "exited");
      await refuses(engine.runtime.startSandbox(id), "InvalidState");
    });

    check("does not start a container whose sandbox has exited", async () => {
      const sandbox = await runningSandbox();
      const id = await engine.runtime.createContainer(containerSpec(sandbox, programs.obedient));
      await engine.runtime.kill(sandbox, "SIGKILL");
      await eventually(async () => (await engine.runtime.sandboxStatus(sandbox))?.state.kind === "exited");
      await refuses(engine.runtime.startContainer(id), "InvalidState");
    });

    check("does not start a container whose sandbox never ran", async () => {
      const id = await engine.runtime.createContainer(containerSpec(await engine.runtime.createSandbox(sandboxSpec()), programs.obedient));
      await refuses(engine.runtime.startContainer(id), "InvalidState");
    });

    check("never starts an exited container again", async () => {
      const id = await runningContainer(programs.exitsSeven);
      await exited(id);
      await refuses(engine.runtime.startContainer(id), "InvalidState");
    });

    check("starting a running container changes nothing", async () => {
      const id = await runningContainer(programs.obedient);
      const first = await engine.runtime.containerStatus(id);
      await engine.runtime.startContainer(id);
      assert.deepEqual(await engine.runtime.containerStatus(id), first);
    });

    check("says that an image is missing", async () => {
      const image = `${o.prefix}.invalid/no-such-image:1`;
      assert.equal(await engine.runtime.imageStatus(image), undefined);
      await refuses(engine.runtime.createContainer(containerSpec(await runningSandbox(), programs.obedient, { image })), "ImageNotFound");
    });

    check("knows a local image by reference and by id", async () => {
      const byName = await engine.runtime.imageStatus(engine.shellImage);
      assert.ok(byName !== undefined);
      assert.equal((await engine.runtime.imageStatus(byName.id))?.id, byName.id);
    });

    check("tells an exit code with its times", async () => {
      const state = await exited(await runningContainer(programs.exitsSeven));
      assert.equal(state.exitCode, 7);
      assert.equal(state.oomKilled, false);
      assert.ok(state.startedAtMs > 0 && state.finishedAtMs >= state.startedAtMs);
    });

    check("refuses to start what cannot be executed, in the engine's words, and leaves it created", async () => {
      const id = await engine.runtime.createContainer(containerSpec(await runningSandbox(), programs.missing));
      const error = await refuses(engine.runtime.startContainer(id), "StartFailed");
      assert.match(error.message, /no such file or directory/);
      assert.equal((await engine.runtime.containerStatus(id))?.state.kind, "created");
    });

    check("stops with SIGTERM, and stopping again or something absent succeeds", async () => {
      const id = await runningContainer(programs.obedient);
      await listening(id);
      await engine.runtime.stop(id, { graceSeconds: 60 });
      assert.equal((await exited(id)).exitCode, 143);
      await engine.runtime.stop(id, { graceSeconds: 20 });
      await engine.runtime.stop(`${o.prefix}-absent`, { graceSeconds: 1 });
    });

    check("kills what ignores SIGTERM after the grace", async () => {
      const id = await runningContainer(programs.deaf);
      const startedAt = performance.now();
      await engine.runtime.stop(id, { graceSeconds: 1 });
      assert.equal((await exited(id)).exitCode, 137);
      assert.ok(performance.now() - startedAt >= 900);
    });

    check("stops a container that never ran without effect", async () => {
      const id = await engine.runtime.createContainer(containerSpec(await runningSandbox(), programs.obedient));
      await engine.runtime.stop(id, { graceSeconds: 1 });
      assert.equal((await engine.runtime.containerStatus(id))?.state.kind, "created");
    });

    check("kills at once, and killing something that does not run succeeds", async () => {
      const id = await runningContainer(programs.deaf);
      await engine.runtime.kill(id, "SIGKILL");
      assert.equal((await exited(id)).exitCode, 137);
      await engine.runtime.kill(id, "SIGKILL");
      await engine.runtime.kill(`${o.prefix}-absent`, "SIGKILL");
    });

    check("removes running, exited and absent containers", async () => {
      const id = await runningContainer(programs.deaf);
      await engine.runtime.remove(id);
      await engine.runtime.remove(id);
      assert.equal(await engine.runtime.containerStatus(id), undefined);
      assert.equal(await engine.runtime.sandboxStatus(id), undefined);
    });

    check("removes one container when asked several times at once", async () => {
      const id = await runningContainer(programs.deaf);
      await Promise.all([1, 2, 3].map(async () => await engine.runtime.remove(id)));
      assert.equal(await engine.runtime.containerStatus(id), undefined);
    });

    check("containers outlive their sandbox", async () => {
      const sandbox = await runningSandbox();
      const id = await engine.runtime.createContainer(containerSpec(sandbox, programs.obedient));
      await engine.runtime.startContainer(id);
      await engine.runtime.remove(sandbox);
      assert.equal((await engine.runtime.containerStatus(id))?.state.kind, "running");
    });

    check("containers in their sandbox's process namespace die with it", async () => {
      const sandbox = await runningSandbox();
      const id = await engine.runtime.createContainer(containerSpec(sandbox, programs.obedient, { pidNamespace: "sandbox" }));
      await engine.runtime.startContainer(id);
      await engine.runtime.kill(sandbox, "SIGKILL");
      assert.equal((await exited(id)).exitCode, 137);
    });

    check("lists by all the given labels, running or not", async () => {
      const sandbox = await runningSandbox({ labels: { ...labels, "podkit/pod-uid": "a" } });
      const container = await engine.runtime.createContainer(containerSpec(sandbox, programs.obedient, { labels: { ...labels, "podkit/pod-uid": "a" } }));
      await engine.runtime.createSandbox(sandboxSpec({ labels: { ...labels, "podkit/pod-uid": "b" } }));
      const found = await engine.runtime.list({ ...labels, "podkit/pod-uid": "a" });
      assert.deepEqual(new Map(found.map(({ id, state }) => [id, state])), new Map([[container, "created"], [sandbox, "running"]]));
      assert.equal((await engine.runtime.list(labels)).length, 3);
    });

    check("reads logs oldest first, by stream, the last lines alone, and follows to the end", async () => {
      const id = await runningContainer(programs.prints);
      const followed = await collect(engine.runtime.logs(id, { follow: true, timestamps: false }));
      assert.deepEqual(followed, { stdout: "one\ntwo\nthree\n", stderr: "bad\n" });
      const past = async (options: Partial<LogOptions>): Promise<string> => (await collect(engine.runtime.logs(id, { follow: false, timestamps: false, ...options }))).stdout;
      assert.equal(await past({}), "one\ntwo\nthree\n");
      assert.equal(await past({ tailLines: 1 }), "three\n");
      assert.match(await past({ tailLines: 1, timestamps: true }), /^\d{4}-\d\d-\d\dT[\d:.]+Z three\n$/);
      assert.equal(await past({ sinceMs: Date.now() + 60_000 }), "");
    });

    check("stops following logs when asked to", async () => {
      const id = await runningContainer(programs.obedient);
      const abort = new AbortController();
      const following = collect(engine.runtime.logs(id, { follow: true, timestamps: false, signal: abort.signal }));
      abort.abort();
      assert.deepEqual(await following, { stdout: "", stderr: "" });
    });

    check("runs a command in a container, with both streams and its exit code", async () => {
      const id = await runningContainer(programs.obedient);
      const command = ["sh", "-c", "echo to stdout; echo to stderr >&2; exit 3"];
      const session = await engine.runtime.exec(id, { command, tty: false, stdin: false });
      const [stdout, stderr] = await Promise.all([readAll(session.stdout), readAll(session.stderr)]);
      assert.deepEqual([stdout, stderr, await session.exitCode], ["to stdout\n", "to stderr\n", 3]);
      assert.deepEqual(await engine.runtime.execSync(id, { command, timeoutMs: 20_000, outputBytesMax: 4 }), { kind: "exited", exitCode: 3, stdout: "to s", stderr: "to s" });
    });

    check("gives up on a command that takes too long", async () => {
      const id = await runningContainer(programs.obedient);
      assert.equal((await engine.runtime.execSync(id, { command: ["sleep", "1000"], timeoutMs: 300, outputBytesMax: 100 })).kind, "timeout");
    });

    check("runs no command in a container that does not run", async () => {
      const id = await runningContainer(programs.exitsSeven);
      await exited(id);
      await refuses(engine.runtime.execSync(id, { command: ["sleep", "1"], timeoutMs: 5_000, outputBytesMax: 100 }), "InvalidState");
      await refuses(engine.runtime.exec(`${o.prefix}-absent`, { command: ["sleep", "1"], tty: false, stdin: false }), "NotFound");
    });

    check("tells events of its labels in order", async () => {
      const abort = new AbortController();
      const mine = { ...labels, "podkit/pod-uid": "events" };
      const seen: RuntimeEvent[] = [];
      const watching = (async () => {
        for await (const event of engine.runtime.events({ labels: mine, sinceMs: Date.now() - 1, signal: abort.signal })) if (event.action !== "other") seen.push(event);
      })();
      const sandbox = await runningSandbox({ labels: mine });
      await runningSandbox();
      await engine.runtime.remove(sandbox);
      await eventually(() => seen.some(({ action }) => action === "destroy"));
      abort.abort();
      await watching;
      assert.deepEqual(seen.map(({ id, action }) => [id, action]), ["create", "start", "die", "destroy"].map((action) => [sandbox, action]));
      assert.equal(seen[0]?.labels["podkit/pod-uid"], "events");
    });

    check("says which port is in use", async () => {
      const { ports, hostPort } = await eventually(async () => {
        const free = await engine.freePort();
        const wanted = [{ containerPort: 80, hostPort: free, hostIp: "127.0.0.1", protocol: "TCP" as const }];
        await runningSandbox({ ports: wanted }); // again with another port when somebody else has taken this one meanwhile
        return { ports: wanted, hostPort: free };
      });
      const second = await engine.runtime.createSandbox(sandboxSpec({ ports }));
      const error = await refuses(engine.runtime.startSandbox(second), "PortInUse");
      assert.match(`${error.message} ${error.remedy}`, new RegExp(String(hostPort)));
    });

    check("keeps volumes by name and label", async () => {
      const name = fresh("volume");
      await engine.runtime.ensureVolume({ name, labels, tmpfs: { sizeBytes: 1_048_576, mode: 0o1777 } });
      await engine.runtime.ensureVolume({ name, labels, tmpfs: { sizeBytes: 1_048_576, mode: 0o1777 } });
      assert.deepEqual(await engine.runtime.listVolumes(labels), [{ name, labels }]);
      const mounts = [{ kind: "volume" as const, name, target: "/cache", readOnly: false }];
      const sandbox = await runningSandbox({ mounts });
      await refuses(engine.runtime.removeVolume(name), "InvalidState");
      await engine.runtime.remove(sandbox);
      await engine.runtime.removeVolume(name);
      await engine.runtime.removeVolume(name);
      assert.deepEqual(await engine.runtime.listVolumes(labels), []);
    });

    check("makes a network once, and does not remove it from under a sandbox", async () => {
      const name = fresh("network");
      const made = await engine.runtime.ensureNetwork({ name, labels });
      assert.deepEqual(await engine.runtime.ensureNetwork({ name, labels }), made);
      const sandbox = await runningSandbox({ network: { kind: "bridge", name } });
      await refuses(engine.runtime.removeNetwork(name), "InvalidState");
      await engine.runtime.remove(sandbox);
      await engine.runtime.removeNetwork(name);
      await engine.runtime.removeNetwork(name);
      assert.deepEqual((await engine.runtime.listNetworks(labels)).map((found) => found.name), [network]);
    });

    check("measures what runs and nothing else", async () => {
      const id = await runningContainer(programs.obedient);
      assert.ok(((await engine.runtime.stats(id))?.memoryBytes ?? 0) > 0);
      assert.equal(await engine.runtime.stats(`${o.prefix}-absent`), undefined);
    });
  });
}

async function refuses(promise: Promise<unknown>, code: RuntimeErrorCode): Promise<RuntimeError> {
  const error = await promise.then(() => undefined, (failure: unknown) => failure);
  assert.ok(error instanceof RuntimeError, `expected RuntimeError ${code}, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

async function collect(chunks: AsyncIterable<LogChunk>): Promise<{ stdout: string; stderr: string }> {
  const texts = { stdout: "", stderr: "" };
  for await (const { stream, bytes } of chunks) texts[stream] += Buffer.from(bytes).toString("utf8");
  return texts;
}

export async function readAll(stream: AsyncIterable<unknown>): Promise<string> {
  let all = "";
  for await (const chunk of stream) if (chunk instanceof Uint8Array) all += Buffer.from(chunk).toString("utf8");
  return all;
}
