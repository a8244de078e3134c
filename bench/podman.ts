import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** podman with storage, networks and settings of its own in a folder, so that nothing of the machine's podman is touched. */
export type Podman = { readonly words: readonly string[]; readonly env: Readonly<Record<string, string>>; readonly version: string; remove(): Promise<void> };

/** catatonit is what `podman kube play` makes its pause image of; without it podman would pull one. */
const packages = ["podman", "catatonit"];
const remedy = `apt-get install ${packages.join(" ")}, or run this again with --install (both as root, on Debian)`;

/**
 * podman as root asks for more open files and processes than root may have in some virtual machines and containers, and has no setting
 * for it in `kube play`. So the runtime gets a container's description without those limits; that costs podman the start of a sed.
 */
const runtime = `#!/bin/sh
bundle=; before=
for word; do if [ "$before" = --bundle ]; then bundle=$word; fi; before=$word; done
if [ -n "$bundle" ]; then sed -i -E 's/"rlimits":\\[[^]]*\\]/"rlimits":[]/' "$bundle/config.json"; fi
exec "$(command -v crun || command -v runc)" "$@"
`;

/** Opens it, after installing Debian's packages when asked to; a sentence that says why not when it is absent. */
export async function openPodman(o: { readonly install: boolean; readonly image: string }): Promise<Podman | string> {
  if (o.install && packages.some((name) => spawnSync("dpkg", ["-s", name]).status !== 0)) {
    const done = spawnSync("apt-get", ["install", "--yes", "--no-install-recommends", ...packages], { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
    if (done.status !== 0) return `podman could not be installed: apt-get ended with ${done.status ?? "a signal"}`;
  }
  const answer = spawnSync("podman", ["--version"], { encoding: "utf8" });
  if (answer.status !== 0) return `podman is not installed: not measured. Remedy: ${remedy}`;
  if (process.getuid?.() !== 0) return "podman is measured as root, as the engine runs: not measured";

  const folder = await mkdtemp(join(tmpdir(), "podkit-podman-"));
  await mkdir(join(folder, "networks"));
  // No systemd and no journal need be there. Subnets far from those that an engine gives out.
  await writeFile(join(folder, "containers.conf"), `[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "bench"\n[engine.runtimes]\nbench = ["${folder}/runtime"]\n[network]\nnetwork_config_dir = "${folder}/networks"\ndefault_subnet = "10.222.0.0/24"\n`);
  await writeFile(join(folder, "runtime"), runtime, { mode: 0o755 });
  const env = { CONTAINERS_CONF: join(folder, "containers.conf") };
  const words = ["podman", "--root", join(folder, "storage"), "--runroot", join(folder, "run"), "--tmpdir", join(folder, "tmp"), "--storage-driver", "overlay"];
  const chainsBefore = chains();
  const podman: Podman = {
    words, env, version: answer.stdout.trim(),
    async remove() {
      podmanRun(words, env, ["pod", "rm", "--all", "--force", "--time", "0"]);
      podmanRun(words, env, ["system", "reset", "--force"]);
      spawnSync("umount", [join(folder, "storage/overlay")]);
      spawnSync("ip", ["link", "delete", "cni-podman0"]);
      for (const { table, chain } of chains().filter((now) => !chainsBefore.some((before) => before.table === now.table && before.chain === now.chain))) removeChain(table, chain);
      await rm(folder, { recursive: true, force: true });
    },
  };
  const load = spawnSync("sh", ["-c", 'docker save "$0" | "$@" load', o.image, ...words], { encoding: "utf8", env: { ...process.env, ...env } });
  if (load.status !== 0) {
    await podman.remove();
    return `podman cannot load ${o.image}: ${load.stderr.trim().slice(-500)}`;
  }
  return podman;
}

function podmanRun(words: readonly string[], env: Readonly<Record<string, string>>, rest: readonly string[]): void {
  const [command = "", ...own] = words;
  spawnSync(command, [...own, ...rest], { env: { ...process.env, ...env } });
}

type Chain = { readonly table: string; readonly chain: string };

/** The packet filter's chains that podman's network plugins make; they stay when the last container has gone. */
function chains(): readonly Chain[] {
  const saved = spawnSync("iptables-save", { encoding: "utf8" }).stdout ?? "";
  let table = "";
  return saved.split("\n").flatMap((line) => {
    if (line.startsWith("*")) table = line.slice(1);
    const chain = /^:(CNI-\S+|NETAVARK\S*)/.exec(line)?.[1];
    return chain === undefined ? [] : [{ table, chain }];
  });
}

/** Removes the rules that lead to the chain, then the chain. */
function removeChain(table: string, chain: string): void {
  const rules = (spawnSync("iptables-save", ["-t", table], { encoding: "utf8" }).stdout ?? "").split("\n").filter((line) => line.startsWith("-A ") && line.includes(`-j ${chain}`));
  for (const rule of rules) spawnSync("sh", ["-c", `iptables -t ${table} ${rule.replace(/^-A/, "-D")}`]);
  spawnSync("iptables", ["-t", table, "-F", chain]);
  spawnSync("iptables", ["-t", table, "-X", chain]);
}
