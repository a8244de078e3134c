// What every image of a role promises, checked on the images that the set-up made (docs: the sidecar contract).
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { getContainerRuntimeClient, type ContainerRuntimeClient } from "testcontainers";
import { packageDescription } from "../../../images/package-description.ts";
import { roles } from "../../../images/roles.ts";
import { eventually } from "../../support/eventually.ts";
import { idleSettings, restricted } from "../../support/idle-settings.ts";
import { image } from "../../support/images.ts";

type Docker = ContainerRuntimeClient["container"]["dockerode"];
type Container = Awaited<ReturnType<Docker["createContainer"]>>;

const { version } = packageDescription(join(import.meta.dirname, "../../../package.json"));

/**
 * The sidecar contract's ceiling is 300 ms on an idle machine. Tests run beside others, on machines that may stand still for a while: one of
 * several tries must be quick, and none can be that waits for something.
 */
const stopMsMax = 3_000;
const stopTriesMax = 5;

describe("every role's image", () => {
  let docker: Docker;
  let folder: string;
  const made: Container[] = [];
  before(async () => {
    docker = (await getContainerRuntimeClient()).container.dockerode;
    folder = await mkdtemp(join(tmpdir(), "podkit-contract-"));
    await chmod(folder, 0o755);
  });
  after(async () => {
    await Promise.all(made.map(async (container) => { await container.remove({ force: true, v: true }).catch(() => undefined); }));
    await rm(folder, { recursive: true, force: true });
  });

  const create = async (name: string, o: { command?: string[]; entrypoint?: string[]; binds?: string[] }): Promise<Container> => {
    const container = await docker.createContainer({
      Image: image(name), Labels: { "podkit.test": "contract" },
      ...(o.command === undefined ? {} : { Cmd: o.command }), ...(o.entrypoint === undefined ? {} : { Entrypoint: o.entrypoint }),
      HostConfig: { ...restricted, Binds: o.binds ?? [] },
    });
    made.push(container);
    return container;
  };
  const runToEnd = async (container: Container): Promise<{ code: unknown; output: string }> => {
    await container.start();
    const code = await exitCode(container);
    return { code, output: (await container.logs({ stdout: true, stderr: true })).toString() };
  };

  for (const role of roles) {
    test(`${role.name}: labels, user and entry point`, async () => {
      const { Config: config } = await docker.getImage(image(role.name)).inspect();
      assert.equal(config.User, role.user ?? "65532:65532");
      assert.deepEqual(config.Entrypoint, ["/nodejs/bin/node", "--max-old-space-size-percentage=60", "--max-semi-space-size=1", "/app/main.cjs"]);
      const label = (name: string): string => config.Labels[name] ?? "absent";
      assert.equal(label("org.opencontainers.image.version"), version);
      assert.equal(label("org.opencontainers.image.title"), role.title);
      assert.equal(label("org.opencontainers.image.licenses"), "Apache-2.0");
      assert.match(label("org.opencontainers.image.revision"), /^([0-9a-f]{40}|unknown)$/);
      assert.match(label("org.opencontainers.image.base.digest"), /^sha256:[0-9a-f]{64}$/);
      assert.notEqual(label("org.opencontainers.image.source"), "absent");
      assert.equal(label("io.podkit.role"), role.name);
    });

    test(`${role.name}: the bill of materials names what is inside, with licences`, async () => {
      const container = await create(role.name, {});
      const { Config: config } = await container.inspect();
      const bill: unknown = JSON.parse((await fileInside(container, config.Labels["io.podkit.sbom"] ?? "")).toString());
      assert.ok(typeof bill === "object" && bill !== null && "bomFormat" in bill && "components" in bill && Array.isArray(bill.components));
      assert.equal(bill.bomFormat, "CycloneDX");
      const urls = bill.components.map((component: { purl?: unknown }) => String(component.purl));
      assert.equal(new Set(urls).size, urls.length, "nothing is listed twice");
      const bundle = (await fileInside(container, role.warmUp === undefined ? "/app/main.cjs" : "/app/role.cjs")).toString();
      for (const name of new Set([...bundle.matchAll(/^\/\/ node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//gm)].map((match) => match[1] ?? ""))) {
        assert.ok(urls.some((url) => url.startsWith(`pkg:npm/${encodeURIComponent(name).replace("%2F", "/")}@`)), `${name} is in the bundle and not in the bill`);
      }
      assert.doesNotMatch(JSON.stringify(bill), /"unknown"/);
    });

    test(`${role.name}: there is no shell, package manager or second interpreter`, async () => {
      const container = await create(role.name, {});
      for (const path of ["/bin/sh", "/bin/bash", "/usr/bin/dash", "/bin/busybox", "/usr/bin/env", "/usr/bin/apt-get", "/usr/bin/dpkg", "/usr/bin/perl", "/usr/local/bin/npm"]) {
        await assert.rejects(container.getArchive({ path }), `${path} exists`);
      }
    });
  }

  for (const { name } of roles.filter((role) => role.warmUp !== undefined)) {
    test(`${name}: V8 takes what the image has compiled of it, under a read-only root too, and not under other flags`, async () => {
      const probe = join(folder, "cache-probe.cjs");
      await writeFile(probe, 'process.on("exit", () => process.stderr.write(`refused: ${require("/app/main.cjs").cachedDataRejected}\\n`));\n', { mode: 0o644 });
      const refused = async (flags: readonly string[]): Promise<string | undefined> => {
        const { code, output } = await runToEnd(await create(name, { entrypoint: ["/nodejs/bin/node", ...flags, "-r", "/probe.cjs", "/app/main.cjs"], command: ["--version"], binds: [`${probe}:/probe.cjs:ro`] }));
        assert.equal(code, 0);
        return /refused: (\w+)/.exec(output)?.[1];
      };
      const { Config: { Entrypoint: entrypoint } } = await docker.getImage(image(name)).inspect();
      assert.ok(Array.isArray(entrypoint));
      const flags = entrypoint.slice(1, -1).map(String);
      assert.equal(await refused(flags), "false");
      assert.equal(await refused([...flags, "--stack-size=900"]), "true");
    });
  }

  for (const name of Object.keys(idleSettings)) {
    test(`${name}: says its version under a read-only root, and loads no built-in module that it does not use`, async () => {
      const probe = join(folder, "probe.cjs");
      await writeFile(probe, 'process.on("exit", () => process.stderr.write(`modules ${JSON.stringify(process.moduleLoadList)}\\n`));\n', { mode: 0o644 });
      const { code, output } = await runToEnd(await create(name, { entrypoint: ["/nodejs/bin/node", "-r", "/probe.cjs", "/app/main.cjs"], command: ["--version"], binds: [`${probe}:/probe.cjs:ro`] }));
      assert.equal(code, 0);
      assert.match(output, new RegExp(`${name} ${version.replaceAll(".", "\\.")}`));
      // Importing node:http the wrong way loads Node's own undici: 13 MiB for nothing.
      assert.doesNotMatch(output, /internal\/deps\/undici/);
      const loaded = [...output.matchAll(/"NativeModule /g)].length;
      assert.ok(loaded > 50 && loaded <= 200, `${loaded} built-in modules are loaded`);
    });

    test(`${name}: a wrong setting ends it with 78 and names the setting`, async () => {
      const settings = join(folder, `${name}-wrong.yaml`);
      await writeFile(settings, "shutdwon: { graceMs: 1s }\n", { mode: 0o644 });
      const { code, output } = await runToEnd(await create(name, { binds: [`${settings}:/etc/podkit/config.yaml:ro`] }));
      assert.equal(code, 78);
      assert.match(output, /shutdwon.*shutdown/s);
    });

    test(`${name}: runs with a read-only root and no capability, is alive, and ends with 0 soon after SIGTERM`, async () => {
      const settings = join(folder, `${name}.yaml`);
      await writeFile(settings, idleSettings[name] ?? "", { mode: 0o644 });
      const tookMs: number[] = [];
      while (tookMs.every((ms) => ms > stopMsMax) && tookMs.length < stopTriesMax) tookMs.push(await timeToStop(await create(name, { binds: [`${settings}:/etc/podkit/config.yaml:ro`] })));
      assert.ok(Math.min(...tookMs) <= stopMsMax, `it took ${tookMs.map(Math.round).join(", ")} ms`);
    });
  }

  /** Of the role in a container that has not been started: from SIGTERM once it is alive to its end. Fails when it ends otherwise. */
  async function timeToStop(container: Container): Promise<number> {
    await container.start();
    try {
      const ask = `require("http").get("http://127.0.0.1:9901/livez", (r) => { r.resume(); process.exitCode = r.statusCode === 200 ? 0 : 1; }).on("error", () => { process.exitCode = 1; })`;
      await eventually(async () => {
        assert.equal((await container.inspect()).State.Running, true, "it ended");
        return await execCode(container, ["/nodejs/bin/node", "-e", ask]) === 0;
      }, { intervalMs: 100, what: "/livez answers" });
      const startedMs = performance.now();
      await container.kill({ signal: "SIGTERM" });
      assert.equal(await exitCode(container), 0);
      return performance.now() - startedMs;
    } catch (error) {
      throw new Error(`${String(error)}\n${(await container.logs({ stdout: true, stderr: true })).toString()}`, { cause: error });
    }
  }
});

/** The engine hands a file out as an archive of one member. */
async function fileInside(container: Container, path: string): Promise<Buffer> {
  const archive = await buffer(await container.getArchive({ path }));
  const sizeBytes = Number.parseInt(archive.subarray(124, 135).toString(), 8);
  return archive.subarray(512, 512 + sizeBytes);
}

/** Waits for the container's end. */
async function exitCode(container: Container): Promise<unknown> {
  const ended: unknown = await container.wait();
  return typeof ended === "object" && ended !== null && "StatusCode" in ended ? ended.StatusCode : undefined;
}

async function execCode(container: Container, command: string[]): Promise<number | null> {
  const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
  await new Promise<void>((resolve, reject) => {
    exec.start({}).then((stream) => { stream.on("end", resolve); stream.on("error", reject); stream.resume(); }, reject);
  });
  const { ExitCode: code } = await exec.inspect();
  return code;
}
