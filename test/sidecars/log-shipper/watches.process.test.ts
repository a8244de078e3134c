import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { RecordingReceiver } from "./support/receiver.ts";
import { spawnShipper } from "./support/shipper-process.ts";
import { configOf, idsFrom, idsOf, lines, temporary } from "./support/shipper.ts";

/** A user namespace has limits of its own, so that the kernel refuses in earnest and nobody else notices. */
const limited = (limit: string, value: number): readonly string[] => ["unshare", "--user", "--map-root-user", "sh", "-c", `echo ${value} > /proc/sys/user/${limit} && exec "$@"`, "sh"];
const canLimit = spawnSync("unshare", ["--user", "--map-root-user", "test", "-w", "/proc/sys/user/max_inotify_watches"]).status === 0;

for (const [what, limit, value] of [
  ["no more watches (ENOSPC)", "max_inotify_watches", 1],
  ["no inotify instance (EMFILE)", "max_inotify_instances", 0],
] as const) {
  test(`When the kernel gives ${what}, it says so once, polls, and everything arrives: L 0, D 0`, { timeout: 150_000, skip: canLimit ? false : "needs user namespaces with limits of their own" }, async () => {
    using place = temporary();
    for (const name of ["a", "b", "c"]) mkdirSync(join(place.logs, name), { recursive: true });
    await using receiver = new RecordingReceiver();
    await receiver.listen();
    const { file } = configOf(place.root, { sources: [{ type: "tail", paths: [`${place.logs}/*/*.log`] }], sinks: [{ type: "forward", servers: [`127.0.0.1:${receiver.port}`] }], state: { directory: place.state } });
    const shipper = spawnShipper(file, [], { under: limited(limit, value) });
    try {
      await eventually(() => shipper.stderr().includes("Connected") || shipper.stderr().includes("polling instead"), { what: "a start" });
      let expected: readonly string[] = [];
      for (let round = 0; round < 4; round++) {
        for (const name of ["a", "b", "c"]) {
          const path = join(place.logs, name, "app.log");
          if (round === 2) renameSync(path, `${path}.1`);
          if (round === 3) writeFileSync(path, lines(`${name}${round}`, 0, 3));
          else appendFileSync(path, lines(`${name}${round}`, 0, 10));
          expected = [...expected, ...idsFrom(`${name}${round}`, round === 3 ? 3 : 10)];
        }
        await eventually(() => receiver.all.length >= expected.length, { what: `round ${round}`, intervalMs: 5 }).catch((error: unknown) => assert.fail(`${String(error)}\n${shipper.stderr()}`));
        const cold = performance.now() + 1_200;
        await eventually(() => performance.now() >= cold);
      }
      shipper.kill("SIGTERM");
      assert.equal(await shipper.exited, 0, shipper.stderr());
      assert.deepEqual(idsOf(receiver.all).toSorted(), expected.toSorted());
      // The configuration file is watched too, and may say the same.
      const said = shipper.stderr().split("\n").filter((line) => line.includes("polling instead") && line.includes(`"directory":"${place.logs}`));
      assert.equal(said.length, 1, shipper.stderr());
    } finally {
      shipper.kill("SIGKILL");
    }
  });
}
