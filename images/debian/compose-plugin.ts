import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openDebianPackages } from "./apt.ts";

const run = promisify(execFile);

/**
 * The environment in which `docker compose` works: the caller's own when its client has the plugin, otherwise one with a private configuration
 * folder that holds Debian's compose (trixie's package needs no more than libc 2.34). Nothing is installed on the machine.
 */
export async function composeEnvironment(): Promise<Readonly<Record<string, string>>> {
  if (await answers({})) return {};
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "podkit");
  const configuration = join(cache, "docker-client");
  const plugin = join(configuration, "cli-plugins", "docker-compose");
  if (!existsSync(plugin)) await unpack(cache, configuration, plugin);
  const environment = { DOCKER_CONFIG: configuration };
  if (!(await answers(environment))) throw new Error(`The docker client runs no compose, neither of its own nor ${plugin}; install the compose plugin (docker-compose-v2 or docker-compose-plugin)`);
  return environment;
}

async function answers(environment: Readonly<Record<string, string>>): Promise<boolean> {
  try {
    await run("docker", ["compose", "version"], { env: { ...process.env, ...environment } });
    return true;
  } catch {
    return false; // no such plugin: the exit code says so
  }
}

async function unpack(cache: string, configuration: string, plugin: string): Promise<void> {
  const packages = await openDebianPackages({ cacheDirectory: cache, suite: "trixie", refresh: false, nowMs: Date.now(), say: (line) => process.stderr.write(`${line}\n`) });
  await packages.resolve(["docker-compose"]);
  const archives = await packages.download(["docker-compose"]);
  const file = (await readdir(archives)).find((name) => /^docker-compose_.*\.deb$/.test(name));
  if (file === undefined) throw new Error(`Debian's package docker-compose did not come to ${archives}`);
  const root = join(configuration, "docker-compose");
  await mkdir(root, { recursive: true });
  await run("dpkg-deb", ["-x", join(archives, file), root]);
  await mkdir(join(configuration, "cli-plugins"), { recursive: true });
  await symlink(join(root, "usr/libexec/docker/cli-plugins/docker-compose"), plugin);
}
