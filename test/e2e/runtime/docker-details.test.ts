import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { label, RuntimeError } from "../../../orchestrator/runtime/runtime.ts";
import type { ContainerSpec, Mount, Runtime } from "../../../orchestrator/runtime/runtime.ts";
import { readAll } from "../../contract/runtime/suite.ts";
import { eventually } from "../../support/eventually.ts";
import { builtImage, connectEngine } from "./engine.ts";

const clusterName = `details-${process.pid}`;
const labels = { [label.cluster]: clusterName };
const forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"];

/** What only a real engine can show. */
describe("the Docker driver", { timeout: 400_000 }, () => {
  let runtime: Runtime, shell: string, sandboxId: string, main: string;
  const volume = `podkit-${clusterName}-memory`;
  let count = 0;

  async function start(command: readonly string[], overrides: Partial<ContainerSpec> = {}): Promise<string> {
    const id = await runtime.createContainer({
      name: `podkit-${clusterName}-${(count += 1)}`, labels, sandboxId, image: shell, entrypoint: command, env: [{ name: "GREETING", value: "hello = world" }], supplementalGroups: [4242], mounts: [],
      readOnlyRootFilesystem: true, privileged: false, noNewPrivileges: true, capabilitiesAdd: [], capabilitiesDrop: ["ALL"], seccomp: { kind: "runtimeDefault" }, resources: {},
      pidNamespace: "container", ipcNamespace: "sandbox", tty: false, stdin: false, stdinOnce: false, ...overrides,
    });
    await runtime.startContainer(id);
    return id;
  }
  const run = async (id: string, script: string): Promise<string> => {
    const result = await runtime.execSync(id, { command: ["sh", "-c", script], timeoutMs: 20_000, outputBytesMax: 10_000 });
    return result.kind === "exited" ? `${result.exitCode} ${result.stdout}${result.stderr}`.trim() : result.kind;
  };

  before(async () => {
    runtime = await connectEngine();
    shell = await builtImage("busybox");
    const { name } = await runtime.ensureNetwork({ name: `podkit-${clusterName}`, labels });
    await runtime.ensureVolume({ name: volume, labels, tmpfs: { sizeBytes: 1_048_576, mode: 0o1777 } });
    const hold: Mount = { kind: "volume", name: volume, target: "/hold", readOnly: false };
    sandboxId = await runtime.createSandbox({ name: `podkit-${clusterName}-sandbox`, labels, image: await builtImage("pause"), hostname: "web-0", network: { kind: "bridge", name }, ports: [], sysctls: {}, mounts: [hold] });
    await runtime.startSandbox(sandboxId);
    main = await start(forever);
  });
  after(async () => {
    await Promise.all((await runtime.list(labels)).map(async ({ id }) => await runtime.remove(id)));
    await runtime.removeVolume(volume);
    await runtime.removeNetwork(`podkit-${clusterName}`);
    await runtime.close();
  });

  test("containers of a sandbox share localhost and its hostname", async () => {
    const server = await start(["sh", "-c", "while :; do nc -l -p 7000 -e echo hi; done"]); // for as many tries as it takes
    assert.equal(await eventually(async () => {
      const answer = await run(main, "nc -w 2 127.0.0.1 7000");
      return answer === "0 hi" ? answer : undefined;
    }), "0 hi");
    assert.equal(await run(main, "hostname"), "0 web-0");
    await runtime.remove(server);
  });

  test("environment, groups, a read-only root and dropped capabilities arrive", async () => {
    assert.equal(await run(main, "echo $GREETING"), "0 hello = world");
    assert.match(await run(main, "id -G"), /4242/);
    assert.match(await run(main, "touch /x"), /^1 .*Read-only/);
    assert.match(await run(main, "grep CapEff /proc/self/status"), /0000000000000000$/);
    assert.match(await run(main, "grep NoNewPrivs /proc/self/status"), /1$/);
  });

  test("a tmpfs volume is bounded and keeps its content while the sandbox lives", async () => {
    const mounts: readonly Mount[] = [{ kind: "volume", name: volume, target: "/cache", readOnly: false }];
    const first = await start(["sh", "-c", "echo kept > /cache/file; dd if=/dev/zero of=/cache/big bs=1M count=2 2>/dev/null; rm /cache/big"], { mounts });
    await eventually(async () => (await runtime.containerStatus(first))?.state.kind === "exited");
    const second = await start(forever, { mounts });
    assert.equal(await run(second, "cat /cache/file; df -k /cache | tail -1 | tr -s ' ' | cut -d ' ' -f 2"), "0 kept\n1024");
    await runtime.remove(first);
    await runtime.remove(second);
  });

  test("a missing bind source and a mount target that is no directory are invalid, and nothing is left running", async () => {
    const refused = async (mount: Mount, image = shell): Promise<RuntimeError> => {
      const error = await start(forever, { mounts: [mount], image }).then(() => undefined, (reason: unknown) => reason);
      assert.ok(error instanceof RuntimeError, String(error));
      return error;
    };
    const error = await refused({ kind: "bind", source: "/no/such/source", target: "/data", readOnly: false });
    assert.deepEqual([error.code, /\/no\/such\/source/.test(`${error.message} ${error.remedy}`)], ["InvalidConfig", true]);
    assert.equal((await refused({ kind: "bind", source: "/etc/hostname", target: "/tmp", readOnly: false })).code, "InvalidConfig");
  });

  test("a command's stdin ends when asked to, and its output arrives whole", async () => {
    const session = await runtime.exec(main, { command: ["sh", "-c", "wc -c; echo done >&2"], tty: false, stdin: true });
    const output = Promise.all([readAll(session.stdout), readAll(session.stderr)]);
    const block = Buffer.alloc(65_536, "x");
    for (let n = 0; n < 64; n += 1) await new Promise<void>((resolve) => session.stdin?.write(block, () => resolve()));
    session.stdin?.end();
    assert.deepEqual([...(await output).map((text) => text.trim()), await session.exitCode], [String(64 * 65_536), "done", 0]);
  });

  test("a slow reader slows the command down and loses nothing", async () => {
    const session = await runtime.exec(main, { command: ["sh", "-c", "dd if=/dev/zero bs=1M count=8 2>/dev/null"], tty: false, stdin: false });
    session.stderr.resume();
    let size = 0;
    for await (const chunk of session.stdout) {
      if (chunk instanceof Uint8Array) size += chunk.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual([size, await session.exitCode], [8 * 1024 * 1024, 0]);
  });

  test("a terminal is raw, can be resized and echoes", async () => {
    const session = await runtime.exec(main, { command: ["sh"], tty: true, stdin: true });
    let screen = "";
    session.stdout.on("data", (chunk: Uint8Array) => {
      screen += Buffer.from(chunk).toString("utf8");
    });
    await session.resize({ columns: 123, rows: 45 });
    session.stdin?.write("stty size; exit 5\n");
    assert.equal(await session.exitCode, 5);
    assert.match(screen, /45 123\r\n/);
  });

  test("an aborted command ends its streams", async () => {
    const abort = new AbortController();
    const session = await runtime.exec(main, { command: ["sleep", "1000"], tty: false, stdin: false, signal: abort.signal });
    const outcome = assert.rejects(session.exitCode, /enough/);
    abort.abort(new Error("enough"));
    await outcome;
    await run(main, "kill -9 $(pidof sleep)");
  });

  test("a command that is not there fails as a shell would say it", async () => {
    const result = await runtime.execSync(main, { command: ["/no/such/program"], timeoutMs: 20_000, outputBytesMax: 1_000 }).catch((error: unknown) => error);
    if (result instanceof RuntimeError) assert.equal(result.code, "StartFailed");
    else assert.match(JSON.stringify(result), /"exitCode":12[67].*no such file/);
  });

  test("memory beyond the limit is an OOM kill with exit code 137", async () => {
    const id = await start(["sh", "-c", "exec tail /dev/zero"], { resources: { memoryBytes: 16 * 1024 * 1024 } });
    const state = await eventually(async () => {
      const status = await runtime.containerStatus(id);
      return status?.state.kind === "exited" ? status.state : undefined;
    });
    assert.deepEqual([state.exitCode, state.oomKilled], [137, true]);
  });

  test("what is no image reference is no image, and cannot be pulled", async () => {
    for (const reference of ["BAD//ref", "a b", "a?b=c", "../version"]) {
      assert.equal(await runtime.imageStatus(reference), undefined, reference);
      await assert.rejects(runtime.pullImage(reference, {}), (error) => error instanceof RuntimeError && error.code === "ImageNotFound", reference);
    }
  });

  test("an unknown user and an unknown command are start failures in the engine's words", async () => {
    for (const overrides of [{ user: "nobody-here" }, { entrypoint: ["not-a-program"] }]) {
      const error = await start(forever, overrides).then(() => undefined, (reason: unknown) => reason);
      assert.ok(error instanceof RuntimeError, String(error));
      assert.equal(error.code, "StartFailed", error.message);
    }
  });
});
